#include "tokenizer/models/sentence_piece_bpe.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace rag::core {
namespace {

constexpr std::string_view kMeta = "\xe2\x96\x81";  // U+2581, the beginning of a word
constexpr std::uint32_t kNone = 0xFFFFFFFFU;

// U+2581 behind another character.
bool crosses_words(std::string_view piece) {
    for (std::size_t at = piece.find(kMeta); at != std::string_view::npos; at = piece.find(kMeta, at + kMeta.size())) {
        if (at > 0 && !piece.substr(0, at).ends_with(kMeta)) return true;
    }
    return false;
}

Trie make_trie(const std::vector<ScoredPiece>& pieces) {
    std::vector<std::pair<std::string_view, std::int32_t>> keys;
    for (const ScoredPiece& piece : pieces) {
        if (piece.user_defined) keys.emplace_back(piece.text, piece.id);
    }
    return Trie(keys);
}

}  // namespace

SentencePieceBpe::SentencePieceBpe(Vocabulary vocabulary, const std::vector<ScoredPiece>& pieces, std::int32_t unk,
                                   bool byte_fallback)
    : vocabulary_(std::move(vocabulary)),
      scores_(static_cast<std::size_t>(vocabulary_.id_limit())),
      unused_(scores_.size()),
      user_defined_(make_trie(pieces)),
      unk_(unk),
      byte_fallback_(byte_fallback) {
    pieces_.reserve(pieces.size());
    for (const ScoredPiece& piece : pieces) {
        pieces_.add(piece.text, piece.id);
        scores_.at(static_cast<std::size_t>(piece.id)) = piece.score;
        unused_[static_cast<std::size_t>(piece.id)] = piece.unused;
        any_unused_ = any_unused_ || piece.unused;
        words_apart_ = words_apart_ && !crosses_words(piece.text);
    }
    // How an unused piece is taken apart depends on where in the whole text its like was put together last.
    words_apart_ = words_apart_ && !any_unused_;
    for (unsigned byte = 0; byte < byte_ids_.size(); ++byte)
        byte_ids_[byte] = vocabulary_.find_id(fmt::format("<0x{:02X}>", byte));
}

// One text, or one word of it, while its symbols are joined.
class SentencePieceBpe::Run {
  public:
    explicit Run(const SentencePieceBpe& model) : model_(model) {}

    void run(std::string_view text, std::uint32_t offset, std::vector<ModelToken>& out) {
        join_all(text);
        for (std::uint32_t i = 0; i != kNone && !symbols_.empty(); i = symbols_[i].next) emit(symbols_[i], offset, out);
    }

    /// Bytes of the left one of the two symbols that all of `text` is joined from; 0 if it is not, or of one character.
    std::uint32_t last_left(std::string_view text) {
        last_left_ = 0;
        join_all(text);
        return symbols_[0].size == text.size() ? last_left_ : 0;
    }

  private:
    void join_all(std::string_view text) {
        text_ = text;
        split();
        heap_.clear();
        parts_.clear();
        for (std::uint32_t i = 1; i < symbols_.size(); ++i) consider(i - 1, i);
        while (!heap_.empty()) {
            std::pop_heap(heap_.begin(), heap_.end(), later);
            const Pair pair = heap_.back();
            heap_.pop_back();
            join(pair);
        }
    }

    struct Symbol {
        std::uint32_t start, size;  // size 0: joined to the one before
        std::uint32_t previous, next;
        bool frozen;
    };
    struct Pair {
        float score;
        std::uint32_t left, right, size;
    };
    static bool later(const Pair& a, const Pair& b) { return a.score != b.score ? a.score < b.score : a.left > b.left; }

    std::string_view piece(std::uint32_t start, std::uint32_t size) const { return text_.substr(start, size); }

    void split() {
        symbols_.clear();
        for (std::uint32_t at = 0; at < text_.size();) {
            std::uint32_t size = 0;
            Trie::Node node = Trie::kRoot;
            for (std::uint32_t end = at; end < text_.size();) {
                node = model_.user_defined_.step(node, static_cast<unsigned char>(text_[end++]));
                if (node == Trie::kNone) break;
                if (model_.user_defined_.value(node) >= 0) size = end - at;
            }
            const bool frozen = size > 0;
            if (!frozen) size = decode_utf8(text_, at).length;
            const auto index = static_cast<std::uint32_t>(symbols_.size());
            symbols_.push_back({at, size, index == 0 ? kNone : index - 1, index + 1, frozen});
            at += size;
        }
        if (!symbols_.empty()) symbols_.back().next = kNone;
    }

