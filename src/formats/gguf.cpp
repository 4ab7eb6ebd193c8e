#include "formats/gguf.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "core/byte_reader.hpp"
#include "core/checksum.hpp"
#include "core/error.hpp"

static_assert(std::endian::native == std::endian::little, "values are copied out of little-endian files");

namespace rag::core {
namespace {

constexpr std::uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr std::size_t kSmallestPair = 13;     // key length 8, type 4, value 1
constexpr std::size_t kSmallestTensor = 24;   // name length 8, rank 4, type 4, offset 8
constexpr std::uint64_t kDefaultAlignment = 32;

constexpr std::array<std::string_view, 13> kTypeNames = {"UINT8", "INT8",   "UINT16", "INT16",  "UINT32", "INT32",  "FLOAT32",
                                                         "BOOL",  "STRING", "ARRAY",  "UINT64", "INT64",  "FLOAT64"};
/// Bytes of a scalar; 0 for strings and arrays.
constexpr std::array<std::uint32_t, 13> kTypeSizes = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

/// ggml's element types: `block` elements take `bytes`; bytes 0: known by name only.
struct GgmlType {
    std::uint32_t id;
    std::string_view name;
    TensorType type;
    std::uint32_t block, bytes;
};
constexpr std::array kGgmlTypes = {
    GgmlType{0, "F32", TensorType::kF32, 1, 4},        GgmlType{1, "F16", TensorType::kF16, 1, 2},
    GgmlType{2, "Q4_0", TensorType::kQ4_0, 32, 18},    GgmlType{3, "Q4_1", TensorType::kQ4_1, 32, 20},
    GgmlType{6, "Q5_0", TensorType::kQ5_0, 32, 22},    GgmlType{7, "Q5_1", TensorType::kQ5_1, 32, 24},
    GgmlType{8, "Q8_0", TensorType::kQ8_0, 32, 34},    GgmlType{9, "Q8_1", TensorType::kOther, 32, 0},
    GgmlType{10, "Q2_K", TensorType::kQ2K, 256, 84},   GgmlType{11, "Q3_K", TensorType::kQ3K, 256, 110},
    GgmlType{12, "Q4_K", TensorType::kQ4K, 256, 144},  GgmlType{13, "Q5_K", TensorType::kQ5K, 256, 176},
    GgmlType{14, "Q6_K", TensorType::kQ6K, 256, 210},  GgmlType{15, "Q8_K", TensorType::kOther, 256, 0},
    GgmlType{16, "IQ2_XXS", TensorType::kOther, 1, 0}, GgmlType{17, "IQ2_XS", TensorType::kOther, 1, 0},
    GgmlType{18, "IQ3_XXS", TensorType::kOther, 1, 0}, GgmlType{19, "IQ1_S", TensorType::kOther, 1, 0},
    GgmlType{20, "IQ4_NL", TensorType::kOther, 1, 0},  GgmlType{21, "IQ3_S", TensorType::kOther, 1, 0},
    GgmlType{22, "IQ2_S", TensorType::kOther, 1, 0},   GgmlType{23, "IQ4_XS", TensorType::kOther, 1, 0},
    GgmlType{24, "I8", TensorType::kI8, 1, 1},         GgmlType{25, "I16", TensorType::kI16, 1, 2},
    GgmlType{26, "I32", TensorType::kI32, 1, 4},       GgmlType{27, "I64", TensorType::kI64, 1, 8},
    GgmlType{28, "F64", TensorType::kF64, 1, 8},       GgmlType{29, "IQ1_M", TensorType::kOther, 1, 0},
    GgmlType{30, "BF16", TensorType::kBF16, 1, 2},     GgmlType{34, "TQ1_0", TensorType::kOther, 1, 0},
    GgmlType{35, "TQ2_0", TensorType::kOther, 1, 0},   GgmlType{39, "MXFP4", TensorType::kOther, 1, 0},
};

GgufType read_type(ByteReader& reader, std::string_view what) {
    const auto type = reader.read<std::uint32_t>();
    if (type >= kTypeNames.size()) fail(Code::kCorrupt, "{}: {} has the unknown type {}", reader.name(), what, type);
    return static_cast<GgufType>(type);
}

void check_bools(ByteReader& reader, std::string_view what, std::span<const std::byte> bytes) {
    const auto wrong = std::find_if(bytes.begin(), bytes.end(), [](std::byte b) { return std::to_integer<int>(b) > 1; });
    if (wrong != bytes.end())
        fail(Code::kCorrupt, "{}: {} holds a BOOL of value {}", reader.name(), what, std::to_integer<int>(*wrong));
}

/// Skips `count` strings, so that later readers may trust their lengths.
void skip_strings(ByteReader& reader, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) reader.skip(reader.read<std::uint64_t>());
}

GgufValue read_array(ByteReader& reader, std::string_view what, std::span<const std::byte> file) {
    GgufValue value;
    value.type = GgufType::kArray;
    value.element_type = read_type(reader, what);
    value.count = reader.read<std::uint64_t>();
    if (value.element_type == GgufType::kArray) fail(Code::kUnsupported, "{}: {} is an array of arrays", reader.name(), what);
    if (value.element_type == GgufType::kString) {
        if (value.count > reader.remaining() / sizeof(std::uint64_t))
            fail(Code::kCorrupt, "{}: {} has {} strings, {} bytes are left", reader.name(), what, value.count,
                 reader.remaining());
        const std::size_t begin = reader.offset();
        skip_strings(reader, value.count);
        value.bytes = file.subspan(begin, reader.offset() - begin);
        return value;
    }
    const std::uint32_t size = kTypeSizes[static_cast<std::size_t>(value.element_type)];
    value.bytes = reader.take(checked_multiply(value.count, size, what));
    if (value.element_type == GgufType::kBool) check_bools(reader, what, value.bytes);
    return value;
}

GgufValue read_value(ByteReader& reader, std::string_view what, std::span<const std::byte> file) {
    GgufValue value;
    value.type = read_type(reader, what);
    if (value.type == GgufType::kArray) return read_array(reader, what, file);
    if (value.type == GgufType::kString) {
        value.bytes = reader.take(reader.read<std::uint64_t>());
    } else {
        value.bytes = reader.take(kTypeSizes[static_cast<std::size_t>(value.type)]);
        if (value.type == GgufType::kBool) check_bools(reader, what, value.bytes);
    }
    return value;
}

/// A tensor's entry, with `bytes` still empty.
struct TensorEntry {
    TensorInfo tensor;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    bool sized = false;
};

TensorEntry read_tensor(ByteReader& reader) {
    TensorEntry entry;
    const auto length = reader.read<std::uint64_t>();
    if (length == 0 || length > kMaxGgufTensorName)
        fail(Code::kCorrupt, "{}: a tensor name of {} bytes at offset {}, 1 to {} are read", reader.name(), length,
             reader.offset(), kMaxGgufTensorName);
    entry.tensor.name = reader.take_text(length);
    const std::string what = fmt::format("{}: tensor {}", reader.name(), quote(entry.tensor.name));
    const auto rank = reader.read<std::uint32_t>();
    if (rank > kMaxGgufRank) fail(Code::kCorrupt, "{}: {} dimensions, at most {} are read", what, rank, kMaxGgufRank);
    for (std::uint32_t i = 0; i < rank; ++i) entry.tensor.shape.push_back(reader.read<std::int64_t>());
    // The file counts from the innermost dimension.
    std::reverse(entry.tensor.shape.begin(), entry.tensor.shape.end());
    const std::uint64_t elements = count_elements(entry.tensor.shape, what);
    const auto type = reader.read<std::uint32_t>();
    entry.offset = reader.read<std::uint64_t>();
    const auto* known = std::find_if(kGgmlTypes.begin(), kGgmlTypes.end(), [&](const GgmlType& t) { return t.id == type; });
    if (known == kGgmlTypes.end()) {
        entry.tensor.type_name = fmt::format("ggml type {}", type);
        return entry;
    }
    entry.tensor.type = known->type;
    entry.tensor.type_name = known->name;
    const std::int64_t innermost = rank == 0 ? 1 : entry.tensor.shape.back();
    if (known->bytes == 0) return entry;
    if (innermost % known->block != 0)
        fail(Code::kCorrupt, "{}: {} needs an innermost dimension that is a multiple of {}, the shape is {}", what, known->name,
             known->block, describe_shape(entry.tensor.shape));
    entry.size = checked_multiply(elements / known->block, known->bytes, what);
    entry.sized = true;
    return entry;
}

void place_tensors(std::vector<TensorEntry>& entries, std::span<const std::byte> data, std::uint64_t alignment,
                   const std::string& file) {
    for (TensorEntry& entry : entries) {
        if (entry.offset % alignment != 0)
            fail(Code::kCorrupt, "{}: tensor {} has offset {}, not a multiple of the alignment {}", file,
                 quote(entry.tensor.name), entry.offset, alignment);
        if (entry.offset > data.size() || entry.size > data.size() - entry.offset)
            fail(Code::kCorrupt, "{}: tensor {} has {} bytes at offset {} of the data, which has {} bytes", file,
                 quote(entry.tensor.name), entry.size, entry.offset, data.size());
        if (entry.sized)
            entry.tensor.bytes = data.subspan(static_cast<std::size_t>(entry.offset), static_cast<std::size_t>(entry.size));
    }
    // Tensors must not overlap; one of unknown size counts as its first byte.
    std::vector<const TensorEntry*> order;
    for (const TensorEntry& entry : entries) {
        if (!entry.sized || entry.size > 0) order.push_back(&entry);
    }
    std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->offset < b->offset; });
    for (std::size_t i = 1; i < order.size(); ++i) {
        const TensorEntry& before = *order[i - 1];
        if (before.offset + std::max<std::uint64_t>(before.size, 1) > order[i]->offset)
            fail(Code::kCorrupt, "{}: tensor {} ({} bytes at offset {}) overlaps tensor {} at offset {}", file,
                 quote(before.tensor.name), before.size, before.offset, quote(order[i]->tensor.name), order[i]->offset);
    }
}

