// rag::VectorIndex and rag::Bm25Index: search by id without an engine. Searches go on in any thread while one writes.
#pragma once

#include <rag/bm25.hpp>
#include <rag/error.hpp>
#include <rag/model.hpp>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace rag {

enum class Metric : std::uint32_t { kCosine = RAG_METRIC_COSINE, kInnerProduct = RAG_METRIC_IP, kL2 = RAG_METRIC_L2 };

/// Rows of k results, best first; -1 and NaN where fewer were found.
struct Neighbours {
    std::uint32_t k = 0;
    std::vector<std::int64_t> ids;  ///< [queries, k]
    std::vector<float> scores;      ///< [queries, k]
};

namespace detail {
/// Room for the results; none where the C function will refuse so many before it writes.
inline Neighbours room_for(std::size_t queries, std::uint32_t k) {
    const bool fits = k != 0 && queries <= RAG_MAX_RESULTS / k;
    const std::size_t size = fits ? queries * k : 0;
    return Neighbours{k, std::vector<std::int64_t>(size), std::vector<float>(size)};
}
/// The allowed ids as the C struct; none given: no filter.
inline rag_filter to_c(const std::vector<std::int64_t>& ids) {
    rag_filter filter = RAG_FILTER_INIT;
    filter.ids = ids.data();
    filter.count = ids.size();
    return filter;
}
}  // namespace detail

struct VectorIndexOptions {
    std::uint32_t dimension = 0;
    Metric metric = Metric::kCosine;
    Dtype dtype = Dtype::kFloat32;  ///< or kInt8: walked in int8, scored again in float32
    std::uint32_t m = 16;
    std::uint32_t ef_construction = 200;
    std::uint64_t seed = 100;
};

class VectorIndex {
  public:
    explicit VectorIndex(const VectorIndexOptions& options) {
        rag_vector_index_options c_options = RAG_VECTOR_INDEX_OPTIONS_INIT;
        c_options.dimension = options.dimension;
        c_options.metric = static_cast<std::uint32_t>(options.metric);
        c_options.dtype = static_cast<std::uint32_t>(options.dtype);
        c_options.m = options.m;
        c_options.ef_construction = options.ef_construction;
        c_options.seed = options.seed;
        rag_vector_index* handle = nullptr;
        detail::check(rag_vector_index_create(&c_options, &handle));
        handle_.reset(handle);
    }
    static VectorIndex load(std::string_view path) {
        rag_vector_index* handle = nullptr;
        detail::check(rag_vector_index_load(detail::text(path), &handle));
        return VectorIndex(handle);
    }
    /// Takes over a handle of the C interface.
    explicit VectorIndex(rag_vector_index* handle) : handle_(handle) {}
    /// Replaces the file at once, or (stopped, failed) not at all; `progress` gets the bytes written.
    void save(std::string_view path, const Progress& progress = nullptr) const {
        detail::ProgressBridge bridge(progress);
        const rag_status status = rag_vector_index_save(handle_.get(), detail::text(path), bridge.function(), bridge.data());
        bridge.rethrow();
        detail::check(status);
    }

    std::uint64_t size() const noexcept { return rag_vector_index_count(handle_.get()); }
    std::uint32_t dimension() const noexcept { return rag_vector_index_dimension(handle_.get()); }

