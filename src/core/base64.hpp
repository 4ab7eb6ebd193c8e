// Base64 (RFC 4648, section 4), as text files hold bytes: tokenizers, exported vectors. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rag::core {

/// The bytes; nullopt for characters outside the alphabet, wrong padding, or bits that are left over.
std::optional<std::string> decode_base64(std::string_view text);
std::string encode_base64(std::string_view bytes);

}  // namespace rag::core
