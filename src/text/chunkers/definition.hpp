// What stands before an opening brace, and whether that defines something that has a name. For languages of C's family and for
// shells; a guess by words, as ctags makes it. Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rag::core {

struct Definition {
    enum Kind : std::uint8_t {
        kNone,
        kContainer,  // holds further definitions
        kFunction,
        kInitializer  // the brace sets a member in the head of a constructor: "Name(int a) : a_{a} {"
    } kind = kNone;
    std::string name;  // may be empty for a container: extern "C", an unnamed namespace
};

inline constexpr std::size_t kMaxDefinitionBytes = 4096;  // a longer head defines nothing

/// `head`: the code between the end of the statement before and the brace, without comments and strings.
Definition definition_of(std::string_view head);

}  // namespace rag::core
