#include "text/chunk.hpp"

#include <cstdint>

#include "core/error.hpp"
#include "text/words.hpp"

namespace rag::core {
namespace {

/// A stretch that is not cut further: a sentence, or, of a sentence longer than a chunk, a word with what follows it.
struct Unit {
    Range range;
    std::size_t tokens = 0;
    enum Opens : std::uint8_t { kNothing, kSentence, kParagraph } opens = kNothing;
};

bool continues_code_point(std::string_view text, std::size_t at) noexcept {
    return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;
}

/// A place in the chunk being filled where a sentence or paragraph begins, and the tokens before it; at 0: none.
struct Cut {
    std::size_t at = 0;
    std::size_t tokens = 0;
};

class Chunker {
  public:
    Chunker(std::string_view text, const ChunkOptions& options, const TokenCounter& count)
        : text_(text), options_(options), count_(count) {}

    std::vector<Range> run() {
        collect_units();
        for (std::size_t first = 0; first < units_.size();) {
            const std::size_t last = fill(first);
            give(first, last);
            if (last == units_.size()) break;
            first = overlap_start(first, last);
        }
        return std::move(chunks_);
    }

  private:
    std::size_t tokens_of(Range range) const { return count_(text_.substr(range.start, range.end - range.start)); }

    void collect_units() {
        std::vector<Word> words;
        for (const Range& paragraph : split_paragraphs(text_)) {
            const std::size_t first = units_.size();
            for (Range sentence : split_sentences(text_.substr(paragraph.start, paragraph.end - paragraph.start))) {
                sentence = {sentence.start + paragraph.start, sentence.end + paragraph.start};
                const std::size_t tokens = tokens_of(sentence);
                const std::size_t before = units_.size();
                // With overlap, units have to be small enough to be repeated.
                if (tokens <= options_.max_tokens && (options_.overlap_tokens == 0 || tokens <= options_.overlap_tokens)) {
                    units_.push_back({sentence, tokens});
                } else {
                    split_words(sentence, words);
                }
                if (before < units_.size()) units_[before].opens = Unit::kSentence;
            }
            if (first < units_.size()) units_[first].opens = Unit::kParagraph;
        }
    }

    /// Every word, with the signs around it, becomes a unit.
    void split_words(Range sentence, std::vector<Word>& words) {
        segment_words(text_.substr(sentence.start, sentence.end - sentence.start), words);
        std::size_t start = sentence.start;
        for (std::size_t i = 0; i < words.size(); ++i) {
            // Closing signs stay with the word before them: the cut is at the first white space after it, if there is any.
            std::size_t end = i + 1 < words.size() ? sentence.start + words[i + 1].start : sentence.end;
            const std::size_t space = text_.substr(0, end).find_first_of(" \t\r\n", sentence.start + words[i].end);
            if (i + 1 < words.size() && space != std::string_view::npos) end = space;
            add_word(trim_range(text_, {start, end}));
            start = end;
        }
        add_word(trim_range(text_, {start, sentence.end}));
    }

    void add_word(Range word) {
        if (word.start >= word.end) return;
        const std::size_t tokens = tokens_of(word);
        if (tokens <= options_.max_tokens) {
            units_.push_back({word, tokens});
        } else {
            split_code_points(word, tokens);
        }
    }

    /// A word longer than a chunk: halved until its parts fit. Each level counts the whole word once.
    void split_code_points(Range word, std::size_t tokens) {
        std::size_t middle = word.start + (word.end - word.start) / 2;
        while (middle > word.start && continues_code_point(text_, middle)) --middle;
        if (middle == word.start) {
            middle = word.start + 1;
            while (middle < word.end && continues_code_point(text_, middle)) ++middle;
        }
        if (tokens <= options_.max_tokens || middle >= word.end) {
            units_.push_back({word, tokens});
            return;
        }
        for (const Range half : {Range{word.start, middle}, Range{middle, word.end}}) {
            const Range trimmed = trim_range(text_, half);
            if (trimmed.start < trimmed.end) split_code_points(trimmed, tokens_of(trimmed));
        }
    }

    /// One past the last unit of the chunk that begins with `first`, by the sum of the units' tokens.
    std::size_t fill(std::size_t first) const {
        std::size_t tokens = units_[first].tokens;
        std::size_t last = first + 1;
        Cut sentence;
        Cut paragraph;
        for (; last < units_.size() && tokens + units_[last].tokens <= options_.max_tokens; ++last) {
            if (units_[last].opens >= Unit::kSentence) sentence = {last, tokens};
            if (units_[last].opens == Unit::kParagraph) paragraph = {last, tokens};
            tokens += units_[last].tokens;
        }
        if (last == units_.size() || units_[last].opens == Unit::kParagraph) return last;
        // A paragraph or sentence that would be cut moves to the next chunk, if it fits there whole; a paragraph only if this
        // chunk stays at least half full.
        if (paragraph.tokens * 2 >= options_.max_tokens && fits_whole(paragraph, Unit::kParagraph)) return paragraph.at;
        if (units_[last].opens == Unit::kNothing && fits_whole(sentence, Unit::kSentence)) return sentence.at;
        return last;
    }

    bool fits_whole(Cut cut, Unit::Opens next) const {
        if (cut.at <= min_last_) return false;
        std::size_t size = units_[cut.at].tokens;
        for (std::size_t i = cut.at + 1; i < units_.size() && units_[i].opens < next && size <= options_.max_tokens; ++i) {
            size += units_[i].tokens;
        }
        return size <= options_.max_tokens;
    }

    /// Emits units [first, last) as one chunk. Tokens of a whole can exceed the sum of its parts' (signs between them, merges
    /// that a cut prevents); then the overlap is given up, and if that is not enough, the chunk is halved.
    void give(std::size_t first, std::size_t last) {
        const Range range{units_[first].range.start, units_[last - 1].range.end};
        if (last - first > 1 && tokens_of(range) > options_.max_tokens) {
            const std::size_t middle = first + (last - first) / 2;
            if (first < min_last_) {
                give(min_last_, last);
            } else {
                give(first, middle);
                give(middle, last);
            }
        } else {
            chunks_.push_back(range);
        }
        min_last_ = last;
    }

    /// First unit of the next chunk: so many units of this one again as fit into the overlap, but progress in any case.
    std::size_t overlap_start(std::size_t first, std::size_t last) const {
        std::size_t start = last;
        std::size_t tokens = 0;
        if (options_.overlap_tokens == 0) return last;  // a unit of signs alone may have no tokens
        while (start > first + 1 && tokens + units_[start - 1].tokens <= options_.overlap_tokens &&
               tokens + units_[start - 1].tokens + units_[last].tokens <= options_.max_tokens) {
            tokens += units_[--start].tokens;
        }
        return start;
    }

    std::string_view text_;
    const ChunkOptions& options_;
    const TokenCounter& count_;
    std::vector<Unit> units_;
    std::vector<Range> chunks_;
    std::size_t min_last_ = 0;  // units before it are in a chunk already
};

}  // namespace

std::vector<Range> chunk_text(std::string_view text, const ChunkOptions& options, const TokenCounter& count) {
    if (options.max_tokens == 0) fail(Code::kInvalidArgument, "max_tokens is 0; a chunk holds at least one token");
    if (options.overlap_tokens >= options.max_tokens) {
        fail(Code::kInvalidArgument, "overlap_tokens is {}; it must be less than max_tokens, {}", options.overlap_tokens,
             options.max_tokens);
    }
    return Chunker(text, options, count).run();
}

}  // namespace rag::core
