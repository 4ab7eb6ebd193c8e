#include "formats/safetensors_writer.hpp"

#include <algorithm>
#include <numeric>
#include <set>

#include "core/atomic_file.hpp"
#include "core/byte_reader.hpp"
#include "core/error.hpp"
#include "formats/json_text.hpp"
#include "formats/tensor_info.hpp"

namespace rag::core {
namespace {

using nlohmann::json;

constexpr std::size_t kDataAlignment = 64;

struct Planned {
    std::size_t index;  // of the entry
    std::uint64_t element_bytes;
    std::uint64_t bytes;
};

std::uint64_t element_bytes(const TensorEntry& entry) {
    if (entry.type == "F32") return 4;
    if (entry.type == "F16" || entry.type == "BF16") return 2;
    if (entry.type == "U8") return 1;
    fail(Code::kInvalidArgument, "tensor {}: element type {}; F32, F16, BF16 and U8 are written", quote(entry.name),
         quote(entry.type));
}

std::vector<Planned> plan_entries(const std::vector<TensorEntry>& entries) {
    std::vector<Planned> plan;
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        if (!names.insert(entries[i].name).second)
            fail(Code::kInvalidArgument, "tensor {} is to be written twice", quote(entries[i].name));
        const std::uint64_t size = element_bytes(entries[i]);
        const std::string what = fmt::format("tensor {}", quote(entries[i].name));
        plan.push_back({i, size, checked_multiply(count_elements(entries[i].shape, what), size, what)});
    }
    std::stable_sort(plan.begin(), plan.end(),
                     [](const Planned& a, const Planned& b) { return a.element_bytes > b.element_bytes; });
    return plan;
}

std::vector<std::span<const Planned>> split(std::span<const Planned> plan, std::uint64_t shard_bytes) {
    std::vector<std::span<const Planned>> shards;
    std::size_t begin = 0;
    std::uint64_t size = 0;
    for (std::size_t i = 0; i < plan.size(); ++i) {
        if (i > begin && plan[i].bytes > shard_bytes - std::min(size, shard_bytes)) {
            shards.push_back(plan.subspan(begin, i - begin));
            begin = i;
            size = 0;
        }
        size += plan[i].bytes;
    }
    shards.push_back(plan.subspan(begin));
    return shards;
}

void write_file(const std::filesystem::path& path, const std::vector<TensorEntry>& entries, std::span<const Planned> plan,
                const std::map<std::string, std::string>& metadata, const ProduceTensor& produce) {
    json header = json::object();
    if (!metadata.empty()) header["__metadata__"] = metadata;
    std::uint64_t offset = 0;
    for (const Planned& one : plan) {
        const TensorEntry& entry = entries[one.index];
        header[entry.name] = {{"dtype", entry.type}, {"shape", entry.shape}, {"data_offsets", {offset, offset + one.bytes}}};
        offset += one.bytes;
    }
    std::string text = header.dump();
    text.append((kDataAlignment - (sizeof(std::uint64_t) + text.size()) % kDataAlignment) % kDataAlignment, ' ');
    AtomicFile file(path);
    file.write_value(static_cast<std::uint64_t>(text.size()));
    file.write(std::as_bytes(std::span(text)));
    for (const Planned& one : plan) {
        const std::vector<std::byte> bytes = produce(one.index);
        if (bytes.size() != one.bytes)
            fail(Code::kInternal, "tensor {} of shape {} takes {} bytes, there are {}", quote(entries[one.index].name),
                 describe_shape(entries[one.index].shape), one.bytes, bytes.size());
        file.write(bytes);
    }
    file.commit();
}

}  // namespace

void write_safetensors(const std::filesystem::path& folder, std::vector<TensorEntry> entries,
                       const std::map<std::string, std::string>& metadata, std::uint64_t shard_bytes,
                       const ProduceTensor& produce) {
    const std::vector<Planned> plan = plan_entries(entries);
    const auto shards = split(plan, shard_bytes);
    if (shards.size() == 1) return write_file(folder / "model.safetensors", entries, plan, metadata, produce);
    json map = json::object();
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < shards.size(); ++i) {
        const std::string name = fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
        write_file(folder / name, entries, shards[i], metadata, produce);
        for (const Planned& one : shards[i]) {
            map[entries[one.index].name] = name;
            total += one.bytes;
        }
    }
    const json index = {{"metadata", {{"total_size", total}}}, {"weight_map", std::move(map)}};
    const std::string text = index.dump(2) + "\n";
    AtomicFile file(folder / "model.safetensors.index.json");
    file.write(std::as_bytes(std::span(text)));
    file.commit();
}

}  // namespace rag::core
