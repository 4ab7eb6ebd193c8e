#include "goldens.hpp"

#include <fmt/format.h>

#include <fstream>
#include <map>
#include <span>

#include "core/utf8.hpp"

namespace goldens {
namespace {

using rag::core::Encoding;
using rag::core::Tokenizer;

// For each byte of a text the character it belongs to, and one more entry for the end.
std::vector<std::int64_t> characters_of(std::string_view text) {
    std::vector<std::int64_t> out(text.size() + 1);
    std::int64_t count = -1;
    for (std::size_t i = 0; i < text.size(); ++i) out[i] = count += (static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U;
    out[text.size()] = count + 1;
    return out;
}

template <typename Range>
std::string differs(const char* what, const Range& ours, const Json& theirs) {
    const Json mine = std::vector(ours.begin(), ours.end());
    if (mine == theirs) return {};
    const auto show = [](const Json& json) { return json.dump(-1, ' ', true, Json::error_handler_t::replace).substr(0, 600); };
    return fmt::format("{}: ours {}, theirs {}", what, show(mine), show(theirs));
}

std::string differs(const char* what, const std::string& ours, const Json& theirs) {
    return theirs == ours ? std::string() : differs(what, std::vector{ours}, Json::array({theirs}));
}

// The decoded text one id at a time; every part must be whole characters.
std::string decode_stream(const Tokenizer& tokenizer, std::span<const std::int32_t> ids, bool& whole) {
    rag::core::StreamDecoder decoder(tokenizer, true);
    std::string out;
    whole = true;
    const auto take = [&](const std::string& part) {
        whole = whole && rag::core::find_invalid_utf8(part) == std::string_view::npos;
        out += part;
    };
    for (const std::int32_t id : ids) take(decoder.push(id));
    take(decoder.finish());
    return out;
}

std::string compare_decoding(const Tokenizer& tokenizer, const Json& row, std::span<const std::int32_t> ids) {
    std::string found = differs("decoded", tokenizer.decode(ids, true), row.at("decoded"));
    if (found.empty()) found = differs("decoded_all", tokenizer.decode(ids, false), row.at("decoded_all"));
    if (!found.empty()) return found;
    bool whole = false;
    const std::string streamed = decode_stream(tokenizer, ids, whole);
    if (!whole) return "the stream gave half a character";
    return differs("streamed", streamed, row.at("decoded"));
}

}  // namespace

std::vector<std::int64_t> character_offsets(const Encoding& encoding, std::string_view text, std::string_view pair) {
    const std::vector<std::int64_t> first = characters_of(text), second = characters_of(pair);
    std::vector<std::int64_t> out;
    for (std::size_t i = 0; i < encoding.size(); ++i) {
        const auto [start, end] = encoding.offsets[i];
        const auto& map = encoding.sequence_ids[i] == 1 ? second : first;
        out.push_back(start < map.size() ? map[start] : -1);
        out.push_back(end < map.size() ? map[end] : -1);
    }
    return out;
}

std::string compare(const Tokenizer& tokenizer, const Json& row) {
    const std::string text = row.at("text");
    const std::string pair = row.value("pair", std::string());
    const bool special = row.value("special", true);
    const auto encoding =
        row.contains("pair") ? tokenizer.encode(text, pair, special) : tokenizer.encode(text, std::nullopt, special);
    std::string found = differs("ids", encoding.ids, row.at("ids"));
    if (found.empty() && !row.contains("pair"))
        found = differs("offsets", character_offsets(encoding, text, pair), row.at("offsets"));
    if (found.empty()) found = differs("tokens", tokenizer.tokens(encoding), row.at("tokens"));
    if (found.empty()) found = differs("type_ids", encoding.type_ids, row.at("type_ids"));
    if (found.empty()) found = differs("mask", encoding.attention_mask, row.at("mask"));
    if (found.empty()) found = differs("special_mask", encoding.special_tokens_mask, row.at("special_mask"));
    if (found.empty()) found = compare_decoding(tokenizer, row, encoding.ids);
    return found;
}

std::string stage_text(char32_t first, char32_t last, const std::string& form) {
    static const std::map<std::string, std::string> kForms = {
        {"alone", "{}"}, {"between", "a{}a "}, {"added", "{}<w>{} "}, {"word", "a{}<w>{}a "}};
    const std::string& pattern = kForms.at(form);
    std::string out;
    for (char32_t value = first; value <= last; ++value) {
        if (value >= 0xD800 && value < 0xE000) continue;
        for (std::size_t at = 0; at < pattern.size(); ++at) {
            if (pattern[at] == '{') {
                rag::core::append_utf8(out, value);
                ++at;
            } else {
                out += pattern[at];
            }
        }
    }
    return out;
}

std::uint32_t stage_hash(const Tokenizer& tokenizer, const std::string& text) {
    const Encoding encoding = tokenizer.encode(text, std::nullopt, false);
    const std::vector<std::int64_t> offsets = character_offsets(encoding, text, {});
    std::uint32_t state = 0xFFFFFFFFU;
    const auto mix = [&](std::int64_t value) {
        for (unsigned byte = 0; byte < 4; ++byte) {
            state ^= static_cast<std::uint32_t>(value >> (8 * byte)) & 0xFFU;
            for (int bit = 0; bit < 8; ++bit) state = (state >> 1) ^ ((state & 1U) != 0 ? 0xEDB88320U : 0U);
        }
    };
    for (std::size_t i = 0; i < encoding.size(); ++i) {
        mix(encoding.ids[i]);
        mix(offsets[2 * i]);
        mix(offsets[2 * i + 1]);
    }
    return ~state;
}

std::vector<Json> read_lines(const std::filesystem::path& file) {
    std::ifstream stream(file);
    std::vector<Json> out;
    for (std::string line; std::getline(stream, line);) out.push_back(Json::parse(line));
    return out;
}

}  // namespace goldens
