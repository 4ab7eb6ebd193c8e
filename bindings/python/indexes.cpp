// VectorIndex and BM25Index: arrays in, arrays out.
#include <algorithm>

#include "common.hpp"

namespace rag::python {
namespace {

// Ranges that become tuples between two looks for signals.
constexpr std::size_t kRangesPerPoll = 65536;
// Queries that are searched between two looks for signals.
constexpr std::size_t kQueriesPerPoll = 64;
constexpr std::size_t kResultsPerPoll = 65536;  // or fewer, where there are so many results

py::tuple to_arrays(Neighbours&& found, std::size_t rows) {
    const std::vector<py::ssize_t> shape{static_cast<py::ssize_t>(rows), static_cast<py::ssize_t>(found.k)};
    py::array_t<std::int64_t> ids(shape, found.ids.data());
    py::array_t<float> scores(shape, found.scores.data());
    return py::make_tuple(std::move(ids), std::move(scores));
}

std::optional<std::vector<std::int64_t>> filter_of(const py::object& object) {
    if (object.is_none()) return std::nullopt;
    return ids_of(object, "filter");
}

void vector_add(VectorIndex& index, const py::object& ids_object, const py::object& vectors, py::object callback) {
    const auto ids = ids_of(ids_object, "ids");
    const Matrix matrix = matrix_of(vectors, "vectors");
    const std::size_t rows = ids.empty() && matrix.array.size() == 0 ? 0 : matrix.rows;
    if (ids.size() != rows) {
        throw Error(RAG_INVALID_ARGUMENT, std::to_string(ids.size()) + " ids for " + std::to_string(rows) + " vectors");
    }
    const Progress progress = progress_of(std::move(callback));
    const float* data = matrix.array.data();
    const GilRelease release;
    index.add(ids.data(), data, ids.size(), rows == 0 ? index.dimension() : matrix.columns, progress);
}

py::tuple vector_search(const VectorIndex& index, const py::object& vectors, std::uint32_t k, std::uint32_t ef,
                        const py::object& filter) {
    const Matrix matrix = matrix_of(vectors, "vectors");
    const auto allowed = filter_of(filter);
    const float* data = matrix.array.data();
    const Progress signals = progress_of(py::none());
    Neighbours found;
    {
        const GilRelease release;
        // What is too much for one call is refused as a whole.
        const bool refused = k == 0 || matrix.rows > RAG_MAX_RESULTS / k;
        const std::size_t step = refused ? matrix.rows : std::clamp<std::size_t>(kResultsPerPoll / k, 1, kQueriesPerPoll);
        std::size_t at = 0;
        do {
            const std::size_t count = std::min(step, matrix.rows - at);
            Neighbours part =
                index.search(data + at * matrix.columns, count, matrix.columns, k, ef, allowed ? &*allowed : nullptr);
            if (at == 0) {
                found = std::move(part);
            } else {
                found.ids.insert(found.ids.end(), part.ids.begin(), part.ids.end());
                found.scores.insert(found.scores.end(), part.scores.begin(), part.scores.end());
            }
            at += count;
            if (at < matrix.rows) signals(at, matrix.rows);
        } while (at < matrix.rows);
    }
    return to_arrays(std::move(found), matrix.rows);
}

VectorIndex make_vector_index(std::uint32_t dimension, const std::string& metric, const std::string& dtype, std::uint32_t m,
                              std::uint32_t ef_construction, std::uint64_t seed) {
    VectorIndexOptions options;
    options.dimension = dimension;
    options.metric = metric_of(metric);
    options.dtype = index_dtype(dtype);
    options.m = m;
    options.ef_construction = ef_construction;
    options.seed = seed;
    return VectorIndex(options);
}

}  // namespace

Metric metric_of(const std::string& name) {
    if (name == "cosine") return Metric::kCosine;
    if (name == "ip") return Metric::kInnerProduct;
    if (name == "l2") return Metric::kL2;
    throw Error(RAG_INVALID_ARGUMENT, "metric is \"" + name + "\", it must be cosine, ip or l2");
}

Bm25IndexOptions bm25_options_of(float k1, float b, const std::string& language, const std::string& variant, float delta,
                                 float k3, float title_weight, bool positions) {
    Bm25IndexOptions options;
    options.k1 = k1;
    options.b = b;
    options.language = language;
    if (variant == "lucene") {
        options.variant = Bm25Variant::kLucene;
    } else if (variant == "okapi") {
        options.variant = Bm25Variant::kOkapi;
    } else if (variant == "plus") {
        options.variant = Bm25Variant::kPlus;
    } else if (variant == "l") {
        options.variant = Bm25Variant::kL;
    } else {
        throw Error(RAG_INVALID_ARGUMENT, "variant is \"" + variant + "\", it must be lucene, okapi, plus or l");
    }
    options.delta = delta;
    options.k3 = k3;
    options.title_weight = title_weight;
    options.positions = positions;
    return options;
}

namespace {

Bm25Syntax syntax_of(bool language) {
    return language ? Bm25Syntax::kLanguage : Bm25Syntax::kPlain;
}

/// Holds what add and upsert take while `write(ids, texts, titles, progress)` runs without the GIL.
template <typename Write>
void bm25_write(const py::object& ids_object, const py::iterable& texts, const py::object& titles, py::object callback,
                const Write& write) {
    const auto ids = ids_of(ids_object, "ids");
    const Texts held(texts, "texts");
    std::optional<Texts> held_titles;
    if (!titles.is_none()) held_titles.emplace(titles.cast<py::iterable>(), "titles");
    const std::vector<std::string_view> none;
    const Progress progress = progress_of(std::move(callback));
    const GilRelease release;
    write(ids, held.views(), held_titles ? held_titles->views() : none, progress);
}

/// Pairs of first character and end, as Python counts them.
py::list bm25_highlight(const Bm25Index& index, const py::object& query, const py::object& text_object, bool language) {
    const std::string_view text = text_of(text_object, "text");
    const std::string_view wanted = text_of(query, "query");
    const Progress signals = progress_of(py::none());
    std::vector<std::pair<std::size_t, std::size_t>> ranges;
    {
        const GilRelease release;
        ranges = index.highlight(wanted, text, syntax_of(language), signals);
    }
    std::size_t byte = 0;
    std::size_t character = 0;
    const auto advance = [&](std::size_t to) {
        for (; byte < to; ++byte) character += (static_cast<unsigned char>(text[byte]) & 0xC0U) != 0x80U;
        return character;
    };
    py::list out;
    for (const auto& [start, end] : ranges) {
        if (out.size() % kRangesPerPoll == kRangesPerPoll - 1) check_signals();
        const std::size_t first = advance(start);
        out.append(py::make_tuple(first, advance(end)));
    }
    return out;
}

/// What both indexes share: load, save, remove, size.
template <typename Index>
void bind_common(py::class_<Index>& index) {
    index
        .def_static(
            "load",
            [](const py::object& path) {
                const std::string_view view = text_of(path, "path");
                const GilRelease release;
                return Index::load(view);
            },
            py::arg("path"))
        .def(
            "save",
            [](const Index& self, const py::object& path, py::object callback) {
                const std::string_view view = text_of(path, "path");
                const Progress progress = progress_of(std::move(callback));
                const GilRelease release;
                self.save(view, progress);
            },
            py::arg("path"), py::arg("progress"))
        .def(
            "remove",
            [](Index& self, const py::object& object) {
                const auto ids = ids_of(object, "ids");
                const GilRelease release;
                return self.remove(ids);
            },
            py::arg("ids"))
        .def("__len__", &Index::size);
}

}  // namespace

void bind_indexes(py::module_& module) {
    py::class_<VectorIndex> vector(module, "VectorIndex");
    vector
        .def(py::init(&make_vector_index), py::arg("dim"), py::arg("metric"), py::arg("dtype"), py::arg("m"),
             py::arg("ef_construction"), py::arg("seed"))
        .def("add", &vector_add, py::arg("ids"), py::arg("vectors"), py::arg("progress"))
        .def("search", &vector_search, py::arg("vectors"), py::arg("k"), py::arg("ef"), py::arg("filter"))
        .def_property_readonly("dim", &VectorIndex::dimension);
    bind_common(vector);

    py::class_<Bm25Index> bm25(module, "BM25Index");
    bm25.def(py::init([](float k1, float b, const std::string& language, const std::string& variant, float delta, float k3,
                         float title_weight, bool positions) {
                 return Bm25Index(bm25_options_of(k1, b, language, variant, delta, k3, title_weight, positions));
             }),
             py::arg("k1"), py::arg("b"), py::arg("language"), py::arg("variant"), py::arg("delta"), py::arg("k3"),
             py::arg("title_weight"), py::arg("positions"))
        .def(
            "add",
            [](Bm25Index& self, const py::object& ids, const py::iterable& texts, const py::object& titles, py::object callback) {
                bm25_write(ids, texts, titles, std::move(callback),
                           [&self](const auto&... arguments) { self.add(arguments...); });
            },
            py::arg("ids"), py::arg("texts"), py::arg("titles"), py::arg("progress"))
        .def(
            "upsert",
            [](Bm25Index& self, const py::object& ids, const py::iterable& texts, const py::object& titles, py::object callback) {
                std::uint64_t replaced = 0;
                bm25_write(ids, texts, titles, std::move(callback),
                           [&](const auto&... arguments) { replaced = self.upsert(arguments...); });
                return replaced;
            },
            py::arg("ids"), py::arg("texts"), py::arg("titles"), py::arg("progress"))
        .def(
            "search",
            [](const Bm25Index& self, const py::iterable& queries, std::uint32_t k, const py::object& filter, bool language) {
                const Texts held(queries, "queries");
                const auto allowed = filter_of(filter);
                const Progress signals = progress_of(py::none());
                Neighbours found;
                {
                    const GilRelease release;
                    found = self.search(held.views(), k, allowed ? &*allowed : nullptr, syntax_of(language), signals);
                }
                return to_arrays(std::move(found), held.views().size());
            },
            py::arg("queries"), py::arg("k"), py::arg("filter"), py::arg("operators"))
        .def(
            "explain",
            [](const Bm25Index& self, const py::object& query, std::int64_t id, bool language) {
                const std::string_view text = text_of(query, "query");
                const Progress signals = progress_of(py::none());
                const GilRelease release;
                return self.explain(text, id, syntax_of(language), signals);
            },
            py::arg("query"), py::arg("id"), py::arg("operators"))
        .def("highlight", &bm25_highlight, py::arg("query"), py::arg("text"), py::arg("operators"));
    bind_common(bm25);
}

}  // namespace rag::python
