#include "text/text_kind.hpp"

#include <array>

#include "core/error.hpp"

namespace rag::core {

std::string_view name_of(TextKind kind) noexcept {
    constexpr std::array<std::string_view, kTextKinds> kNames = {"text", "markdown",      "rst",       "html",
                                                                 "code", "code-indented", "code-shell"};
    return kNames[static_cast<std::size_t>(kind)];
}

TextKind text_kind_of(std::uint32_t number) {
    if (number >= kTextKinds) fail(Code::kInvalidArgument, "the kind of text is {}, it must be 0 to {}", number, kTextKinds - 1);
    return static_cast<TextKind>(number);
}

}  // namespace rag::core
