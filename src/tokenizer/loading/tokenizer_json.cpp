#include "tokenizer/loading/tokenizer_json.hpp"

#include <simdjson.h>

#include <array>
#include <cmath>
#include <utility>

#include "core/json_reason.hpp"
#include "tokenizer/models/model.hpp"

namespace rag::core {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

// Takes everything nlohmann's parser says and keeps nothing but the error, which unlike simdjson's has a line and a column.
struct ErrorFinder : nlohmann::json_sax<Json> {
    std::string message;
    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(number_integer_t) override { return true; }
    bool number_unsigned(number_unsigned_t) override { return true; }
    bool number_float(number_float_t, const string_t&) override { return true; }
    bool string(string_t&) override { return true; }
    bool binary(binary_t&) override { return true; }
    bool start_object(std::size_t) override { return true; }
    bool key(string_t&) override { return true; }
    bool end_object() override { return true; }
    bool start_array(std::size_t) override { return true; }
    bool end_array() override { return true; }
    bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) override {
        message = error.what();
        return false;
    }
};

[[noreturn]] void refuse(std::string_view text, const std::string& name, simdjson::error_code reason) {
    if (reason == simdjson::MEMALLOC) fail(Code::kOutOfMemory, "{}: no memory for {} bytes of JSON", name, text.size());
    ErrorFinder finder;
    Json::sax_parse(text.begin(), text.end(), &finder);
    // What only simdjson refuses: more than 1024 levels, integers over 64 bits.
    if (finder.message.empty()) finder.message = simdjson::error_message(reason);
    fail(Code::kCorrupt, "{} is not JSON: {}", name, quote(json_reason(finder.message), 160));
}

// `simdjson` has checked how deep it goes.
Json to_json(const element& value) {  // NOLINT(misc-no-recursion)
    switch (value.type()) {
        case element_type::OBJECT: {
            Json out = Json::object();
            for (const auto field : simdjson::dom::object(value)) out[std::string(field.key)] = to_json(field.value);
            return out;
        }
        case element_type::ARRAY: {
            Json out = Json::array();
            for (const element item : simdjson::dom::array(value)) out.push_back(to_json(item));
            return out;
        }
        case element_type::STRING:
            return std::string(std::string_view(value));
        case element_type::INT64:
            return std::int64_t(value);
        case element_type::UINT64:
            return std::uint64_t(value);
        case element_type::DOUBLE:
            return double(value);
        case element_type::BOOL:
            return bool(value);
        case element_type::NULL_VALUE:
            return nullptr;
    }
    return nullptr;
}

}  // namespace

struct TokenizerJson::Parsed {
    simdjson::dom::parser parser;
    simdjson::dom::object tokens;
    simdjson::dom::array pieces, merges;
    bool has_tokens = false, has_pieces = false, has_merges = false;

    /// The model without its tables. Of equal keys the last counts, as in the rest of the file.
    Json read_model(const element& model) {
        has_tokens = has_pieces = has_merges = false;
        if (!model.is_object()) return to_json(model);
        Json out = Json::object();
        for (const auto field : simdjson::dom::object(model)) {
            if (field.key == "vocab") {
                has_tokens = field.value.is_object();
                has_pieces = field.value.is_array();
            }
            if (field.key == "merges") has_merges = field.value.is_array();
            if (field.key == "vocab" && has_tokens) {
                tokens = field.value;
            } else if (field.key == "vocab" && has_pieces) {
                pieces = field.value;
            } else if (field.key == "merges" && has_merges) {
                merges = field.value;
            } else {
                out[std::string(field.key)] = to_json(field.value);
                continue;
            }
            out.erase(std::string(field.key));
        }
        return out;
    }
};

TokenizerJson::TokenizerJson(const std::string& text, std::string name)
    : name_(std::move(name)), parsed_(std::make_unique<Parsed>()) {
    element root;
    if (const auto error = parsed_->parser.parse(text).get(root)) refuse(text, name_, error);
    if (!root.is_object()) {
        rest_ = to_json(root);
        return;
    }
    rest_ = Json::object();
    for (const auto field : simdjson::dom::object(root)) {
        const bool model = field.key == "model";
        rest_[std::string(field.key)] = model ? parsed_->read_model(field.value) : to_json(field.value);
    }
}