    /// `vectors`: [count, columns]; columns must be the dimension.
    void add(const std::int64_t* ids, const float* vectors, std::size_t count, std::uint32_t columns,
             const Progress& progress = nullptr) {
        detail::ProgressBridge bridge(progress);
        const rag_status status =
            rag_vector_index_add(handle_.get(), ids, vectors, count, columns, bridge.function(), bridge.data());
        bridge.rethrow();
        detail::check(status);
    }
    /// How many of these ids were there.
    std::uint64_t remove(const std::vector<std::int64_t>& ids) {
        std::uint64_t removed = 0;
        detail::check(rag_vector_index_remove(handle_.get(), ids.data(), ids.size(), &removed));
        return removed;
    }
    /// `queries`: [count, columns]. ef 0: chosen by k. `filter`: the allowed ids, null for all.
    Neighbours search(const float* queries, std::size_t count, std::uint32_t columns, std::uint32_t k, std::uint32_t ef = 0,
                      const std::vector<std::int64_t>* filter = nullptr) const {
        Neighbours out = detail::room_for(count, k);
        const rag_filter c_filter = filter != nullptr ? detail::to_c(*filter) : rag_filter RAG_FILTER_INIT;
        detail::check(rag_vector_index_search(handle_.get(), queries, count, columns, k, ef,
                                              filter != nullptr ? &c_filter : nullptr, out.ids.data(), out.scores.data()));
        return out;
    }

  private:
    detail::Handle<rag_vector_index, rag_vector_index_free> handle_;
};

class Bm25Index {
  public:
    explicit Bm25Index(const Bm25IndexOptions& options = {}) {
        const rag_bm25_index_options c_options = detail::to_c(options);
        rag_bm25_index* handle = nullptr;
        detail::check(rag_bm25_index_create(&c_options, &handle));
        handle_.reset(handle);
    }
    static Bm25Index load(std::string_view path) {
        rag_bm25_index* handle = nullptr;
        detail::check(rag_bm25_index_load(detail::text(path), &handle));
        return Bm25Index(handle);
    }
    /// Takes over a handle of the C interface.
    explicit Bm25Index(rag_bm25_index* handle) : handle_(handle) {}
    /// Replaces the file at once, or (stopped, failed) not at all; `progress` gets the bytes written.
    void save(std::string_view path, const Progress& progress = nullptr) const {
        detail::ProgressBridge bridge(progress);
        const rag_status status = rag_bm25_index_save(handle_.get(), detail::text(path), bridge.function(), bridge.data());
        bridge.rethrow();
        detail::check(status);
    }

    std::uint64_t size() const noexcept { return rag_bm25_index_count(handle_.get()); }

