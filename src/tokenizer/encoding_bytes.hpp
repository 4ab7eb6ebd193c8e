// An encoding as bytes and back, for another process or a file: all that is seen of it, the texts of its tokens and what
// overflows included, so that it needs no tokenizer. Layout, little-endian: "RAGE", u32 version, then the encoding: u32 count of
// tokens; i32 ids; u32 pairs of offsets; u32 type ids; u8 attention mask; u8 special-tokens mask; i8 sequence ids; i32 words; for
// each token u32 bytes and its text; u32 count of overflowing encodings, and these. Bytes from outside are not trusted. Pure
// functions.
#pragma once

#include <string>
#include <string_view>

#include "tokenizer/tokenizer.hpp"

namespace rag::core {

/// `encoding.texts` has the text of every token, of all that overflows too.
std::string encoding_to_bytes(const OverflowingEncoding& encoding);
/// Throws kCorrupt for bytes that are cut short, too long, or say what no encoding has; kVersion for those of a newer librag.
/// Reads no more than 8 levels of overflowing encodings; there are two.
OverflowingEncoding encoding_from_bytes(std::string_view bytes);

}  // namespace rag::core
