#include "tokenizer/encoding_bytes.hpp"

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "core/byte_reader.hpp"
#include "core/utf8.hpp"
#include "tokenizer/models/model.hpp"

namespace rag::core {
namespace {

static_assert(std::endian::native == std::endian::little, "columns are copied as they are");

constexpr std::string_view kMagic = "RAGE";
constexpr std::uint32_t kVersion = 1;
constexpr int kMaxDepth = 8;

template <typename T>
void put(std::string& out, T value) {
    static_assert(std::is_integral_v<T>);
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <typename T>
void put_column(std::string& out, const Column<T>& column) {
    out.append(reinterpret_cast<const char*>(column.data()), column.size() * sizeof(T));
}

// The caller sees to the depth: overflowing encodings have at most one level of their own.
void write(const OverflowingEncoding& from, std::string& out) {  // NOLINT(misc-no-recursion)
    const Encoding& encoding = from.encoding;
    put(out, static_cast<std::uint32_t>(encoding.size()));
    put_column(out, encoding.ids);
    put_column(out, encoding.offsets);
    put_column(out, encoding.type_ids);
    for (const std::uint32_t value : encoding.attention_mask) put(out, static_cast<std::uint8_t>(value));
    for (const std::uint32_t value : encoding.special_tokens_mask) put(out, static_cast<std::uint8_t>(value));
    put_column(out, encoding.sequence_ids);
    put_column(out, encoding.words);
    for (std::size_t i = 0; i < encoding.texts.size(); ++i) {
        const std::string_view text = encoding.texts[i].second;
        put(out, static_cast<std::uint32_t>(text.size()));
        out += text;
    }
    put(out, static_cast<std::uint32_t>(from.overflowing.size()));
    for (const OverflowingEncoding& one : from.overflowing) write(one, out);
}

class Reader {
  public:
    explicit Reader(std::string_view bytes) : in_(std::as_bytes(std::span(bytes)), "an encoding") {}

    OverflowingEncoding read() {
        if (in_.take_text(kMagic.size()) != kMagic) fail(Code::kCorrupt, "{} does not begin with {}", in_.name(), kMagic);
        if (const auto version = in_.read<std::uint32_t>(); version != kVersion) {
            fail(Code::kVersion, "{} of version {}, {} is known", in_.name(), version, kVersion);
        }
        OverflowingEncoding out = read_one(0);
        if (in_.remaining() != 0) fail(Code::kCorrupt, "{} with {} bytes behind its end", in_.name(), in_.remaining());
        return out;
    }

  private:
    template <typename T>
    void read_column(Column<T>& out, std::size_t count) {
        const auto bytes = in_.take(checked_multiply(count, sizeof(T), in_.name()));
        out.resize(count, T{});
        if (count > 0) std::memcpy(static_cast<void*>(out.data()), bytes.data(), bytes.size());
    }
    void read_mask(Column<std::uint32_t>& out, std::size_t count, const char* name) {
        Column<std::uint8_t> narrow;
        read_column(narrow, count);
        for (const std::uint8_t value : narrow) require(value <= 1, name, value);
        out.assign(narrow.begin(), narrow.end());
    }
    template <typename T>
    void require(bool good, const char* name, T value) const {
        if (!good) fail(Code::kCorrupt, "{}: {} {}", in_.name(), name, static_cast<std::int64_t>(value));
    }

    OverflowingEncoding read_one(int depth) {  // NOLINT(misc-no-recursion): kMaxDepth
        OverflowingEncoding out;
        Encoding& encoding = out.encoding;
        const auto count = in_.read<std::uint32_t>();
        read_column(encoding.ids, count);
        for (const std::int32_t id : encoding.ids) require(id >= 0 && id < kMaxTokenId, "no token has the id", id);
        read_column(encoding.offsets, count);
        for (const auto& [start, end] : encoding.offsets) require(start <= end, "an offset behind its end:", start);
        read_column(encoding.type_ids, count);
        read_mask(encoding.attention_mask, count, "an attention mask of");
        read_mask(encoding.special_tokens_mask, count, "a special-tokens mask of");
        read_column(encoding.sequence_ids, count);
        for (const std::int8_t id : encoding.sequence_ids) require(id >= -1 && id <= 1, "no text has the number", id);
        read_column(encoding.words, count);
        for (const std::int32_t word : encoding.words) require(word >= -1, "no word has the number", word);
        for (std::size_t i = 0; i < count; ++i) {
            const std::string_view text = in_.take_text(in_.read<std::uint32_t>());
            require(find_invalid_utf8(text) == std::string_view::npos, "no UTF-8 in token", i);
            encoding.texts.emplace_back(i, text);
        }
        const auto more = in_.read<std::uint32_t>();
        if (more > 0 && depth + 1 >= kMaxDepth) fail(Code::kCorrupt, "{} of more than {} levels", in_.name(), kMaxDepth);
        for (std::uint32_t i = 0; i < more; ++i) out.overflowing.push_back(read_one(depth + 1));
        return out;
    }

    ByteReader in_;
};

}  // namespace

std::string encoding_to_bytes(const OverflowingEncoding& encoding) {
    std::string out(kMagic);
    put(out, kVersion);
    write(encoding, out);
    return out;
}

OverflowingEncoding encoding_from_bytes(std::string_view bytes) {
    return Reader(bytes).read();
}

}  // namespace rag::core
