// Where a tokenizer comes from: folders, tokenizer.json, vocab.txt, GGUF; and what the files beside it say.
#include <catch2/catch.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "goldens.hpp"
#include "test_files.hpp"
#include "tokenizer/tokenizer.hpp"

namespace {

using rag::core::Code;
using rag::core::Error;
using rag::core::Tokenizer;
using rag::test::write_file;
namespace fs = std::filesystem;

Code refusal(const fs::path& path, std::string& message) {
    try {
        Tokenizer::from_pretrained(path);
    } catch (const Error& error) {
        message = error.what();
        return error.code();
    }
    return Code::kOk;
}

// A GGUF file with string, array and number values, enough for a tokenizer.
class GgufWriter {
  public:
    void text(const std::string& key, const std::string& value) {
        begin(key, 8);
        put_text(value);
    }
    void texts(const std::string& key, const std::vector<std::string>& values) {
        begin(key, 9);
        put<std::uint32_t>(8);
        put<std::uint64_t>(values.size());
        for (const std::string& value : values) put_text(value);
    }
    void integers(const std::string& key, const std::vector<std::int32_t>& values) {
        begin(key, 9);
        put<std::uint32_t>(5);
        put<std::uint64_t>(values.size());
        for (const std::int32_t value : values) put(value);
    }
    void numbers(const std::string& key, const std::vector<float>& values) {
        begin(key, 9);
        put<std::uint32_t>(6);
        put<std::uint64_t>(values.size());
        for (const float value : values) put(value);
    }
    void integer(const std::string& key, std::uint32_t value) {
        begin(key, 4);
        put(value);
    }
    void boolean(const std::string& key, bool value) {
        begin(key, 7);
        put<std::uint8_t>(value ? 1 : 0);
    }
    std::string file() const {
        std::string out = "GGUF";
        const auto add = [&](const auto& value) { out.append(reinterpret_cast<const char*>(&value), sizeof value); };
        add(std::uint32_t{3});
        add(std::uint64_t{0});
        add(count_);
        return out + body_;
    }

