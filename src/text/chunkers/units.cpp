#include "text/chunkers/units.hpp"

#include <algorithm>

#include "text/chunkers/lines.hpp"
#include "text/words.hpp"

namespace rag::core {
namespace {

bool continues_code_point(std::string_view text, std::size_t at) noexcept {
    return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;
}

class UnitCollector {
  public:
    UnitCollector(std::string_view text, SectionTable& sections, UnitKind kind, const ChunkOptions& options,
                  const TokenCounter& count)
        : text_(text), sections_(sections), kind_(kind), options_(options), count_(count) {}

    std::vector<Unit> run() {
        std::size_t at = 0;
        std::uint32_t inside = 0;
        const auto piece_until = [&](std::size_t stop) {
            if (stop > at) collect_piece({at, stop}, inside);
            at = std::max(at, stop);
        };
        for (std::uint32_t section = 1; section <= sections_.size(); ++section) {
            for (; inside != sections_.parent(section); inside = sections_.parent(inside)) piece_until(sections_.at(inside).stop);
            piece_until(sections_.at(section).start);
            inside = section;
        }
        for (; inside != 0; inside = sections_.parent(inside)) piece_until(sections_.at(inside).stop);
        piece_until(text_.size());
        for (const Unit& unit : units_) sections_.add_tokens(unit.section, unit.tokens);
        sections_.sum_tokens();
        return std::move(units_);
    }

  private:
    std::size_t tokens_of(Range range) const { return count_(text_.substr(range.start, range.end - range.start)); }

    /// A stretch that lies in one section and has no other in it.
    void collect_piece(Range piece, std::uint32_t section) {
        section_ = section;
        limit_ = limit_in(options_, sections_, section);
        const std::size_t first = units_.size();
        if (kind_ == UnitKind::kLines) {
            collect_lines(piece);
        } else if (kind_ == UnitKind::kWords) {
            const Range trimmed = trim_range(text_, piece);
            if (trimmed.start < trimmed.end) split_words(trimmed);
        } else {
            collect_sentences(piece);
        }
        if (first < units_.size()) units_[first].opens = Unit::kSection;
    }

    void collect_sentences(Range piece) {
        for (const Range& paragraph : split_paragraphs(text_.substr(piece.start, piece.end - piece.start))) {
            const std::size_t first = units_.size();
            const std::size_t base = piece.start + paragraph.start;
            for (Range sentence : split_sentences(text_.substr(base, paragraph.end - paragraph.start))) {
                sentence = {sentence.start + base, sentence.end + base};
                const std::size_t tokens = tokens_of(sentence);
                const std::size_t before = units_.size();
                // With overlap, units have to be small enough to be repeated.
                if (tokens <= limit_ && (options_.overlap_tokens == 0 || tokens <= options_.overlap_tokens)) {
                    units_.push_back({sentence, tokens, section_});
                } else {
                    split_words(sentence);
                }
                if (before < units_.size()) units_[before].opens = Unit::kSentence;
            }
            if (first < units_.size()) units_[first].opens = Unit::kParagraph;
        }
    }

    void collect_lines(Range piece) {
        bool after_blank = false;
        const std::string_view upto = text_.substr(0, piece.end);
        for (std::size_t at = piece.start; at < piece.end;) {
            const Line line = line_at(upto, at);
            at = line.next;
            const Range trimmed = trim_range(text_, {line.start, line.end});
            if (trimmed.start >= trimmed.end) {
                after_blank = true;
                continue;
            }
            const std::size_t first = units_.size();
            const Range whole{line.start, trimmed.end};
            const std::size_t tokens = tokens_of(whole);
            if (tokens <= limit_) {
                units_.push_back({whole, tokens, section_});
            } else {
                split_words(trimmed);
            }
            if (first < units_.size()) units_[first].opens = after_blank ? Unit::kParagraph : Unit::kSentence;
            after_blank = false;
        }
    }

    /// Every word, with the signs around it, becomes a unit.
    void split_words(Range sentence) {
        segment_words(text_.substr(sentence.start, sentence.end - sentence.start), words_);
        std::size_t start = sentence.start;
        for (std::size_t i = 0; i < words_.size(); ++i) {
            // Closing signs stay with the word before them: the cut is at the first white space after it, if there is any.
            std::size_t end = i + 1 < words_.size() ? sentence.start + words_[i + 1].start : sentence.end;
            const std::size_t space = text_.substr(0, end).find_first_of(" \t\r\n", sentence.start + words_[i].end);
            if (i + 1 < words_.size() && space != std::string_view::npos) end = space;
            add_word(trim_range(text_, {start, end}));
            start = end;
        }
        add_word(trim_range(text_, {start, sentence.end}));
    }

    void add_word(Range word) {
        if (word.start >= word.end) return;
        const std::size_t tokens = tokens_of(word);
        if (tokens <= limit_) {
            units_.push_back({word, tokens, section_});
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
        if (tokens <= limit_ || middle >= word.end) {
            units_.push_back({word, tokens, section_});
            return;
        }
        for (const Range half : {Range{word.start, middle}, Range{middle, word.end}}) {
            const Range trimmed = trim_range(text_, half);
            if (trimmed.start < trimmed.end) split_code_points(trimmed, tokens_of(trimmed));
        }
    }

    std::string_view text_;
    SectionTable& sections_;
    UnitKind kind_;
    const ChunkOptions& options_;
    const TokenCounter& count_;
    std::uint32_t section_ = 0;
    std::size_t limit_ = 0;  // in section_
    std::vector<Unit> units_;
    std::vector<Word> words_;
};

}  // namespace

std::size_t limit_in(const ChunkOptions& options, const SectionTable& sections, std::uint32_t section) {
    if (!options.limit) return options.max_tokens;
    return std::clamp<std::size_t>(options.limit(sections.path(section)), 1, options.max_tokens);
}

std::vector<Unit> collect_units(std::string_view text, SectionTable& sections, UnitKind kind, const ChunkOptions& options,
                                const TokenCounter& count) {
    return UnitCollector(text, sections, kind, options, count).run();
}

}  // namespace rag::core
