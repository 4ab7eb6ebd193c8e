#include "text/chunk.hpp"

#include "core/error.hpp"
#include "text/chunkers/outline.hpp"
#include "text/chunkers/packer.hpp"
#include "text/chunkers/section_table.hpp"
#include "text/chunkers/units.hpp"

namespace rag::core {
namespace {

bool is_code(TextKind kind) noexcept {
    return kind == TextKind::kCode || kind == TextKind::kCodeIndented || kind == TextKind::kCodeShell;
}

/// Sections still give the headings of chunks that do not respect them.
void open_no_sections(std::vector<Unit>& units, Unit::Opens instead) noexcept {
    for (Unit& unit : units) {
        if (unit.opens == Unit::kSection) unit.opens = instead;
    }
}

}  // namespace

ChunkerKind chunker_of(std::uint32_t number) {
    if (number >= kChunkerKinds) fail(Code::kInvalidArgument, "the chunker is {}, it must be 0 to {}", number, kChunkerKinds - 1);
    return static_cast<ChunkerKind>(number);
}

std::vector<Chunk> chunk_text(std::string_view text, TextKind kind, const ChunkOptions& options, const TokenCounter& count) {
    if (options.max_tokens == 0) fail(Code::kInvalidArgument, "max_tokens is 0; a chunk holds at least one token");
    if (options.overlap_tokens >= options.max_tokens) {
        fail(Code::kInvalidArgument, "overlap_tokens is {}; it must be less than max_tokens, {}", options.overlap_tokens,
             options.max_tokens);
    }
    SectionTable sections(outline_of(text, kind));
    UnitKind units_wanted = UnitKind::kSentences;
    if (options.chunker == ChunkerKind::kTokens) {
        units_wanted = UnitKind::kWords;
    } else if (options.chunker == ChunkerKind::kAuto && is_code(kind)) {
        units_wanted = UnitKind::kLines;
    }
    std::vector<Unit> units = collect_units(text, sections, units_wanted, options, count);
    if (options.chunker == ChunkerKind::kTokens) open_no_sections(units, Unit::kNothing);
    if (options.chunker == ChunkerKind::kSentences) open_no_sections(units, Unit::kParagraph);
    return pack_units(text, units, sections, options, count);
}

}  // namespace rag::core