  private:
    template <typename T>
    void put(T value) {
        body_.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    void put_text(const std::string& value) {
        put<std::uint64_t>(value.size());
        body_ += value;
    }
    void begin(const std::string& key, std::uint32_t type) {
        ++count_;
        put_text(key);
        put(type);
    }
    std::string body_;
    std::uint64_t count_ = 0;
};

// The tokenizer of the fixture byte_level_digits as a GGUF file.
GgufWriter digits_gguf(const goldens::Json& json, const std::string& pre) {
    GgufWriter out;
    std::vector<std::string> tokens(json["model"]["vocab"].size());
    for (const auto& [token, id] : json["model"]["vocab"].items()) tokens.at(id.get<std::size_t>()) = token;
    std::vector<std::int32_t> types(tokens.size(), 1);
    types[0] = 3;
    std::vector<std::string> merges;
    for (const auto& merge : json["model"]["merges"])
        merges.push_back(merge[0].get<std::string>() + " " + merge[1].get<std::string>());
    out.text("tokenizer.ggml.model", "gpt2");
    out.text("tokenizer.ggml.pre", pre);
    out.texts("tokenizer.ggml.tokens", tokens);
    out.integers("tokenizer.ggml.token_type", types);
    out.texts("tokenizer.ggml.merges", merges);
    return out;
}

goldens::Json fixture(const char* name) {
    return goldens::read_lines(fs::path(FIXTURES) / name).at(0);
}

const std::string kVocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nworld\n##s\nHello\ncaf\xc3\xa9\ncafe\n";
const std::string kLowerVocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nworld\n##s\nhallo\ncaf\xc3\xa9\ncafe\n";

}  // namespace

TEST_CASE("a folder with vocab.txt is a BERT, and its configuration says how it treats case") {
    const rag::test::TemporaryFolder scratch;
    const fs::path folder = scratch.path();
    write_file(folder / "vocab.txt", kLowerVocab);
    const auto lower = Tokenizer::from_pretrained(folder);
    CHECK(lower->encode("Hello worlds").ids == std::vector<std::int32_t>{2, 5, 6, 7, 3});
    CHECK(lower->encode("CAF\xc3\x89").ids == std::vector<std::int32_t>{2, 10, 3});
    CHECK(lower->encode("hello", "world").type_ids == std::vector<std::uint32_t>{0, 0, 0, 1, 1});
    CHECK(lower->decode(lower->encode("Hello worlds").ids) == "hello worlds");
    CHECK(lower->special_token("cls_token") == "[CLS]");
    CHECK(Tokenizer::from_pretrained(folder / "vocab.txt")->vocab_size() == 11);

    std::string message;
    write_file(folder / "vocab.txt", kVocab);
    CHECK(refusal(folder, message) == Code::kInvalidArgument);
    CHECK(message.find("capital letters (\"Hello\")") != std::string::npos);
    write_file(folder / "tokenizer_config.json", R"({"do_lower_case": false, "mask_token": {"content": "[MASK]"}})");
    const auto cased = Tokenizer::from_pretrained(folder);
    CHECK(cased->encode("Hello hello").ids == std::vector<std::int32_t>{2, 8, 5, 3});
    CHECK(cased->encode("caf\xc3\xa9").ids == std::vector<std::int32_t>{2, 9, 3});
    CHECK(cased->is_special(4));
    CHECK(!cased->is_special(5));

    write_file(folder / "vocab.txt", "[PAD]\nhello\n");
    CHECK(refusal(folder, message) == Code::kCorrupt);
    CHECK(message.find("[UNK]") != std::string::npos);
    write_file(folder / "vocab.txt", kVocab + "\xff\n");
    CHECK(refusal(folder, message) == Code::kInvalidArgument);
}

TEST_CASE("a part of a tokenizer is not taken for one") {
    const rag::test::TemporaryFolder scratch;
    std::string message;
    for (const char* name : {"merges.txt", "vocab.json", "tokenizer_config.json"}) {
        write_file(scratch.path() / name, "{}");
        CHECK(refusal(scratch.path() / name, message) == Code::kInvalidArgument);
        CHECK(message.find("open the folder") != std::string::npos);
    }
    write_file(scratch.path() / "tokenizer.json", "");
    CHECK(refusal(scratch.path() / "tokenizer.json", message) == Code::kCorrupt);
    CHECK(message.find("exception") == std::string::npos);
}

TEST_CASE("a BERT's vocab.txt has the added tokens that stand beside it, and other classes are no BERTs") {
    const rag::test::TemporaryFolder scratch;
    const fs::path folder = scratch.path();
    write_file(folder / "vocab.txt", kLowerVocab);
    write_file(folder / "added_tokens.json", R"({"[NEW]": 11})");
    CHECK(Tokenizer::from_pretrained(folder)->encode("hello[NEW]").ids == std::vector<std::int32_t>{2, 5, 11, 3});
    write_file(folder / "tokenizer_config.json", R"({"tokenizer_class": "BertTokenizerFast", "added_tokens_decoder": {
        "4": {"content": "[MASK]", "lstrip": true, "special": true}, "11": {"content": "<x>", "special": true}}})");
    const auto declared = Tokenizer::from_pretrained(folder);
    CHECK(declared->encode("hello <x> [MASK]").ids == std::vector<std::int32_t>{2, 5, 11, 4, 3});
    CHECK(declared->encode("hello [MASK]").offsets[2] == std::pair<std::uint32_t, std::uint32_t>{5, 12});
    CHECK(declared->vocab_size() == 12);

    write_file(folder / "tokenizer_config.json", R"({"tokenizer_class": "MPNetTokenizer"})");
    std::string message;
    CHECK(refusal(folder, message) == Code::kUnsupported);
    CHECK(message.find("MPNetTokenizer") != std::string::npos);
    CHECK(message.find("tokenizer.json") != std::string::npos);
}

