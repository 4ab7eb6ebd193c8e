// Chat templates over C and C++: options that are left out, of other versions, and wrong ones.
#include <rag/rag.hpp>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "test_files.hpp"

namespace {

rag_text text(const char* value) {
    return {value, std::strlen(value)};
}

/// A tokenizer with two templates.
class Fixture {
  public:
    Fixture() : tokenizer_(rag::Tokenizer::from_pretrained(write())) {}
    const rag::Tokenizer& tokenizer() const { return tokenizer_; }

    /// The text, or the error's.
    std::string apply(const rag_chat_options* options, rag_status expected = RAG_OK) const {
        rag_string* out = nullptr;
        const rag_text messages = text(R"([{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A "}])");
        CHECK(rag_tokenizer_apply_chat_template(tokenizer_.handle(), messages, options, &out) == expected);
        CHECK((out != nullptr) == (expected == RAG_OK));
        const rag_text view = rag_string_text(out);
        std::string result = expected == RAG_OK ? std::string(view.data, view.size) : rag_error_message();
        rag_string_free(out);
        return result;
    }

  private:
    std::string write() const {
        std::ofstream(folder_.path() / "tokenizer.json")
            << R"({"version": "1.0", "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}, "added_tokens": []})";
        std::ofstream(folder_.path() / "tokenizer_config.json") << R"({"chat_template": [
            {"name": "default", "template": "{% for m in messages %}<{{ m.content }}>{% endfor %}{{ '+' if add_generation_prompt }}"},
            {"name": "tool_use", "template": "{{ tools|length }} {{ documents|length }} {{ x }}"}]})";
        return folder_.path().string();
    }

    rag::test::TemporaryFolder folder_;
    rag::Tokenizer tokenizer_;
};

}  // namespace

TEST_CASE("chat templates take their options over C") {
    const Fixture fixture;
    CHECK(fixture.apply(nullptr) == "<Q><A >+");
    rag_chat_options options = RAG_CHAT_OPTIONS_INIT;
    CHECK(fixture.apply(&options) == "<Q><A >+");
    options.add_generation_prompt = 0;
    CHECK(fixture.apply(&options) == "<Q><A >");
    options.continue_field = text("content");
    CHECK(fixture.apply(&options) == "<Q><A ");
    options.continue_field = {nullptr, 0};
    options.tools = text("[{}]");
    options.documents = text("[{}, {}]");
    options.variables = text(R"({"x": [null, 1.5]})");
    CHECK(fixture.apply(&options) == "1 2 [None, 1.5]");
    options.chat_template = text("default");
    CHECK(fixture.apply(&options) == "<Q><A >");
    options.chat_template = text("{{ tools }}{{ x[1] }}");
    CHECK(fixture.apply(&options) == "[{}]1.5");
}

TEST_CASE("wrong options of chat templates are refused by name") {
    const Fixture fixture;
    rag_chat_options options = RAG_CHAT_OPTIONS_INIT;
    options.struct_size = 3;
    CHECK_THAT(fixture.apply(&options, RAG_INVALID_ARGUMENT), Catch::Contains("rag_chat_options.struct_size is 3"));
    options = RAG_CHAT_OPTIONS_INIT;
    options.tools = text("{}");
    CHECK_THAT(fixture.apply(&options, RAG_INVALID_ARGUMENT), Catch::Contains("tools must be a JSON array"));
    options.tools = {nullptr, 5};
    CHECK_THAT(fixture.apply(&options, RAG_INVALID_ARGUMENT), Catch::Contains("tools is NULL"));
    options = RAG_CHAT_OPTIONS_INIT;
    options.variables = text(R"({"messages": 1})");
    CHECK_THAT(fixture.apply(&options, RAG_INVALID_ARGUMENT), Catch::Contains("has an argument of its own"));
    options = RAG_CHAT_OPTIONS_INIT;
    options.continue_field = text("content");
    CHECK_THAT(fixture.apply(&options, RAG_INVALID_ARGUMENT), Catch::Contains("exclude each other"));
    options = RAG_CHAT_OPTIONS_INIT;
    options.chat_template = text("\n{{ nobody.x }}");
    CHECK_THAT(fixture.apply(&options, RAG_INVALID_ARGUMENT), Catch::Contains("chat template line 2"));
    options.chat_template = text("{% include 'x' %}");
    CHECK_THAT(fixture.apply(&options, RAG_UNSUPPORTED), Catch::Contains("include"));
    options.chat_template = text("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}");
    CHECK_THAT(fixture.apply(&options, RAG_INVALID_ARGUMENT), Catch::Contains("limit of"));
}

TEST_CASE("chat templates take their options over C++") {
    const Fixture fixture;
    const std::string messages = R"([{"role": "user", "content": "Q"}])";
    CHECK(fixture.tokenizer().apply_chat_template(messages) == "<Q>+");
    rag::ChatOptions options;
    options.tools = "[{}]";
    options.documents = "[]";
    CHECK(fixture.tokenizer().apply_chat_template(messages, options) == "1 0 ");
    options.chat_template = "nothing";
    CHECK(fixture.tokenizer().apply_chat_template(messages, options) == "nothing");
    CHECK_THROWS_AS(fixture.tokenizer().apply_chat_template("[]"), rag::Error);
}
