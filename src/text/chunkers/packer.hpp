// Units into chunks: as many as fit, ended where the text offers it. Linear time. Thread-safe as far as the counter is.
#pragma once

#include <string_view>
#include <vector>

#include "text/chunk.hpp"
#include "text/chunkers/section_table.hpp"
#include "text/chunkers/units.hpp"

namespace rag::core {

/// Where a chunk ends, in this order: at the end of the text; before a section, unless that one is small or this chunk is, and
/// both fit into one; before a paragraph, if this chunk stays half full and the paragraph fits whole into the next; before a
/// sentence that fits whole into the next; before what does not fit any more.
std::vector<Chunk> pack_units(std::string_view text, const std::vector<Unit>& units, const SectionTable& sections,
                              const ChunkOptions& options, const TokenCounter& count);

}  // namespace rag::core