template <typename T>
T load(std::span<const std::byte> bytes, std::size_t index) {
    T value;
    std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
    return value;
}

bool is_integer(GgufType type) {
    return type != GgufType::kFloat32 && type != GgufType::kFloat64 && type != GgufType::kBool && type != GgufType::kString &&
           type != GgufType::kArray;
}

/// Element `index` of a span of integers; nullopt for one above 2^63 - 1.
std::optional<std::int64_t> load_integer(GgufType type, std::span<const std::byte> bytes, std::size_t index) {
    switch (type) {
        case GgufType::kUint8:
            return load<std::uint8_t>(bytes, index);
        case GgufType::kInt8:
            return load<std::int8_t>(bytes, index);
        case GgufType::kUint16:
            return load<std::uint16_t>(bytes, index);
        case GgufType::kInt16:
            return load<std::int16_t>(bytes, index);
        case GgufType::kUint32:
            return load<std::uint32_t>(bytes, index);
        case GgufType::kInt32:
            return load<std::int32_t>(bytes, index);
        case GgufType::kInt64:
            return load<std::int64_t>(bytes, index);
        default:
            break;
    }
    const auto value = load<std::uint64_t>(bytes, index);
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
    return static_cast<std::int64_t>(value);
}

double load_number(GgufType type, std::span<const std::byte> bytes, std::size_t index) {
    if (type == GgufType::kFloat32) return static_cast<double>(load<float>(bytes, index));
    if (type == GgufType::kFloat64) return load<double>(bytes, index);
    if (type == GgufType::kUint64) return static_cast<double>(load<std::uint64_t>(bytes, index));
    return static_cast<double>(load_integer(type, bytes, index).value_or(0));  // only UINT64 can be too large
}

