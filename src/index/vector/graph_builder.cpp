// Builds graphs with hnswlib 0.8 and freezes them. hnswlib never sees bytes of a file, never prints here (M is capped by the
// index's options), and what it throws becomes an Error.
#include <hnswlib/hnswlib.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "core/thread_pool.hpp"
#include "index/vector/graph.hpp"
#include "index/vector/kernels.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kLine = 64;
// Inserted between two looks at the progress: by one thread so few that others can go first within a millisecond, by several so
// many that they seldom wait for one another.
constexpr std::size_t kRowsAlone = 2;
constexpr std::size_t kRowsPerPart = 16;
constexpr std::size_t kCopiesPerReport = 128;

/// Our distances under hnswlib's interface. hnswlib keeps rows with their values, whose beginning it fetches ahead (a sixth
/// faster), or where those are too many only with the place in the segment where they lie anyway: a graph of millions then needs
/// no second copy of them.
class RowSpace : public hnswlib::SpaceInterface<float> {
  public:
    RowSpace(const Rows& rows, const CodeRows* codes, const GraphOptions& options) {
        const Kernels& k = kernels();
        const bool l2 = options.metric == Metric::kL2;
        if (codes == nullptr) {
            distance_ = l2 ? k.pair_squared_l2 : k.pair_dot;
            shape_ = {rows.stride(), rows.stride() * sizeof(float)};
        } else {
            distance_ = l2 ? k.pair_squared_l2_i8 : k.pair_dot_i8;
            shape_ = {codes->stride(), codes->stride()};
        }
        if (shape_.bytes > options.copied_bytes / rows.size()) shape_.bytes = 0;
    }
    std::size_t get_data_size() override { return shape_.bytes + sizeof(PairRow); }
    hnswlib::DISTFUNC<float> get_dist_func() override { return distance_; }
    void* get_dist_func_param() override { return &shape_; }
    /// Of the values that are copied; 0: none.
    std::size_t copied() const noexcept { return shape_.bytes; }

  private:
    PairDistance distance_ = nullptr;
    PairShape shape_{};
};

using Hnsw = hnswlib::HierarchicalNSW<float>;

std::size_t round_up(std::size_t value, std::size_t to) {
    return (value + to - 1) / to * to;
}

/// Begins every row and what is copied of it on cache lines (hnswlib puts it right behind the links, so that every wide load
/// straddles two), and gives upper lists one element more, because hnswlib prefetches by the value behind the last link.
void align(Hnsw& graph, std::size_t copied) {
    graph.offsetData_ = round_up(graph.size_links_level0_, copied > 0 ? kLine : alignof(PairRow));
    graph.label_offset_ = graph.offsetData_ + graph.data_size_;
    graph.size_data_per_element_ = round_up(graph.label_offset_ + sizeof(hnswlib::labeltype), kLine);
    graph.size_links_per_element_ += sizeof(hnswlib::tableint);
    std::free(graph.data_level0_memory_);
    graph.data_level0_memory_ = nullptr;
    graph.data_level0_memory_ = static_cast<char*>(allocate_aligned(graph.max_elements_ * graph.size_data_per_element_));
}

/// What hnswlib keeps of a row. One a thread.
class RowData {
  public:
    RowData(const Rows& rows, const CodeRows* codes, std::size_t copied)
        : rows_(rows), codes_(codes), copied_(copied), memory_(copied + sizeof(PairRow)) {}
    const void* operator()(std::size_t row) {
        PairRow out{rows_.vector(row), 0, 0};
        if (codes_ != nullptr) {
            const CodeMeta meta = codes_->meta(row);
            out = {codes_->row(row), meta.scale, meta.squared_length};
        }
        std::memcpy(memory_.data(), out.values, copied_);
        std::memcpy(memory_.data() + copied_, &out, sizeof(out));
        return memory_.data();
    }

  private:
    const Rows& rows_;
    const CodeRows* codes_;
    std::size_t copied_;
    AlignedArray<char> memory_;
};

/// Gives a list of a frozen graph of `rows` rows back to hnswlib.
void thaw_list(Hnsw& graph, const std::uint32_t* from, std::size_t capacity, std::size_t rows, hnswlib::linklistsizeint* list) {
    std::size_t size = 0;
    for (; size < capacity; ++size) {
        const std::uint32_t next = from[size];
        if (next >= rows) break;
        list[1 + size] = next;
    }
    graph.setListCount(list, static_cast<unsigned short>(size));
}

/// Makes an empty hnswlib graph the one that `base` was frozen from, but for its order of insertion: rows are numbered as in
/// `base`.
void thaw(Hnsw& graph, const Graph& base, RowData data, const Progress& progress) {
    for (std::size_t row = 0; row < base.rows(); ++row) {
        if (row % kCopiesPerReport == 0) report(progress, 0, 0);
        const auto node = static_cast<hnswlib::tableint>(row);
        std::memset(graph.data_level0_memory_ + row * graph.size_data_per_element_, 0, graph.size_data_per_element_);
        std::memcpy(graph.getDataByInternalId(node), data(row), graph.data_size_);
        graph.setExternalLabel(node, row);
        graph.label_lookup_[row] = node;
        thaw_list(graph, base.neighbours0(node), 2 * base.m, base.rows(), graph.get_linklist0(node));
        const std::size_t levels = base.levels[row];
        graph.element_levels_[row] = static_cast<int>(levels);
        graph.linkLists_[row] = nullptr;
        graph.cur_element_count = row + 1;  // so far its destructor frees lists
        if (levels == 0) continue;
        graph.linkLists_[row] = static_cast<char*>(std::calloc(levels * graph.size_links_per_element_ + 1, 1));
        if (graph.linkLists_[row] == nullptr) {
            graph.element_levels_[row] = 0;
            throw std::bad_alloc();
        }
        for (std::size_t level = 1; level <= levels; ++level)
            thaw_list(graph, base.neighbours(node, level), base.m, base.rows(),
                      graph.get_linklist(node, static_cast<int>(level)));
    }
    graph.enterpoint_node_ = base.entry;
    graph.maxlevel_ = static_cast<int>(base.top_level);
}

