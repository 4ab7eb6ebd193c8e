// Which encoding the bytes of a text are in, and from there to UTF-8, strictly and in a stream: what cannot be decoded is an
// error that names the byte. UTF-8 is decoded here, everything else by ICU's converters. A Decoder is used by one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace rag::core {

/// How much of the start decides about the encoding.
inline constexpr std::size_t kEncodingHeadBytes = std::size_t{1} << 20;

struct DetectedEncoding {
    std::string name;           // one of ICU's, "UTF-8" for UTF-8; empty: not clear
    std::size_t mark_size = 0;  // bytes of a byte order mark, which are no text
    std::string guess;          // where it is not clear: what it may be, or empty
};

/// In this order: a byte order mark (UTF-8, UTF-16, UTF-32); UTF-8 with characters beyond ASCII; `declared`, what the text says
/// about itself (or empty); plain ASCII, which is UTF-8; GB18030 where ICU's detector is sure of it (of 300 Chinese texts of 100
/// characters it is of all; of other multi-byte encodings it is sure of the wrong one too often to be believed). `head`: the
/// first bytes; `whole`: there are no more.
DetectedEncoding detect_encoding(std::string_view head, bool whole, std::string_view declared);

/// What ICU calls the encoding that a person or a page calls `label`; GB2312 and GBK give GB18030, which holds them, ISO-8859-1
/// gives windows-1252, as on the web. Empty if it is unknown.
std::string known_encoding(std::string_view label);

/// Whether every byte is a character of its own in this encoding; false for names that ICU does not know.
bool is_single_byte(const std::string& encoding);

class Decoder {
  public:
    virtual ~Decoder() = default;
    /// `encoding`: as known_encoding gives it. `name`: of the source, for messages. `offset`: where in the source the first byte
    /// stands.
    static std::unique_ptr<Decoder> open(const std::string& encoding, std::string name, std::uint64_t offset);
    /// Appends what `bytes` say; `last`: there are no more. kInvalidArgument: the source and the offset of the byte.
    virtual void decode(std::string_view bytes, bool last, std::string& out) = 0;
};

}  // namespace rag::core