[[noreturn]] void wrong_type(const std::string& file, std::string_view key, const GgufValue& value, std::string_view expected) {
    const bool array = value.type == GgufType::kArray;
    fail(Code::kCorrupt, "{}: {} is {}{}, {} is expected", quote(file, 400), quote(key), array ? "an array of " : "",
         gguf_type_name(array ? value.element_type : value.type), expected);
}

}  // namespace

std::string_view gguf_type_name(GgufType type) {
    return kTypeNames[static_cast<std::size_t>(type)];
}

std::uint64_t GgufFile::alignment() const {
    const auto value = integer("general.alignment");
    if (!value) return kDefaultAlignment;
    if (*value < 1 || static_cast<std::uint64_t>(*value) > kMaxGgufAlignment ||
        !std::has_single_bit(static_cast<std::uint64_t>(*value)))
        fail(Code::kCorrupt, "{}: general.alignment is {}, a power of two up to {} is expected", quote(name_, 400), *value,
             kMaxGgufAlignment);
    return static_cast<std::uint64_t>(*value);
}

void GgufFile::read_all() {
    const std::string quoted = quote(name_, 400);
    ByteReader reader(bytes_, quoted);
    if (reader.read<std::uint32_t>() != kMagic)
        fail(Code::kCorrupt, "{} is no GGUF file: it does not begin with \"GGUF\"", quoted);
    version_ = reader.read<std::uint32_t>();
    if ((version_ & 0xFFFFu) == 0 && version_ != 0) fail(Code::kUnsupported, "{}: a big-endian GGUF file", quoted);
    if (version_ < 2) fail(Code::kUnsupported, "{}: GGUF version {}, versions 2 and 3 are read", quoted, version_);
    if (version_ > 3) fail(Code::kVersion, "{}: GGUF version {}, versions 2 and 3 are read", quoted, version_);
    const auto tensors = reader.read<std::uint64_t>();
    const auto pairs = reader.read<std::uint64_t>();
    if (pairs > reader.remaining() / kSmallestPair)
        fail(Code::kCorrupt, "{}: {} metadata pairs are announced, {} bytes are left", quoted, pairs, reader.remaining());
    for (std::uint64_t i = 0; i < pairs; ++i) {
        const auto length = reader.read<std::uint64_t>();
        if (length > kMaxGgufKey) fail(Code::kCorrupt, "{}: a key of {} bytes, at most {} are read", quoted, length, kMaxGgufKey);
        const std::string_view key = reader.take_text(length);
        const GgufValue value = read_value(reader, quote(key), bytes_);
        if (!metadata_.emplace(key, value).second) fail(Code::kCorrupt, "{}: the key {} occurs twice", quoted, quote(key));
    }
    if (tensors > reader.remaining() / kSmallestTensor)
        fail(Code::kCorrupt, "{}: {} tensors are announced, {} bytes are left", quoted, tensors, reader.remaining());
    std::vector<TensorEntry> entries;
    for (std::uint64_t i = 0; i < tensors; ++i) entries.push_back(read_tensor(reader));
    header_checksum_ = checksum64(bytes_.first(reader.offset()));
    // A file without tensors (a vocabulary) may end before the padding.
    const std::uint64_t align = alignment();
    if (!entries.empty()) reader.align(static_cast<std::size_t>(align));
    place_tensors(entries, bytes_.subspan(reader.offset()), align, quoted);
    tensors_.reserve(entries.size());
    for (TensorEntry& entry : entries) {
        entry.tensor.file = name_;
        tensors_.push_back(std::move(entry.tensor));
    }
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
        if (!tensor_by_name_.emplace(tensors_[i].name, i).second)
            fail(Code::kCorrupt, "{}: the tensor {} occurs twice", quoted, quote(tensors_[i].name));
    }
}

