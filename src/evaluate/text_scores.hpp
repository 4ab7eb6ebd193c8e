// An answer against reference answers, as reading-comprehension sets score it: exact match and token F1 after normalising
// (SQuAD 1.1's evaluation script: lower case, no punctuation, no articles, single spaces). For Chinese and Japanese each
// character is a token, as CMRC 2018's script has it. English text scores as SQuAD's script scores it. Pure; any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rag::core {

/// Tokens that are compared. `text` is UTF-8; ill-formed bytes become U+FFFD.
std::vector<std::string> answer_tokens(std::string_view text);

/// 1 if the tokens equal those of a reference, else 0. kInvalidArgument without references.
double exact_match(std::string_view answer, std::span<const std::string_view> references);
/// The best F1 of the bags of tokens over the references. Both empty: 1. kInvalidArgument without references.
double token_f1(std::string_view answer, std::span<const std::string_view> references);

/// F1 of `matches` among `found` and `wanted`; 0 where nothing matches.
double f_measure(double matches, double found, double wanted);

}  // namespace rag::core
