#include "formats/sentencepiece_file.hpp"

#include <bit>
#include <cmath>
#include <string_view>

#include "core/byte_reader.hpp"
#include "core/error.hpp"
#include "core/utf8.hpp"

namespace rag::core {
namespace {

// One field of a message: a number, or bytes that are text or a message.
struct Field {
    std::uint64_t number = 0;
    unsigned wire_type = 0;
    std::uint64_t value = 0;                // of the wire types 0, 1 and 5
    std::span<const std::byte> bytes = {};  // of 2

    std::string_view text() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
};

constexpr unsigned kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5;

std::uint64_t read_varint(ByteReader& in) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const auto byte = in.read<std::uint8_t>();
        value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
        if ((byte & 0x80U) == 0) return value;
    }
    fail(Code::kCorrupt, "{}: a number of more than 10 bytes before offset {}", in.name(), in.offset());
}

// Calls visit(field) for every field of a message.
template <typename Visit>
void read_message(std::span<const std::byte> bytes, const std::string& name, Visit visit) {
    ByteReader in(bytes, name);
    while (in.remaining() > 0) {
        const std::uint64_t key = read_varint(in);
        Field field{key >> 3, static_cast<unsigned>(key & 7U)};
        switch (field.wire_type) {
            case kVarint:
                field.value = read_varint(in);
                break;
            case kFixed64:
                field.value = in.read<std::uint64_t>();
                break;
            case kBytes:
                field.bytes = in.take(read_varint(in));
                break;
            case kFixed32:
                field.value = in.read<std::uint32_t>();
                break;
            default:
                fail(Code::kCorrupt, "{}: a field of the wire type {} before offset {}", name, field.wire_type, in.offset());
        }
        if (field.number == 0) fail(Code::kCorrupt, "{}: a field with the number 0 before offset {}", name, in.offset());
        visit(field);
    }
}

void require_type(const Field& field, unsigned wire_type, const std::string& name) {
    if (field.wire_type == wire_type) return;
    fail(Code::kCorrupt, "{}: field {} has the wire type {}, {} was expected", name, field.number, field.wire_type, wire_type);
}

void read_text(const Field& field, std::string& out, const std::string& name) {
    require_type(field, kBytes, name);
    require_utf8(field.text(), name);
    out = field.text();
}

void read_bool(const Field& field, bool& out, const std::string& name) {
    require_type(field, kVarint, name);
    out = field.value != 0;
}

template <typename Enum>
void read_enum(const Field& field, Enum& out, unsigned last, const std::string& name) {
    require_type(field, kVarint, name);
    if (field.value < 1 || field.value > last) {
        fail(Code::kCorrupt, "{}: field {} is {}, 1 to {} are known", name, field.number, field.value, last);
    }
    out = static_cast<Enum>(field.value);
}

SentencePiece read_piece(std::span<const std::byte> bytes, const std::string& name) {
    SentencePiece piece;
    read_message(bytes, name, [&](const Field& field) {
        if (field.number == 1) {
            read_text(field, piece.text, name);
        } else if (field.number == 2) {
            require_type(field, kFixed32, name);
            piece.score = std::bit_cast<float>(static_cast<std::uint32_t>(field.value));
        } else if (field.number == 3) {
            read_enum(field, piece.type, SentencePiece::kByte, name);
        }
    });
    if (piece.text.empty() || piece.text.size() > kMaxSentencePieceBytes || piece.text.find('\0') != std::string::npos) {
        fail(Code::kCorrupt, "{}: {} of {} bytes: 1 to {} without NUL are allowed", name, quote(piece.text, 40),
             piece.text.size(), kMaxSentencePieceBytes);
    }
    if (!std::isfinite(piece.score)) fail(Code::kCorrupt, "{}: {} has a score that is no number", name, quote(piece.text, 40));
    return piece;
}

void read_trainer(std::span<const std::byte> bytes, SentencePieceFile& file, const std::string& name) {
    read_message(bytes, name, [&](const Field& field) {
        switch (field.number) {
            case 3:
                return read_enum(field, file.model_type, SentencePieceFile::kChar, name);
            case 24:
                return read_bool(field, file.treat_whitespace_as_suffix, name);
            case 35:
                return read_bool(field, file.byte_fallback, name);
            case 44:
                return read_text(field, file.unk_surface, name);
            case 45:
                return read_text(field, file.unk_piece, name);
            case 46:
                return read_text(field, file.bos_piece, name);
            case 47:
                return read_text(field, file.eos_piece, name);
            case 48:
                return read_text(field, file.pad_piece, name);
            default:
                return;  // how the model was trained
        }
    });
}

void read_normalizer_spec(std::span<const std::byte> bytes, SentencePieceFile& file, const std::string& name) {
    read_message(bytes, name, [&](const Field& field) {
        switch (field.number) {
            case 2:
                require_type(field, kBytes, name);
                file.precompiled_charsmap = field.text();
                return;
            case 3:
                return read_bool(field, file.add_dummy_prefix, name);
            case 4:
                return read_bool(field, file.remove_extra_whitespaces, name);
            case 5:
                return read_bool(field, file.escape_whitespaces, name);
            default:
                return;
        }
    });
}

void read_denormalizer(std::span<const std::byte> bytes, SentencePieceFile& file, const std::string& name) {
    read_message(bytes, name, [&](const Field& field) {
        if (field.number == 2) file.has_denormalizer = file.has_denormalizer || !field.bytes.empty();
    });
}

}  // namespace

SentencePieceFile parse_sentencepiece(std::span<const std::byte> bytes, const std::string& name) {
    SentencePieceFile file;
    read_message(bytes, name, [&](const Field& field) {
        if (field.number < 1 || field.number > 5) return;
        require_type(field, kBytes, name);
        switch (field.number) {
            case 1:
                if (file.pieces.size() == kMaxSentencePieces)
                    fail(Code::kCorrupt, "{}: more than {} pieces", name, kMaxSentencePieces);
                file.pieces.push_back(read_piece(field.bytes, fmt::format("{}: piece {}", name, file.pieces.size())));
                return;
            case 2:
                return read_trainer(field.bytes, file, name + ": trainer_spec");
            case 3:
                return read_normalizer_spec(field.bytes, file, name + ": normalizer_spec");
            case 5:
                return read_denormalizer(field.bytes, file, name + ": denormalizer_spec");
            default:
                return;
        }
    });
    if (file.pieces.empty()) fail(Code::kCorrupt, "{}: a SentencePiece model without pieces", name);
    return file;
}

}  // namespace rag::core
