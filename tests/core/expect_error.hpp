// The error that a call throws: its code, and words that its text must hold. The text must be one line, since hosts log it.
#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <initializer_list>
#include <string>

#include "core/error.hpp"

namespace rag::test {

inline void expect_error(core::Code code, std::initializer_list<std::string> words, const std::function<void()>& call) {
    try {
        call();
    } catch (const core::Error& error) {
        const std::string text = error.what();
        INFO(text);
        CHECK(error.code() == code);
        CHECK(text.find('\n') == std::string::npos);
        for (const auto& word : words) CHECK_THAT(text, Catch::Contains(word));
        return;
    }
    FAIL("no error was thrown");
}

}  // namespace rag::test
