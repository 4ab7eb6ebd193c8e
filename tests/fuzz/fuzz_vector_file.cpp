// Fuzzes the reader of vector index files: the bytes as they are, and the bytes as a body with checksums that fit, which gets
// past the checksums to the counts, levels and links. What is accepted must be searchable and savable without touching memory it
// does not own.
// link: rag_index_vector rag_core
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "index/vector/vector_file.hpp"
#include "index/vector/vector_index.hpp"

namespace {

using namespace rag::core;

void use(const std::vector<std::byte>& bytes) {
    const auto kept = std::make_shared<std::vector<std::byte>>(bytes);
    std::unique_ptr<VectorIndex> index;
    try {
        index = VectorIndex::parse(*kept, kept, "fuzz");
    } catch (const Error&) {
        return;  // refused by name: all that is asked
    }
    const std::vector<float> query(index->options().dimension, 0.5F);
    std::vector<std::int64_t> odd_ids = index->ids();
    std::erase_if(odd_ids, [](std::int64_t id) { return id % 2 == 0; });
    const IdSet odd(odd_ids);
    if (index->search(query, 3, 4).size() != std::min<std::size_t>(3, index->size())) std::abort();
    static_cast<void>(index->search(query, 3, 4, &odd));
    std::string why;
    static_cast<void>(index->verify(why));
    if (index->serialize().size() == 0) std::abort();
    std::vector<float> out(query.size());
    for (const std::int64_t id : index->ids()) {
        if (!index->get(id, out)) std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto* begin = reinterpret_cast<const std::byte*>(data);
    std::vector<std::byte> bytes(begin, begin + size);
    use(bytes);
    const auto end = vector_file_end(bytes);
    bytes.insert(bytes.end(), end.begin(), end.end());
    use(bytes);
    return 0;
}
