#include "formats/safetensors.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "core/byte_reader.hpp"
#include "core/checksum.hpp"
#include "core/error.hpp"
#include "formats/json_text.hpp"
#include "formats/saved_config.hpp"

namespace rag::core {
namespace {

using nlohmann::json;

/// An index names tensors and shards: 64 MiB are room for some 600,000 tensors.
constexpr std::size_t kMaxIndexBytes = 64u << 20;

struct ElementFormat {
    std::string_view name;
    TensorType type;
    std::uint32_t bits;
};
constexpr std::array kElementFormats = {
    ElementFormat{"F64", TensorType::kF64, 64},      ElementFormat{"F32", TensorType::kF32, 32},
    ElementFormat{"F16", TensorType::kF16, 16},      ElementFormat{"BF16", TensorType::kBF16, 16},
    ElementFormat{"I64", TensorType::kI64, 64},      ElementFormat{"I32", TensorType::kI32, 32},
    ElementFormat{"I16", TensorType::kI16, 16},      ElementFormat{"I8", TensorType::kI8, 8},
    ElementFormat{"U64", TensorType::kU64, 64},      ElementFormat{"U32", TensorType::kU32, 32},
    ElementFormat{"U16", TensorType::kU16, 16},      ElementFormat{"U8", TensorType::kU8, 8},
    ElementFormat{"BOOL", TensorType::kBool, 8},     ElementFormat{"C64", TensorType::kOther, 64},
    ElementFormat{"F8_E4M3", TensorType::kOther, 8}, ElementFormat{"F8_E5M2", TensorType::kOther, 8},
    ElementFormat{"F8_E8M0", TensorType::kOther, 8}, ElementFormat{"F6_E2M3", TensorType::kOther, 6},
    ElementFormat{"F6_E3M2", TensorType::kOther, 6}, ElementFormat{"F4", TensorType::kOther, 4},
};

/// A tensor's place in the data block, to check that the block is covered exactly once.
struct Extent {
    std::uint64_t begin, end;
    std::size_t tensor;
};

std::uint64_t unsigned_value(const json& value, const std::string& what) {
    if (!value.is_number_unsigned()) fail(Code::kCorrupt, "{}: a whole number is expected, found {}", what, quote(value.dump()));
    return value.get<std::uint64_t>();
}

std::vector<std::int64_t> read_shape(const json& entry, const std::string& what) {
    const auto shape = entry.find("shape");
    if (shape == entry.end() || !shape->is_array()) fail(Code::kCorrupt, "{}: no list \"shape\"", what);
    if (shape->size() > kMaxSafetensorsRank)
        fail(Code::kCorrupt, "{}: {} dimensions, at most {} are read", what, shape->size(), kMaxSafetensorsRank);
    std::vector<std::int64_t> dimensions;
    for (const json& dimension : *shape) {
        const std::uint64_t value = unsigned_value(dimension, what);
        if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
            fail(Code::kCorrupt, "{}: dimension {}", what, value);
        dimensions.push_back(static_cast<std::int64_t>(value));
    }
    return dimensions;
}

const ElementFormat& read_dtype(const json& entry, const std::string& what) {
    const auto dtype = entry.find("dtype");
    if (dtype == entry.end() || !dtype->is_string()) fail(Code::kCorrupt, "{}: no string \"dtype\"", what);
    const auto& name = dtype->get_ref<const std::string&>();
    const auto* found =
        std::find_if(kElementFormats.begin(), kElementFormats.end(), [&](const auto& f) { return f.name == name; });
    if (found == kElementFormats.end()) fail(Code::kUnsupported, "{}: unknown element type {}", what, quote(name));
    return *found;
}

/// One entry of the header; `data` is the data block.
TensorInfo read_entry(const std::string& name, const json& entry, std::span<const std::byte> data, const std::string& file,
                      Extent& extent) {
    const std::string what = fmt::format("{}: tensor {}", quote(file, 400), quote(name));
    if (!entry.is_object()) fail(Code::kCorrupt, "{}: its entry is {}, not an object", what, entry.type_name());
    TensorInfo tensor;
    tensor.name = name;
    tensor.shape = read_shape(entry, what);
    const ElementFormat& format = read_dtype(entry, what);
    tensor.type = format.type;
    tensor.type_name = format.name;
    const auto offsets = entry.find("data_offsets");
    if (offsets == entry.end() || !offsets->is_array() || offsets->size() != 2)
        fail(Code::kCorrupt, "{}: no pair \"data_offsets\"", what);
    extent.begin = unsigned_value((*offsets)[0], what);
    extent.end = unsigned_value((*offsets)[1], what);
    if (extent.begin > extent.end || extent.end > data.size())
        fail(Code::kCorrupt, "{}: data_offsets [{}, {}] do not lie in the {} bytes of data", what, extent.begin, extent.end,
             data.size());
    const std::uint64_t bits = checked_multiply(count_elements(tensor.shape, what), format.bits, what);
    if (bits % 8 != 0 || bits / 8 != extent.end - extent.begin)
        fail(Code::kCorrupt, "{}: {} of shape {} take {} bytes, data_offsets [{}, {}] hold {}", what, format.name,
             describe_shape(tensor.shape), bits / 8, extent.begin, extent.end, extent.end - extent.begin);
    tensor.bytes = data.subspan(static_cast<std::size_t>(extent.begin), static_cast<std::size_t>(extent.end - extent.begin));
    return tensor;
}

/// The format asks for a block without gaps and overlaps, which also tells a truncated file from a whole one.
void check_coverage(std::vector<Extent> extents, std::span<const TensorInfo> tensors, std::uint64_t size,
                    const std::string& file) {
    std::sort(extents.begin(), extents.end(),
              [](const Extent& a, const Extent& b) { return a.begin != b.begin ? a.begin < b.begin : a.end < b.end; });
    std::uint64_t expected = 0;
    for (const Extent& extent : extents) {
        if (extent.begin != expected)
            fail(Code::kCorrupt, "{}: tensor {} begins at {} of the data, the tensor before it ends at {}", quote(file, 400),
                 quote(tensors[extent.tensor].name), extent.begin, expected);
        expected = extent.end;
    }
    if (expected != size)
        fail(Code::kCorrupt, "{}: the tensors take {} bytes of data, the file holds {}", quote(file, 400), expected, size);
}

}  // namespace

void SafetensorsFile::read_header(std::span<const std::byte> bytes, const std::string& file) {
    const std::string quoted = quote(file, 400);
    ByteReader reader(bytes, quoted);
    const auto header_size = reader.read<std::uint64_t>();
    if (header_size > kMaxSafetensorsHeader)
        fail(Code::kCorrupt, "{}: a header of {} bytes is announced, at most {} are read", quoted, header_size,
             kMaxSafetensorsHeader);
    const std::string_view text = reader.take_text(header_size);
    const auto data = bytes.subspan(reader.offset());
    const json header = parse_json(text, file);
    if (!header.is_object()) fail(Code::kCorrupt, "{}: the header is {}, not a JSON object", quoted, header.type_name());

    file_names_.push_back(std::make_unique<std::string>(file));
    std::vector<Extent> extents;
    const std::size_t first = tensors_.size();
    for (const auto& [name, entry] : header.items()) {
        if (name == "__metadata__") {
            if (!entry.is_object()) fail(Code::kCorrupt, "{}: __metadata__ is {}, not an object", quoted, entry.type_name());
            for (const auto& [key, value] : entry.items()) {
                if (!value.is_string()) fail(Code::kCorrupt, "{}: __metadata__ {} is not a string", quoted, quote(key));
                metadata_.try_emplace(key, value.get<std::string>());
            }
            continue;
        }
        Extent extent{0, 0, extents.size()};
        tensors_.push_back(read_entry(name, entry, data, file, extent));
        tensors_.back().file = *file_names_.back();
        extents.push_back(extent);
    }
    check_coverage(std::move(extents), std::span(tensors_).subspan(first), data.size(), file);
    header_checksum_ = checksum64(std::as_bytes(std::span(text)), header_checksum_);
    file_bytes_ += bytes.size();
}

void SafetensorsFile::finish() {
    std::sort(tensors_.begin(), tensors_.end(), [](const TensorInfo& a, const TensorInfo& b) { return a.name < b.name; });
    const auto twice =
        std::adjacent_find(tensors_.begin(), tensors_.end(), [](const auto& a, const auto& b) { return a.name == b.name; });
    if (twice != tensors_.end())
        fail(Code::kCorrupt, "{}: tensor {} is in {} and in {}", quote(name_, 400), quote(twice->name), quote(twice->file, 400),
             quote(std::next(twice)->file, 400));
}

void SafetensorsFile::open_shards(const std::filesystem::path& index) {
    const json object = read_json_object(index.string(), kMaxIndexBytes);
    const std::string quoted = quote(index.string(), 400);
    const auto map = object.find("weight_map");
    if (map == object.end() || !map->is_object()) fail(Code::kCorrupt, "{}: no object \"weight_map\"", quoted);
    std::map<std::string, std::vector<std::string>> names_of_shard;
    for (const auto& [name, shard] : map->items()) {
        if (!shard.is_string()) fail(Code::kCorrupt, "{}: the shard of tensor {} is not a string", quoted, quote(name));
        names_of_shard[shard.get<std::string>()].push_back(name);
    }
    if (names_of_shard.size() > kMaxSafetensorsShards)
        fail(Code::kCorrupt, "{}: {} shards, at most {} are read", quoted, names_of_shard.size(), kMaxSafetensorsShards);
    for (const auto& [shard, names] : names_of_shard) {
        // A shard lies beside its index: a path could lead anywhere on the machine.
        if (shard.empty() || shard == "." || shard == ".." ||
            shard.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos)
            fail(Code::kCorrupt, "{}: shard {} is not the name of a file in the same folder", quoted, quote(shard));
        files_.push_back(MappedFile::open(index.parent_path() / shard));
        const std::size_t first = tensors_.size();
        read_header(files_.back()->bytes(), files_.back()->name());
        std::vector<std::string_view> present;
        for (std::size_t i = first; i < tensors_.size(); ++i) present.push_back(tensors_[i].name);
        std::sort(present.begin(), present.end());
        for (const std::string& name : names) {
            if (!std::binary_search(present.begin(), present.end(), name))
                fail(Code::kCorrupt, "{}: tensor {} is not in its shard {}", quoted, quote(name), quote(shard));
        }
    }
}

std::shared_ptr<const SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
    std::shared_ptr<SafetensorsFile> file(new SafetensorsFile());
    std::filesystem::path chosen = path;
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) {
        check_quantization(path);
        chosen = path / "model.safetensors";
        if (!std::filesystem::exists(chosen, ignored)) chosen = path / "model.safetensors.index.json";
        if (!std::filesystem::exists(chosen, ignored))
            fail(Code::kNotFound, "{} holds neither model.safetensors nor model.safetensors.index.json",
                 quote(path.string(), 400));
    }
    file->name_ = chosen.string();
    if (chosen.extension() == ".json") {
        file->open_shards(chosen);
    } else {
        file->files_.push_back(MappedFile::open(chosen));
        file->read_header(file->files_.back()->bytes(), file->name_);
    }
    file->finish();
    return file;
}

std::shared_ptr<const SafetensorsFile> SafetensorsFile::parse(std::span<const std::byte> bytes, const std::string& name) {
    std::shared_ptr<SafetensorsFile> file(new SafetensorsFile());
    file->name_ = name;
    file->read_header(bytes, name);
    file->finish();
    return file;
}

const TensorInfo* SafetensorsFile::find(std::string_view name) const {
    const auto found = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                                        [](const TensorInfo& tensor, std::string_view wanted) { return tensor.name < wanted; });
    return found == tensors_.end() || found->name != name ? nullptr : &*found;
}

}  // namespace rag::core
