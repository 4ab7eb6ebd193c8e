// Where the tokens of a text go while Tokenizer::State::run() finds them: into an encoding, into a list of ids, or into a count.
// Each has added(token, place, matched text) and tokens(tokens, pieces, normalized text), called in the order of the text.
// Objects of one call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/added_tokens.hpp"
#include "tokenizer/encoding.hpp"
#include "tokenizer/models/model.hpp"
#include "tokenizer/normalized_text.hpp"

namespace rag::core {

/// Fills ids, offsets, words and texts of an encoding.
class EncodingSink {
  public:
    /// What is known of every text of a tokenizer.
    struct Rules {
        std::int32_t read_as_text;                                     // TokenModel::id_read_as_text()
        const std::unordered_map<std::int32_t, std::string>& renamed;  // ids that read otherwise than their added token
    };
    /// `out` is empty. `before` goes in front of the tokens (nullptr: nothing does), and there will be room for `behind` more.
    EncodingSink(Encoding& out, const Rules& rules, const Encoding* before, std::size_t behind)
        : out_(out), rules_(rules), before_(before), behind_(behind) {}

    void added(const AddedToken& token, Alignment place, std::string_view matched) {
        begin(1);
        if (matched != token.text) out_.texts.emplace_back(out_.size(), matched);
        out_.ids.push_back(token.id);
        out_.offsets.push_back({place.start, place.end});
        out_.words.push_back(words_++);
    }
    void tokens(const std::vector<ModelToken>& list, const std::vector<Span>& pieces, const NormalizedText& text);
    /// Behind the last call.
    void finish() { begin(0); }

  private:
    void begin(std::size_t tokens) {
        if (begun_) return;
        begun_ = true;
        const std::size_t before = before_ == nullptr ? 0 : before_->size();
        out_.reserve(before + tokens + behind_);
        if (before_ != nullptr) out_.append(*before_);
    }
    void add_texts(const std::vector<ModelToken>& list, std::size_t first, std::string_view text);

    Encoding& out_;
    Rules rules_;
    const Encoding* before_;
    std::size_t behind_;
    bool begun_ = false;
    std::int32_t words_ = 0;  // pieces so far
};

struct IdSink {
    std::vector<std::int32_t>& out;
    void added(const AddedToken& token, Alignment, std::string_view) { out.push_back(token.id); }
    void tokens(const std::vector<ModelToken>& list, const std::vector<Span>&, const NormalizedText&) {
        for (const ModelToken& token : list) out.push_back(token.id);
    }
};

struct CountSink {
    std::size_t count = 0;
    void added(const AddedToken&, Alignment, std::string_view) { ++count; }
    void tokens(const std::vector<ModelToken>& list, const std::vector<Span>&, const NormalizedText&) { count += list.size(); }
};

}  // namespace rag::core
