// Templates, conversations and snippets against what transformers renders (goldens.json, made by make_goldens.py). What
// transformers refuses has to be refused.
#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "tokenizer/chat_template/chat_template.hpp"

using nlohmann::ordered_json;
using namespace rag::core;

namespace {

ordered_json goldens() {
    std::ifstream in(GOLDENS);
    REQUIRE(in.good());
    return ordered_json::parse(in);
}

/// The rendered text, or null where it is refused.
ordered_json render(const std::string& source, const ordered_json& conversation, const ordered_json& special_tokens,
                    std::string& why) {
    const auto text_of = [&](const char* key) { return conversation.contains(key) ? conversation[key].dump() : std::string(); };
    const std::string messages = text_of("messages");
    const std::string tools = text_of("tools");
    const std::string variables = text_of("variables");
    ChatTemplateInput input;
    input.messages_json = messages;
    input.tools_json = tools;
    input.variables_json = variables;
    input.add_generation_prompt = conversation["add_generation_prompt"].get<bool>();
    for (const auto& [name, token] : special_tokens.items()) input.special_tokens.emplace_back(name, token.get<std::string>());
    try {
        return ChatTemplate(source).render(input);
    } catch (const Error& error) {
        why = error.what();
        return nullptr;
    }
}

}  // namespace

TEST_CASE("whole templates render as transformers renders them") {
    const ordered_json all = goldens();
    REQUIRE(all["cases"].size() > 50);
    for (const auto& one : all["cases"]) {
        INFO(one["name"].get<std::string>());
        std::string why;
        const ordered_json text = render(all["templates"][one["template"].get<std::string>()].get<std::string>(),
                                         one["conversation"], one["special_tokens"], why);
        INFO(why);
        CHECK(text == one["expected"]);
    }
}

TEST_CASE("snippets of the language render as transformers renders them") {
    const ordered_json all = goldens();
    REQUIRE(all["snippets"].size() > 100);
    for (const auto& one : all["snippets"]) {
        INFO(one[0].get<std::string>());
        std::string why;
        const ordered_json text = render(one[0].get<std::string>(), all["snippet_conversation"], ordered_json::object(), why);
        INFO(why);
        CHECK(text == one[1]);
        if (one[1].is_null()) CHECK_THAT(why, Catch::Contains("chat template line 1: "));
    }
}
