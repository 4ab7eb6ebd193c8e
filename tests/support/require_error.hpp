// One way to ask for an Error in a test: its code, and the values that its text must name.
#pragma once

#include <catch2/catch.hpp>
#include <initializer_list>
#include <string>

#include "core/error.hpp"

namespace rag::test {

/// Runs `call` and requires an Error of `code` whose text holds every one of `parts`.
template <typename Call>
void require_error(core::Code code, std::initializer_list<std::string> parts, Call&& call) {
    try {
        call();
    } catch (const core::Error& error) {
        INFO(error.what());
        CHECK(error.code() == code);
        for (const std::string& part : parts) CHECK_THAT(error.what(), Catch::Matchers::Contains(part));
        return;
    }
    FAIL("no error was thrown");
}

}  // namespace rag::test