    /// As many ids as texts, and as many titles or none.
    void add(const std::vector<std::int64_t>& ids, const std::vector<std::string_view>& texts,
             const std::vector<std::string_view>& titles = {}, const Progress& progress = nullptr) {
        check_sizes(ids, texts, titles);
        const auto views = to_c(texts);
        const auto title_views = to_c(titles);
        detail::ProgressBridge bridge(progress);
        const rag_status status = rag_bm25_index_add(handle_.get(), ids.data(), titles.empty() ? nullptr : title_views.data(),
                                                     views.data(), views.size(), bridge.function(), bridge.data());
        bridge.rethrow();
        detail::check(status);
    }
    /// As add(), but replaces the texts of ids that are there; returns how many were.
    std::uint64_t upsert(const std::vector<std::int64_t>& ids, const std::vector<std::string_view>& texts,
                         const std::vector<std::string_view>& titles = {}, const Progress& progress = nullptr) {
        check_sizes(ids, texts, titles);
        const auto views = to_c(texts);
        const auto title_views = to_c(titles);
        std::uint64_t replaced = 0;
        detail::ProgressBridge bridge(progress);
        const rag_status status = rag_bm25_index_upsert(handle_.get(), ids.data(), titles.empty() ? nullptr : title_views.data(),
                                                        views.data(), views.size(), &replaced, bridge.function(), bridge.data());
        bridge.rethrow();
        detail::check(status);
        return replaced;
    }
    /// How many of these ids were there.
    std::uint64_t remove(const std::vector<std::int64_t>& ids) {
        std::uint64_t removed = 0;
        detail::check(rag_bm25_index_remove(handle_.get(), ids.data(), ids.size(), &removed));
        return removed;
    }
    Neighbours search(const std::vector<std::string_view>& queries, std::uint32_t k,
                      const std::vector<std::int64_t>* filter = nullptr, Bm25Syntax syntax = Bm25Syntax::kPlain,
                      const Progress& progress = nullptr) const {
        const auto views = to_c(queries);
        Neighbours out = detail::room_for(queries.size(), k);
        const rag_filter c_filter = filter != nullptr ? detail::to_c(*filter) : rag_filter RAG_FILTER_INIT;
        rag_bm25_search_options options = to_c(syntax);
        detail::ProgressBridge bridge(progress);
        options.progress = bridge.function();
        options.user_data = bridge.data();
        const rag_status status =
            rag_bm25_index_search(handle_.get(), views.data(), views.size(), k, filter != nullptr ? &c_filter : nullptr, &options,
                                  out.ids.data(), out.scores.data());
        bridge.rethrow();
        detail::check(status);
        return out;
    }
    /// How the score of one text came about: JSON.
    std::string explain(std::string_view query, std::int64_t id, Bm25Syntax syntax = Bm25Syntax::kPlain,
                        const Progress& progress = nullptr) const {
        rag_bm25_search_options options = to_c(syntax);
        detail::ProgressBridge bridge(progress);
        options.progress = bridge.function();
        options.user_data = bridge.data();
        rag_string* json = nullptr;
        const rag_status status = rag_bm25_index_explain(handle_.get(), detail::text(query), id, &options, &json);
        bridge.rethrow();
        detail::check(status);
        return detail::take(json);
    }
    /// Where a text has what the query looks for: [first byte, end), ascending; a phrase where all of it stands. `progress`:
    /// bytes.
    std::vector<std::pair<std::size_t, std::size_t>> highlight(std::string_view query, std::string_view text,
                                                               Bm25Syntax syntax = Bm25Syntax::kPlain,
                                                               const Progress& progress = nullptr) const {
        rag_bm25_search_options options = to_c(syntax);
        detail::ProgressBridge bridge(progress);
        options.progress = bridge.function();
        options.user_data = bridge.data();
        std::vector<std::uint64_t> ranges(2 * 64);
        std::size_t count = 0;
        const auto ask = [&] {
            const rag_status status = rag_bm25_index_highlight(handle_.get(), detail::text(query), detail::text(text), &options,
                                                               ranges.data(), ranges.size() / 2, &count);
            bridge.rethrow();
            detail::check(status);
        };
        ask();
        if (count > ranges.size() / 2) {
            ranges.resize(2 * count);
            ask();
        }
        std::vector<std::pair<std::size_t, std::size_t>> out;
        out.reserve(count);
        for (std::size_t i = 0; i < count; ++i) {
            out.emplace_back(static_cast<std::size_t>(ranges[2 * i]), static_cast<std::size_t>(ranges[2 * i + 1]));
        }
        return out;
    }

  private:
    static void check_sizes(const std::vector<std::int64_t>& ids, const std::vector<std::string_view>& texts,
                            const std::vector<std::string_view>& titles) {
        if (ids.size() != texts.size()) {
            throw Error(RAG_INVALID_ARGUMENT, std::to_string(ids.size()) + " ids for " + std::to_string(texts.size()) + " texts");
        }
        if (!titles.empty() && titles.size() != texts.size()) {
            throw Error(RAG_INVALID_ARGUMENT,
                        std::to_string(titles.size()) + " titles for " + std::to_string(texts.size()) + " texts");
        }
    }
    static rag_bm25_search_options to_c(Bm25Syntax syntax) noexcept {
        rag_bm25_search_options options = RAG_BM25_SEARCH_OPTIONS_INIT;
        options.syntax = static_cast<std::uint32_t>(syntax);
        return options;
    }
    static std::vector<rag_text> to_c(const std::vector<std::string_view>& texts) {
        std::vector<rag_text> views;
        views.reserve(texts.size());
        for (const auto text : texts) views.push_back(detail::text(text));
        return views;
    }

    detail::Handle<rag_bm25_index, rag_bm25_index_free> handle_;
};

}  // namespace rag
