#include "text/chunkers/packer.hpp"

#include <algorithm>

namespace rag::core {
namespace {

// A section of less than a quarter of a chunk joins its neighbours: alone it says too little to be found. What is shorter than
// an eighth is the head of what follows (a title over subtitles, the opening line of a class).
constexpr std::size_t kSmallShare = 4;
constexpr std::size_t kHeadShare = 8;

/// A place in the chunk being filled where a sentence or paragraph begins, and the tokens before it; at 0: none.
struct Cut {
    std::size_t at = 0;
    std::size_t tokens = 0;
};

class Packer {
  public:
    Packer(std::string_view text, const std::vector<Unit>& units, const SectionTable& sections, const ChunkOptions& options,
           const TokenCounter& count)
        : text_(text), units_(units), sections_(sections), options_(options), count_(count) {}

    std::vector<Chunk> run() {
        for (std::size_t first = 0; first < units_.size();) {
            set_limit(units_[first].section);
            const std::size_t last = fill(first);
            give(first, last);
            if (last == units_.size()) break;
            first = overlap_start(first, last);
        }
        return std::move(chunks_);
    }

  private:
    std::size_t tokens_of(Range range) const { return count_(text_.substr(range.start, range.end - range.start)); }

    /// Headings of what a chunk begins with: those of all of it are no more.
    void set_limit(std::uint32_t section) {
        if (section == limit_section_) return;
        limit_section_ = section;
        limit_ = limit_in(options_, sections_, section);
    }

    /// One past the last unit of the chunk that begins with `first`, by the sum of the units' tokens.
    std::size_t fill(std::size_t first) const {
        std::size_t tokens = units_[first].tokens;
        std::size_t last = first + 1;
        Cut sentence;
        Cut paragraph;
        for (; last < units_.size() && tokens + units_[last].tokens <= limit_; ++last) {
            const Unit& unit = units_[last];
            if (unit.opens == Unit::kSection && !joins(units_[first], tokens, last)) return last;
            if (unit.opens >= Unit::kSentence) sentence = {last, tokens};
            if (unit.opens >= Unit::kParagraph) paragraph = {last, tokens};
            tokens += unit.tokens;
        }
        if (last == units_.size() || units_[last].opens >= Unit::kParagraph) return last;
        // A paragraph or sentence that would be cut moves to the next chunk, if it fits there whole; a paragraph only if this
        // chunk stays at least half full.
        if (paragraph.tokens * 2 >= limit_ && fits_whole(paragraph, Unit::kParagraph)) return paragraph.at;
        if (units_[last].opens == Unit::kNothing && fits_whole(sentence, Unit::kSentence)) return sentence.at;
        return last;
    }

    /// Whether a chunk of so many tokens that began with `first` goes on with the stretch that begins with unit `next`.
    bool joins(const Unit& first, std::size_t tokens, std::size_t next) const {
        const std::uint32_t section = units_[next].section;
        const std::uint32_t around = sections_.common(first.section, section);
        // What goes on behind a section in the one around it, such as statements between functions.
        if (around == section) return tokens * kSmallShare < limit_;
        if (around == first.section && tokens * kHeadShare < limit_) return true;
        // The rest of a long section does not take others in: it would lose its heading.
        if (first.opens != Unit::kSection || sections_.depth(section) < sections_.depth(first.section)) return false;
        const std::size_t size = sections_.tokens(section);
        return std::min(tokens, size) * kSmallShare < limit_ && tokens + size <= limit_;
    }

    bool fits_whole(Cut cut, Unit::Opens next) const {
        if (cut.at <= min_last_) return false;
        std::size_t size = units_[cut.at].tokens;
        for (std::size_t i = cut.at + 1; i < units_.size() && units_[i].opens < next && size <= limit_; ++i) {
            size += units_[i].tokens;
        }
        return size <= limit_;
    }

    /// Emits units [first, last) as one chunk. Tokens of a whole can exceed the sum of its parts' (signs between them, merges
    /// that a cut prevents); then the overlap is given up, and if that is not enough, the chunk is halved.
    void give(std::size_t first, std::size_t last) {
        const Range range{units_[first].range.start, units_[last - 1].range.end};
        if (last - first > 1 && tokens_of(range) > limit_) {
            const std::size_t middle = first + (last - first) / 2;
            if (first < min_last_) {
                give(min_last_, last);
            } else {
                give(first, middle);
                give(middle, last);
            }
        } else {
            emit(range, first, last);
        }
        min_last_ = last;
    }

    void emit(Range range, std::size_t first, std::size_t last) {
        std::uint32_t section = units_[first].section;
        for (std::size_t i = first + 1; i < last; ++i) section = sections_.common(section, units_[i].section);
        Chunk chunk{range.start, range.end, range.start, range.end, sections_.path(section)};
        const Range inner = trim_range(text_, range);
        for (; section != 0; section = sections_.parent(section)) {
            const Range all = trim_range(text_, {sections_.at(section).start, sections_.at(section).stop});
            if (all.start == inner.start && all.end == inner.end) continue;
            chunk.parent_start = std::min(sections_.at(section).start, range.start);  // with the indentation of code
            chunk.parent_stop = all.end;
            break;
        }
        chunks_.push_back(std::move(chunk));
    }

    /// First unit of the next chunk: so many units of this one again as fit into the overlap, but progress in any case. Nothing
    /// of another section is repeated.
    std::size_t overlap_start(std::size_t first, std::size_t last) {
        std::size_t start = last;
        std::size_t tokens = 0;
        // A unit of signs alone may have no tokens.
        if (options_.overlap_tokens == 0 || units_[last].opens == Unit::kSection) return last;
        set_limit(units_[last].section);
        while (start > first + 1 && units_[start - 1].section == units_[last].section &&
               tokens + units_[start - 1].tokens <= options_.overlap_tokens &&
               tokens + units_[start - 1].tokens + units_[last].tokens <= limit_) {
            tokens += units_[--start].tokens;
            if (units_[start].opens == Unit::kSection) break;
        }
        return start;
    }

    std::string_view text_;
    const std::vector<Unit>& units_;
    const SectionTable& sections_;
    const ChunkOptions& options_;
    const TokenCounter& count_;
    std::vector<Chunk> chunks_;
    std::size_t min_last_ = 0;  // units before it are in a chunk already
    std::size_t limit_ = 0;
    std::uint32_t limit_section_ = static_cast<std::uint32_t>(-1);
};

}  // namespace

std::vector<Chunk> pack_units(std::string_view text, const std::vector<Unit>& units, const SectionTable& sections,
                              const ChunkOptions& options, const TokenCounter& count) {
    return Packer(text, units, sections, options, count).run();
}

}  // namespace rag::core