std::shared_ptr<const GgufFile> GgufFile::open(const std::filesystem::path& path) {
    std::shared_ptr<GgufFile> file(new GgufFile());
    file->file_ = MappedFile::open(path);
    file->bytes_ = file->file_->bytes();
    file->name_ = file->file_->name();
    file->read_all();
    return file;
}

std::shared_ptr<const GgufFile> GgufFile::parse(std::span<const std::byte> bytes, const std::string& name) {
    std::shared_ptr<GgufFile> file(new GgufFile());
    file->bytes_ = bytes;
    file->name_ = name;
    file->read_all();
    return file;
}

const TensorInfo* GgufFile::find(std::string_view name) const {
    const auto found = tensor_by_name_.find(name);
    return found == tensor_by_name_.end() ? nullptr : &tensors_[found->second];
}

const GgufValue* GgufFile::find_value(std::string_view key, GgufType type) const {
    const auto found = metadata_.find(key);
    if (found == metadata_.end()) return nullptr;
    if (found->second.type != type) wrong_type(name_, key, found->second, gguf_type_name(type));
    return &found->second;
}

std::optional<std::int64_t> GgufFile::integer(std::string_view key) const {
    const auto found = metadata_.find(key);
    if (found == metadata_.end()) return std::nullopt;
    const GgufValue& value = found->second;
    const auto integer = is_integer(value.type) ? load_integer(value.type, value.bytes, 0) : std::nullopt;
    if (!integer) wrong_type(name_, key, value, "an integer below 2^63");
    return integer;
}