TEST_CASE("a folder gives the names of special tokens and the chat template") {
    const rag::test::TemporaryFolder scratch;
    const fs::path folder = scratch.path();
    write_file(folder / "tokenizer.json", fixture("byte_level.jsonl").dump());
    write_file(folder / "special_tokens_map.json",
               R"({"eos_token": "<nothing>", "unk_token": {"content": "<end>", "lstrip": false}})");
    write_file(
        folder / "tokenizer_config.json",
        R"({"eos_token": "<end>", "chat_template": "{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}{% endfor %}"})");
    const auto tokenizer = Tokenizer::from_pretrained(folder);
    CHECK(tokenizer->eos_token() == "<end>");
    CHECK(tokenizer->unk_token() == "<end>");
    CHECK(tokenizer->eos_id() == 0);
    CHECK(tokenizer->bos_token().empty());
    CHECK(!tokenizer->bos_id());
    CHECK(tokenizer->apply_chat_template(R"([{"role": "user", "content": "hi"}])", false) == "user: hi<end>");
    write_file(folder / "chat_template.jinja", "{{ messages | length }}");
    CHECK(Tokenizer::from_pretrained(folder)->apply_chat_template(R"([{"role": "user", "content": "hi"}])", false) == "1");
    const auto bare = Tokenizer::from_pretrained(folder / "tokenizer.json");
    CHECK(bare->chat_template().empty());
    CHECK_THROWS_WITH(bare->apply_chat_template(R"([{"role": "user"}])", false), Catch::Contains("has no chat template"));
    std::string message;
    write_file(folder / "tokenizer_config.json", R"({"eos_token": 5})");
    CHECK(refusal(folder, message) == Code::kCorrupt);
    CHECK(message.find("eos_token") != std::string::npos);
}

TEST_CASE("several chat templates are told apart by name") {
    const rag::test::TemporaryFolder scratch;
    const fs::path folder = scratch.path();
    write_file(folder / "tokenizer.json", fixture("byte_level.jsonl").dump());
    write_file(
        folder / "tokenizer_config.json",
        R"({"chat_template": [{"name": "default", "template": "D"}, {"name": "tool_use", "template": "T{{ tools|length }}"}]})");
    const std::string messages = R"([{"role": "user", "content": "hi"}])";
    rag::core::ChatOptions options;
    const auto named = Tokenizer::from_pretrained(folder);
    CHECK(named->apply_chat_template(messages, options) == "D");
    CHECK(named->chat_template("tool_use") == "T{{ tools|length }}");
    CHECK(named->chat_template("nope").empty());
    options.tools_json = "[{}, {}]";
    CHECK(named->apply_chat_template(messages, options) == "T2");
    options.chat_template = "default";
    CHECK(named->apply_chat_template(messages, options) == "D");
    options.chat_template = "{{ tools }}";
    CHECK(named->apply_chat_template(messages, options) == "[{}, {}]");
    // Files replace the whole list.
    fs::create_directory(folder / "additional_chat_templates");
    write_file(folder / "additional_chat_templates" / "rag.jinja", "R");
    const auto files = Tokenizer::from_pretrained(folder);
    CHECK_THROWS_WITH(files->apply_chat_template(messages, false), Catch::Contains("name one of rag"));
    options.chat_template = "rag";
    CHECK(files->apply_chat_template(messages, options) == "R");
    std::string message;
    fs::remove_all(folder / "additional_chat_templates");
    write_file(folder / "tokenizer_config.json", R"({"chat_template": [{"name": "default"}]})");
    CHECK(refusal(folder, message) == Code::kCorrupt);
    CHECK(message.find("template") != std::string::npos);
}