    void consider(std::uint32_t left, std::uint32_t right) {
        if (left == kNone || right == kNone || symbols_[left].frozen || symbols_[right].frozen) return;
        const std::uint32_t size = symbols_[left].size + symbols_[right].size;
        const std::string_view joined = piece(symbols_[left].start, size);
        const std::int32_t id = model_.pieces_.find_id(joined);
        if (id < 0) return;
        heap_.push_back({model_.scores_[static_cast<std::size_t>(id)], left, right, size});
        std::push_heap(heap_.begin(), heap_.end(), later);
        if (model_.is_unused(id)) parts_[joined] = symbols_[left].size;
    }

    void join(const Pair& pair) {
        Symbol& left = symbols_[pair.left];
        Symbol& right = symbols_[pair.right];
        if (left.size == 0 || right.size == 0 || left.size + right.size != pair.size) return;  // no longer what they were
        last_left_ = left.size;
        left.size = pair.size;
        left.next = right.next;
        right.size = 0;
        if (left.next != kNone) symbols_[left.next].previous = pair.left;
        consider(left.previous, pair.left);
        consider(pair.left, left.next);
    }

    void emit(const Symbol& symbol, std::uint32_t offset, std::vector<ModelToken>& out) {
        pending_.assign(1, {symbol.start, symbol.start + symbol.size});
        while (!pending_.empty()) {
            const Span span = pending_.back();
            pending_.pop_back();
            const std::string_view text = piece(span.start, span.end - span.start);
            const std::int32_t id = model_.pieces_.find_id(text);
            const auto parts = id >= 0 && model_.is_unused(id) ? parts_.find(text) : parts_.end();
            if (parts == parts_.end()) {
                model_.append(text, {offset + span.start, offset + span.end}, out);
                continue;
            }
            pending_.push_back({span.start + parts->second, span.end});
            pending_.push_back({span.start, span.start + parts->second});
        }
    }

    const SentencePieceBpe& model_;
    std::string_view text_;
    std::vector<Symbol> symbols_;
    std::vector<Pair> heap_;
    std::vector<Span> pending_;
    std::uint32_t last_left_ = 0;                                // bytes of the left one of the latest join
    std::unordered_map<std::string_view, std::uint32_t> parts_;  // of unused pieces: how long the left one was
};

std::vector<Merge> SentencePieceBpe::used_merges() const {
    std::vector<Merge> out;
    Run run(*this);
    pieces_.for_each([&](std::string_view text, std::int32_t id) {
        const std::uint32_t cut = run.last_left(text);
        if (cut == 0) return;
        const std::int32_t left = pieces_.find_id(text.substr(0, cut));
        const std::int32_t right = pieces_.find_id(text.substr(cut));
        if (left < 0 || right < 0) {
            fail(Code::kUnsupported, "{} is joined from {} and {}, which are not both pieces", quote(text),
                 quote(text.substr(0, cut)), quote(text.substr(cut)));
        }
        out.push_back({left, right, id, 0});
    });
    const auto score = [&](const Merge& merge) { return scores_[static_cast<std::size_t>(merge.merged)]; };
    std::sort(out.begin(), out.end(), [&](const Merge& a, const Merge& b) { return score(a) > score(b); });
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i].rank = static_cast<std::uint32_t>(i);
        if (i == 0 || score(out[i - 1]) > score(out[i])) continue;
        fail(Code::kUnsupported, "{} and {} have one score, so that the leftmost comes first",
             quote(*id_to_token(out[i - 1].merged)), quote(*id_to_token(out[i].merged)));
    }
    return out;
}

void SentencePieceBpe::append(std::string_view piece, Span span, std::vector<ModelToken>& out) const {
    if (const std::int32_t id = pieces_.find_id(piece); id >= 0) {
        out.push_back({id, span});
    } else if (byte_fallback_) {
        for (const char byte : piece) out.push_back({byte_ids_[static_cast<unsigned char>(byte)], span});
    } else if (!out.empty() && out.back().id == unk_ && out.back().span.end == span.start) {
        out.back().span.end = span.end;
    } else {
        out.push_back({unk_, span});
    }
}

void SentencePieceBpe::tokenize(std::string_view text, std::span<const Span> pieces, std::vector<ModelToken>& out) const {
    Run run(*this);
    for (const Span& span : pieces) {
        const std::string_view whole = text.substr(span.start, span.end - span.start);
        std::size_t at = 0;
        while (at < whole.size()) {
            std::size_t end = whole.size();
            if (words_apart_) {  // up to the next U+2581 that another character precedes
                std::size_t first = at;
                while (whole.substr(first).starts_with(kMeta)) first += kMeta.size();
                end = std::min(whole.find(kMeta, first), whole.size());
            }
            run.run(whole.substr(at, end - at), span.start + static_cast<std::uint32_t>(at), out);
            at = end;
        }
    }
}

}  // namespace rag::core