TokenizerJson::~TokenizerJson() = default;

bool TokenizerJson::has_tokens() const noexcept {
    return parsed_->has_tokens;
}
bool TokenizerJson::has_pieces() const noexcept {
    return parsed_->has_pieces;
}
bool TokenizerJson::has_merges() const noexcept {
    return parsed_->has_merges;
}
std::size_t TokenizerJson::token_count() const noexcept {
    return has_tokens() ? parsed_->tokens.size() : 0;
}
std::size_t TokenizerJson::piece_count() const noexcept {
    return has_pieces() ? parsed_->pieces.size() : 0;
}
std::size_t TokenizerJson::merge_count() const noexcept {
    return has_merges() ? parsed_->merges.size() : 0;
}

// Places in the table are all over memory: each token's is asked for some tokens ahead.
void TokenizerJson::add_tokens_to(Vocabulary& vocabulary) const {
    if (!has_tokens()) return;
    constexpr std::size_t kAhead = 16;  // a power of two
    std::array<std::uint32_t, kAhead> hashes{};
    auto ahead = parsed_->tokens.begin();
    const auto end = parsed_->tokens.end();
    std::size_t hashed = 0;
    const auto look_ahead = [&] {
        if (ahead == end) return;
        const std::uint32_t hash = hash_bytes(ahead.key());
        vocabulary.expect(hash);
        hashes[hashed++ % kAhead] = hash;
        ++ahead;
    };
    vocabulary.reserve(token_count());
    while (hashed < kAhead && ahead != end) look_ahead();
    std::size_t count = 0;
    for (auto token = parsed_->tokens.begin(); token != end; ++token, ++count) {
        const std::uint32_t hash = hashes[count % kAhead];
        look_ahead();
        std::int64_t id = -1;
        if (token.value().get(id) != simdjson::SUCCESS || id < 0 || id >= kMaxTokenId) {
            id = checked_integer(to_json(token.value()), 0, kMaxTokenId - 1, name_ + ".model.vocab");
        }
        vocabulary.add(token.key(), id, hash);
    }
}

void TokenizerJson::each_piece(const std::function<void(std::string_view, double)>& visit) const {
    if (!has_pieces()) return;
    const std::string where = name_ + ".model.vocab";
    std::size_t count = 0;
    for (const element entry : parsed_->pieces) {
        simdjson::dom::array pair;
        double score = 0;
        if (entry.get(pair) != simdjson::SUCCESS || pair.size() != 2 || pair.at(1).get(score) != simdjson::SUCCESS ||
            !std::isfinite(score)) {
            fail(Code::kCorrupt, "{}[{}]: expected a token and its score, found {}", where, count,
                 quote(to_json(entry).dump(-1, ' ', true, Json::error_handler_t::replace), 60));
        }
        std::string_view token;
        if (pair.at(0).get(token) != simdjson::SUCCESS) checked_text(to_json(*pair.begin()), where);
        visit(token, score);
        ++count;
    }
}

void TokenizerJson::each_merge(const std::function<void(std::string_view, std::string_view)>& visit) const {
    if (!has_merges()) return;
    std::size_t count = 0;
    const auto text_of = [&](const element& value) {
        std::string_view text;
        if (value.get(text) != simdjson::SUCCESS) checked_text(to_json(value), name_ + ".model.merges");
        return text;
    };
    for (const element entry : parsed_->merges) {
        if (simdjson::dom::array pair; entry.get(pair) == simdjson::SUCCESS && pair.size() == 2) {
            auto at = pair.begin();
            const std::string_view left = text_of(*at);
            ++at;
            visit(left, text_of(*at));
        } else {
            const std::string_view line = text_of(entry);
            const std::size_t space = line.find(' ');
            if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) {
                fail(Code::kCorrupt, "{}.model.merges: merge {} is {}, not two tokens with one space between", name_, count,
                     quote(line));
            }
            visit(line.substr(0, space), line.substr(space + 1));
        }
        ++count;
    }
}

}  // namespace rag::core