TEST_CASE("a GGUF file gives the ids of the tokenizer.json it was made from") {
    const rag::test::TemporaryFolder scratch;
    const fs::path path = scratch.path() / "model.gguf";
    const auto rows = goldens::read_lines(fs::path(FIXTURES) / "byte_level_digits.jsonl");
    GgufWriter gguf = digits_gguf(rows[0], "smollm");
    gguf.integer("tokenizer.ggml.eos_token_id", 0);
    gguf.text("tokenizer.chat_template", "{{ eos_token }}");
    write_file(path, gguf.file());
    const auto tokenizer = Tokenizer::from_pretrained(path);
    for (std::size_t i = 1; i < rows.size(); ++i) {
        INFO(rows[i].dump());
        CHECK(goldens::compare(*tokenizer, rows[i]).empty());
    }
    CHECK(tokenizer->eos_id() == 0);
    CHECK(tokenizer->apply_chat_template(R"([{"role": "user"}])", false) == "<end>");
    CHECK_THROWS_WITH(tokenizer->apply_chat_template("[]", false), Catch::Contains("at least one message"));

    gguf.boolean("tokenizer.ggml.add_bos_token", true);
    std::string message;
    write_file(path, gguf.file());
    CHECK(refusal(path, message) == Code::kCorrupt);
    CHECK(message.find("bos_token_id") != std::string::npos);
    gguf.integer("tokenizer.ggml.bos_token_id", 0);
    write_file(path, gguf.file());
    CHECK(Tokenizer::from_pretrained(path)->encode("").ids == std::vector<std::int32_t>{0});
}