std::optional<double> GgufFile::number(std::string_view key) const {
    const auto found = metadata_.find(key);
    if (found == metadata_.end()) return std::nullopt;
    const GgufValue& value = found->second;
    if (!is_integer(value.type) && value.type != GgufType::kFloat32 && value.type != GgufType::kFloat64)
        wrong_type(name_, key, value, "a number");
    return load_number(value.type, value.bytes, 0);
}

std::optional<bool> GgufFile::boolean(std::string_view key) const {
    const GgufValue* value = find_value(key, GgufType::kBool);
    if (value == nullptr) return std::nullopt;
    return load<std::uint8_t>(value->bytes, 0) != 0;
}

std::optional<std::string_view> GgufFile::text(std::string_view key) const {
    const GgufValue* value = find_value(key, GgufType::kString);
    if (value == nullptr) return std::nullopt;
    return std::string_view(reinterpret_cast<const char*>(value->bytes.data()), value->bytes.size());
}

std::optional<std::vector<std::int64_t>> GgufFile::integers(std::string_view key) const {
    const GgufValue* value = find_value(key, GgufType::kArray);
    if (value == nullptr) return std::nullopt;
    if (!is_integer(value->element_type)) wrong_type(name_, key, *value, "an array of integers");
    std::vector<std::int64_t> result(static_cast<std::size_t>(value->count));
    for (std::size_t i = 0; i < result.size(); ++i) {
        const auto element = load_integer(value->element_type, value->bytes, i);
        if (!element) wrong_type(name_, key, *value, "an array of integers below 2^63");
        result[i] = *element;
    }
    return result;
}

std::optional<std::vector<double>> GgufFile::numbers(std::string_view key) const {
    const GgufValue* value = find_value(key, GgufType::kArray);
    if (value == nullptr) return std::nullopt;
    if (!is_integer(value->element_type) && value->element_type != GgufType::kFloat32 &&
        value->element_type != GgufType::kFloat64)
        wrong_type(name_, key, *value, "an array of numbers");
    std::vector<double> result(static_cast<std::size_t>(value->count));
    for (std::size_t i = 0; i < result.size(); ++i) result[i] = load_number(value->element_type, value->bytes, i);
    return result;
}

std::optional<std::vector<std::string_view>> GgufFile::texts(std::string_view key) const {
    const GgufValue* value = find_value(key, GgufType::kArray);
    if (value == nullptr) return std::nullopt;
    if (value->element_type != GgufType::kString) wrong_type(name_, key, *value, "an array of STRING");
    std::vector<std::string_view> result;
    result.reserve(static_cast<std::size_t>(value->count));
    ByteReader reader(value->bytes, name_);
    for (std::uint64_t i = 0; i < value->count; ++i) result.push_back(reader.take_text(reader.read<std::uint64_t>()));
    return result;
}

}  // namespace rag::core
