// Reading what tests/parity/make_tokenizer_goldens.py and make_tokenizer_fixtures.py wrote, and comparing a tokenizer with it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.hpp"

namespace goldens {

using Json = nlohmann::json;

/// Offsets in characters of `text`, flat, as Hugging Face gives them; a pair's second half counts in `pair`.
std::vector<std::int64_t> character_offsets(const rag::core::Encoding& encoding, std::string_view text, std::string_view pair);

/// What differs between `row` and what the tokenizer gives; empty: nothing.
std::string compare(const rag::core::Tokenizer& tokenizer, const Json& row);

/// The text of a row of a stage_ file: the code points first..last, each in its form.
std::string stage_text(char32_t first, char32_t last, const std::string& form);
/// CRC-32 over id, start and end of each token.
std::uint32_t stage_hash(const rag::core::Tokenizer& tokenizer, const std::string& text);

/// The lines of a JSON-lines file.
std::vector<Json> read_lines(const std::filesystem::path& file);

}  // namespace goldens