TEST_CASE("a GGUF tokenizer that nobody compared is refused, and so is one that contradicts itself") {
    const rag::test::TemporaryFolder scratch;
    const fs::path path = scratch.path() / "model.gguf";
    const auto json = fixture("byte_level_digits.jsonl");
    std::string message;
    write_file(path, digits_gguf(json, "mystery").file());
    CHECK(refusal(path, message) == Code::kUnsupported);
    CHECK(message.find("mystery") != std::string::npos);
    GgufWriter unnamed;
    unnamed.text("tokenizer.ggml.model", "gpt2");
    unnamed.texts("tokenizer.ggml.tokens", {"a"});
    unnamed.integers("tokenizer.ggml.token_type", {1});
    unnamed.texts("tokenizer.ggml.merges", {});
    write_file(path, unnamed.file());
    CHECK(refusal(path, message) == Code::kUnsupported);
    CHECK(message.find("tokenizer.ggml.pre is missing") != std::string::npos);
    std::optional<std::string> first;
    for (const char* name : {"llama-bpe", "llama-v3", "llama3"}) {  // one pre-tokenizer under three names
        write_file(path, digits_gguf(json, name).file());
        const std::string written = Tokenizer::from_pretrained(path)->to_json();
        if (first) CHECK(written == *first);
        first = written;
    }
    GgufWriter ids = digits_gguf(json, "smollm");
    ids.integer("tokenizer.ggml.eos_token_id", 100'000);
    write_file(path, ids.file());
    CHECK(refusal(path, message) == Code::kCorrupt);
    CHECK(message.find("100000") != std::string::npos);
    GgufWriter types;
    types.text("tokenizer.ggml.model", "gpt2");
    types.text("tokenizer.ggml.pre", "smollm");
    types.texts("tokenizer.ggml.tokens", {"a", "b"});
    types.integers("tokenizer.ggml.token_type", {1});
    write_file(path, types.file());
    CHECK(refusal(path, message) == Code::kCorrupt);
    GgufWriter other;
    other.text("tokenizer.ggml.model", "rwkv");
    other.texts("tokenizer.ggml.tokens", {"a"});
    write_file(path, other.file());
    CHECK(refusal(path, message) == Code::kUnsupported);
    CHECK(message.find("rwkv") != std::string::npos);
    write_file(path, GgufWriter().file());
    CHECK(refusal(path, message) == Code::kCorrupt);
}

TEST_CASE("GGUF vocabularies of the other kinds") {
    const rag::test::TemporaryFolder scratch;
    const fs::path path = scratch.path() / "model.gguf";
    std::string message;
    const auto llama = [] {
        GgufWriter out;
        out.text("tokenizer.ggml.model", "llama");
        out.texts("tokenizer.ggml.tokens", {"<unk>", "<s>", "\xe2\x96\x81", "a", "b", "ab",
                                            "\xe2\x96\x81"
                                            "ab",
                                            "  "});
        out.integers("tokenizer.ggml.token_type", {2, 3, 1, 1, 1, 1, 1, 4});
        out.integer("tokenizer.ggml.bos_token_id", 1);
        return out;
    };
    GgufWriter good = llama();
    good.numbers("tokenizer.ggml.scores", {0, 0, -5, -6, -7, -1, -2, 0});
    write_file(path, good.file());
    CHECK(Tokenizer::from_pretrained(path)->encode("ab abba  ax").ids ==
          std::vector<std::int32_t>{1, 6, 6, 4, 3, 7, 3, 0});  // two spaces are one token, by merging
    CHECK(Tokenizer::from_pretrained(path)->decode({{1, 6, 6}}) == "ab ab");
    write_file(path, llama().file());
    CHECK(refusal(path, message) == Code::kCorrupt);
    CHECK(message.find("scores") != std::string::npos);
    GgufWriter few = llama();
    few.numbers("tokenizer.ggml.scores", {0, 0});
    write_file(path, few.file());
    CHECK(refusal(path, message) == Code::kCorrupt);
    good.boolean("tokenizer.ggml.remove_extra_whitespaces", true);
    write_file(path, good.file());
    CHECK(refusal(path, message) == Code::kUnsupported);
    CHECK(message.find("remove_extra_whitespaces") != std::string::npos);

    GgufWriter bert;
    bert.text("tokenizer.ggml.model", "bert");
    bert.texts("tokenizer.ggml.tokens", {"[UNK]", "[CLS]", "[SEP]", "\xe2\x96\x81word", "s"});
    bert.integers("tokenizer.ggml.token_type", {2, 3, 3, 1, 1});
    bert.integer("tokenizer.ggml.unknown_token_id", 0);
    bert.integer("tokenizer.ggml.bos_token_id", 1);
    bert.integer("tokenizer.ggml.seperator_token_id", 2);
    write_file(path, bert.file());
    CHECK(refusal(path, message) == Code::kUnsupported);  // it does not say how it treats case
    bert.text("tokenizer.ggml.pre", "bert-bge");
    write_file(path, bert.file());
    const auto word_piece = Tokenizer::from_pretrained(path);
    CHECK(word_piece->encode("Words x").ids == std::vector<std::int32_t>{1, 3, 4, 0, 2});
    CHECK(word_piece->encode("word", "words").type_ids == std::vector<std::uint32_t>{0, 0, 0, 1, 1, 1});
    CHECK(word_piece->decode({{3, 4}}) == "words");

    GgufWriter t5;
    t5.text("tokenizer.ggml.model", "t5");
    t5.texts("tokenizer.ggml.tokens", {"<unk>", "a"});
    t5.numbers("tokenizer.ggml.scores", {0, -1});
    write_file(path, t5.file());
    CHECK(refusal(path, message) == Code::kUnsupported);
    CHECK(message.find("precompiled_charsmap") != std::string::npos);
}

TEST_CASE("paths that are no tokenizer are named") {
    const rag::test::TemporaryFolder scratch;
    std::string message;
    CHECK(refusal(scratch.path() / "nowhere", message) == Code::kNotFound);
    CHECK(message.find("nowhere") != std::string::npos);
    CHECK(refusal(scratch.path(), message) == Code::kNotFound);
    write_file(scratch.path() / "tokenizer.json", "");
    CHECK(refusal(scratch.path(), message) == Code::kCorrupt);
}
