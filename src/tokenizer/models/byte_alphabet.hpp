// The alphabet in which byte-level vocabularies are written: every byte has a printable character (Radford et al. 2019,
// bytes_to_unicode of the published code). Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rag::core {

/// The character of a byte.
char32_t alphabet_character(unsigned char byte) noexcept;
/// The bytes that `token` stands for; nullopt if a character of it is outside the alphabet.
std::optional<std::string> alphabet_to_bytes(std::string_view token);
/// The same, appended to `out`; false and nothing appended where it is nullopt.
bool append_bytes(std::string& out, std::string_view token);
/// Appends `bytes` written in the alphabet.
void append_alphabet(std::string& out, std::string_view bytes);

}  // namespace rag::core