/// Whether rows were inserted in their order, as one thread does.
bool in_order(const Hnsw& graph) {
    for (std::size_t i = 0; i < graph.cur_element_count; ++i) {
        if (graph.getExternalLabel(static_cast<hnswlib::tableint>(i)) != i) return false;
    }
    return true;
}

/// Copies one list of hnswlib's, whose ids are in the order of insertion, as row numbers.
void freeze_list(const Hnsw& graph, bool ordered, const hnswlib::linklistsizeint* list, std::uint32_t* to, std::size_t capacity) {
    const std::size_t size = graph.getListCount(const_cast<hnswlib::linklistsizeint*>(list));
    for (std::size_t i = 0; i < size; ++i)
        to[i] = ordered ? list[1 + i] : static_cast<std::uint32_t>(graph.getExternalLabel(list[1 + i]));
    std::fill(to + size, to + capacity, kNoRow);
}

Graph freeze(const Hnsw& graph, const Progress& progress) {
    const std::size_t count = graph.cur_element_count;
    Graph out;
    out.m = graph.M_;
    out.entry = static_cast<std::uint32_t>(graph.getExternalLabel(graph.enterpoint_node_));
    out.top_level = static_cast<std::uint32_t>(graph.maxlevel_);
    out.levels.resize(count);
    std::vector<hnswlib::tableint> internal(count);
    for (std::size_t i = 0; i < count; ++i) {
        const auto node = static_cast<hnswlib::tableint>(i);
        const std::size_t row = graph.getExternalLabel(node);
        internal[row] = node;
        out.levels[row] = static_cast<std::uint8_t>(graph.element_levels_[i]);
    }
    out.upper.resize(out.index_upper() * out.m);
    out.own_level0 = AlignedArray<std::uint32_t>(count * 2 * out.m);
    out.level0 = out.own_level0.data();
    const bool ordered = in_order(graph);
    for (std::size_t row = 0; row < count; ++row) {
        if (row % kCopiesPerReport == 0) report(progress, count, count);
        freeze_list(graph, ordered, graph.get_linklist0(internal[row]), out.own_level0.data() + row * 2 * out.m, 2 * out.m);
        for (std::size_t level = 1; level <= out.levels[row]; ++level) {
            freeze_list(graph, ordered, graph.get_linklist(internal[row], static_cast<int>(level)),
                        out.upper.data() + (out.upper_begin[row] + level - 1) * out.m, out.m);
        }
    }
    out.stragglers = out.unreached(progress);
    return out;
}

/// Runs `work`, which calls hnswlib, and turns what that throws into an Error. Errors and the caller's exceptions pass.
template <typename Work>
auto translated(const Rows& rows, Work work) {
    try {
        return work();
    } catch (const Error&) {
        throw;
    } catch (const std::bad_alloc&) {
        fail(Code::kOutOfMemory, "a graph of {} rows x {} needs more memory than there is", rows.size(), rows.dimension());
    } catch (const std::runtime_error& error) {
        const std::string_view text = error.what();
        const Code code = text.starts_with("Not enough memory") ? Code::kOutOfMemory : Code::kInternal;
        fail(code, "hnswlib refused a graph of {} rows x {}: {}", rows.size(), rows.dimension(), quote(text));
    }
}

/// Inserts the rows from `first` on.
void insert_rows(Hnsw& graph, const Rows& rows, const CodeRows* codes, std::size_t copied, std::size_t first, std::size_t threads,
                 const Progress& progress) {
    const auto insert = [&](std::size_t begin, std::size_t end) {
        RowData data(rows, codes, copied);
        for (std::size_t row = begin; row < end; ++row) graph.addPoint(data(row), row);
    };
    const std::size_t count = rows.size();
    report(progress, 0, count - first);
    std::size_t begin = first;
    if (begin == 0) insert(begin++, 1);  // alone: hnswlib's first element makes the entry point
    ThreadPool pool(std::max<std::size_t>(1, threads));
    const std::size_t step = pool.size() == 1 ? kRowsAlone : kRowsPerPart * pool.size();
    for (; begin < count; begin += step) {
        const std::size_t end = std::min(count, begin + step);
        translated(rows, [&] {
            pool.run((end - begin + kRowsPerPart - 1) / kRowsPerPart, [&](std::size_t part) {
                const std::size_t from = begin + part * kRowsPerPart;
                insert(from, std::min(end, from + kRowsPerPart));
            });
        });
        report(progress, end - first, count - first);
    }
}

}  // namespace

Graph build_graph(const Rows& rows, const CodeRows* codes, const Graph* base, const GraphOptions& options,
                  const Progress& progress) {
    if (rows.size() == 0) return {};
    const std::size_t first = base == nullptr ? 0 : base->rows();
    RowSpace space(rows, codes, options);
    const auto graph = translated(rows, [&] {
        // Another seed for each addition, or its levels would be those of the first rows once more.
        auto made = std::make_unique<Hnsw>(&space, rows.size(), options.m, options.ef_construction,
                                           static_cast<std::size_t>(options.seed) + first);
        align(*made, space.copied());
        if (base != nullptr) thaw(*made, *base, RowData(rows, codes, space.copied()), progress);
        return made;
    });
    insert_rows(*graph, rows, codes, space.copied(), first, options.threads, progress);
    return translated(rows, [&] { return freeze(*graph, progress); });
}

}  // namespace rag::core
