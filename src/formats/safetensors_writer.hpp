// Tensors into a folder as safetensors: one file model.safetensors, or shards of a stated size with model.safetensors.index.json,
// the layout of Hugging Face. Each file is written whole or not at all; one tensor is in memory at a time. Thread rule: one call,
// one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace rag::core {

struct TensorEntry {
    std::string name;
    std::string type;  // "F32", "F16", "BF16", "U8"
    std::vector<std::int64_t> shape;
};

/// Gives the bytes of entry `index`, as many as type and shape say.
using ProduceTensor = std::function<std::vector<std::byte>(std::size_t index)>;

/// Entries are sorted by element size, so that each is aligned to its elements, then as given. A shard holds at least one tensor
/// and, beyond that, at most `shard_bytes` of data. Throws kIo, kInvalidArgument (a type that is not listed above, a name twice),
/// kInternal (bytes that do not fit), and what `produce` throws; files that were finished by then stay.
void write_safetensors(const std::filesystem::path& folder, std::vector<TensorEntry> entries,
                       const std::map<std::string, std::string>& metadata, std::uint64_t shard_bytes,
                       const ProduceTensor& produce);

}  // namespace rag::core
