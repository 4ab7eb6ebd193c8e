// The error of a rendering: its code and the words of its one-line text.
#pragma once

#include <catch2/catch.hpp>
#include <initializer_list>
#include <string>

#include "core/error.hpp"
#include "tokenizer/chat_template/chat_template.hpp"

namespace rag::test {

inline void refuses(core::Code code, const std::string& source, std::initializer_list<std::string> words,
                    const core::ChatTemplateLimits& limits = {}, std::string_view messages = "[]") {
    INFO(source.substr(0, 300));
    try {
        const std::string text = core::ChatTemplate(source, limits).render(messages, false);
        FAIL("rendered " << text.substr(0, 200));
    } catch (const core::Error& error) {
        const std::string text = error.what();
        INFO(text);
        CHECK(error.code() == code);
        CHECK(text.find('\n') == std::string::npos);
        for (const auto& word : words) CHECK_THAT(text, Catch::Contains(word));
    }
}

}  // namespace rag::test
