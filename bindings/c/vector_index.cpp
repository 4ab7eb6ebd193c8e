// rag_vector_index_*: the vector index over C.
#include "arguments.hpp"
#include "guard.hpp"
#include "handles.hpp"
#include "index_results.hpp"
#include "vector_type.hpp"

namespace core = rag::core;
using rag::capi::Code;
using rag::capi::fail;
using rag::capi::guard;
using rag::capi::require;

namespace {

core::VectorIndexOptions to_core(const rag_vector_index_options& options) {
    core::VectorIndexOptions out;
    out.dimension = options.dimension;
    switch (options.metric) {
        case RAG_METRIC_COSINE:
            out.metric = core::Metric::kCosine;
            break;
        case RAG_METRIC_IP:
            out.metric = core::Metric::kInnerProduct;
            break;
        case RAG_METRIC_L2:
            out.metric = core::Metric::kL2;
            break;
        default:
            fail(Code::kInvalidArgument, "metric is {}, it must be 0 (cosine), 1 (ip) or 2 (l2)", options.metric);
    }
    out.type = rag::capi::vector_type_of(options.dtype);
    if (options.m != 0) out.m = options.m;
    if (options.ef_construction != 0) out.ef_construction = options.ef_construction;
    if (options.seed != 0) out.seed = options.seed;
    return out;
}

core::VectorIndex& use(const rag_vector_index* index) {
    require(index, "index").fork_guard.check("the vector index");
    return *index->index;
}

void require_dimension(const core::VectorIndex& index, std::uint32_t dimension) {
    if (dimension != index.options().dimension) {
        fail(Code::kInvalidArgument, "the vectors have dimension {}, the index has {}", dimension, index.options().dimension);
    }
}

rag_vector_index* wrap(std::unique_ptr<core::VectorIndex> index) {
    return new rag_vector_index{std::move(index), {}};
}

}  // namespace

extern "C" {

rag_status rag_vector_index_create(const rag_vector_index_options* options, rag_vector_index** index) noexcept {
    return guard([&] {
        require(index, "index") = nullptr;
        const auto known = rag::capi::read_struct(
            &require(options, "options"), rag_vector_index_options RAG_VECTOR_INDEX_OPTIONS_INIT, "rag_vector_index_options");
        *index = wrap(std::make_unique<core::VectorIndex>(to_core(known)));
    });
}

rag_status rag_vector_index_load(rag_text path, rag_vector_index** index) noexcept {
    return guard([&] {
        require(index, "index") = nullptr;
        *index = wrap(core::VectorIndex::load(rag::capi::path_of(path, "path")));
    });
}

rag_status rag_vector_index_save(const rag_vector_index* index, rag_text path, rag_progress_fn progress,
                                 void* user_data) noexcept {
    return guard([&] { use(index).save(rag::capi::path_of(path, "path"), rag::capi::progress_of(progress, user_data)); });
}

void rag_vector_index_free(rag_vector_index* index) noexcept {
    delete index;
}

uint64_t rag_vector_index_count(const rag_vector_index* index) noexcept {
    uint64_t count = 0;
    static_cast<void>(guard([&] { count = use(index).size(); }));
    return count;
}

uint32_t rag_vector_index_dimension(const rag_vector_index* index) noexcept {
    return index == nullptr ? 0 : static_cast<uint32_t>(index->index->options().dimension);
}

rag_status rag_vector_index_add(rag_vector_index* index, const int64_t* ids, const float* vectors, size_t count,
                                uint32_t dimension, rag_progress_fn progress, void* user_data) noexcept {
    return guard([&] {
        core::VectorIndex& target = use(index);
        rag::capi::require_ids(ids, count);
        rag::capi::require_array(vectors, count, "vectors");
        require_dimension(target, dimension);
        if (count == 0) return;
        target.add({ids, count}, {vectors, count * dimension}, rag::capi::progress_of(progress, user_data));
    });
}

rag_status rag_vector_index_remove(rag_vector_index* index, const int64_t* ids, size_t count, uint64_t* removed) noexcept {
    return guard([&] {
        if (removed != nullptr) *removed = 0;
        core::VectorIndex& target = use(index);
        rag::capi::require_array(ids, count, "ids");
        const std::size_t gone = target.remove({ids, count});
        if (removed != nullptr) *removed = gone;
    });
}

rag_status rag_vector_index_search(const rag_vector_index* index, const float* queries, size_t count, uint32_t dimension,
                                   uint32_t k, uint32_t ef, const rag_filter* filter, int64_t* ids, float* scores) noexcept {
    return guard([&] {
        const core::VectorIndex& target = use(index);
        rag::capi::require_k(k, count);
        rag::capi::require_array(queries, count, "queries");
        rag::capi::require_array(ids, count, "ids");
        rag::capi::require_array(scores, count, "scores");
        require_dimension(target, dimension);
        const auto allowed = rag::capi::allowed_of(filter);
        for (std::size_t row = 0; row < count; ++row) {
            const auto results = target.search({queries + row * dimension, dimension}, k, ef, allowed ? &*allowed : nullptr);
            rag::capi::write_row(results, k, ids + row * k, scores + row * k);
        }
    });
}

}  // extern "C"
