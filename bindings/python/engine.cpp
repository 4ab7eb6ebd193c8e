// Engine, hits and answers. JSON (metadata, filters, reports) stays text here; python/librag turns it into objects.
#include "common.hpp"

namespace rag::python {
namespace {

SearchMode mode_of(const py::object& mode) {
    if (mode.is_none()) return SearchMode::kAuto;
    const auto name = std::string(text_of(mode, "mode"));
    if (name == "hybrid") return SearchMode::kHybrid;
    if (name == "vector") return SearchMode::kVector;
    if (name == "bm25") return SearchMode::kBm25;
    throw Error(RAG_INVALID_ARGUMENT, "mode is \"" + name + "\", it must be hybrid, vector, bm25 or None");
}

/// The numbers of a list or tuple; nothing if it holds anything else. Without numpy, whose import takes longer than a search.
std::optional<std::vector<float>> plain_vector_of(const py::object& object) {
    if (!py::isinstance<py::list>(object) && !py::isinstance<py::tuple>(object)) return std::nullopt;
    std::vector<float> numbers;
    numbers.reserve(py::len(object));
    for (const py::handle item : object) {
        if (!PyFloat_Check(item.ptr()) && !PyLong_Check(item.ptr())) return std::nullopt;
        const double number = PyFloat_AsDouble(item.ptr());
        if (PyErr_Occurred() != nullptr) throw py::error_already_set();
        numbers.push_back(static_cast<float>(number));
    }
    return numbers;
}

std::vector<float> vector_of(const py::object& object) {
    if (object.is_none()) return {};
    if (auto numbers = plain_vector_of(object); numbers && !numbers->empty()) return *std::move(numbers);
    const Matrix matrix = matrix_of(object, "vector");
    if (matrix.rows != 1)
        throw Error(RAG_INVALID_ARGUMENT, "vector has " + std::to_string(matrix.rows) + " rows, it must have 1");
    if (matrix.columns == 0) throw Error(RAG_INVALID_ARGUMENT, "vector is empty");
    return {matrix.array.data(), matrix.array.data() + matrix.columns};
}

/// (id or None, text, title or None, metadata JSON or None, vector or None, source or None, language or None, kind) of each
/// document. Texts are views into the objects.
struct Documents {
    std::vector<py::object> owners;
    std::vector<std::vector<float>> vectors;
    std::vector<rag_document> documents;

    explicit Documents(const py::sequence& rows) {
        vectors.reserve(py::len(rows));
        for (const py::handle row : rows) {
            const auto fields = row.cast<py::tuple>();
            owners.push_back(fields);
            rag_document document = RAG_DOCUMENT_INIT;
            const auto field = [&](std::size_t i, const char* name) {
                const auto text = optional_text(fields[i], name);
                return text ? detail::text(*text) : rag_text{nullptr, 0};
            };
            document.id = field(0, "id");
            document.text = field(1, "text");
            document.title = field(2, "title");
            document.metadata = field(3, "metadata");
            vectors.push_back(vector_of(fields[4]));
            document.source = field(5, "source");
            document.language = field(6, "language");
            document.kind = fields[7].cast<std::uint32_t>();
            if (!vectors.back().empty()) document.vector = vectors.back().data();
            document.dimension = static_cast<std::uint32_t>(vectors.back().size());
            documents.push_back(document);
        }
    }
};

std::vector<std::string> write(Engine& engine, const py::sequence& rows, bool upsert, std::uint32_t batch_documents,
                               py::object callback) {
    const Documents held(rows);
    const Progress progress = progress_of(std::move(callback));
    const GilRelease release;
    detail::ProgressBridge bridge(progress);
    rag_write_options options = RAG_WRITE_OPTIONS_INIT;
    options.batch_documents = batch_documents;
    options.progress = bridge.function();
    options.user_data = bridge.data();
    rag_strings* raw = nullptr;
    const auto function = upsert ? &rag_engine_upsert : &rag_engine_add;
    const rag_status status = function(engine.handle(), held.documents.data(), held.documents.size(), &options, &raw);
    const detail::Handle<rag_strings, rag_strings_free> owner(raw);
    bridge.rethrow();
    detail::check(status);
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < rag_strings_count(raw); ++i) ids.push_back(detail::copy(rag_strings_at(raw, i)));
    return ids;
}

std::uint64_t remove(Engine& engine, const py::object& ids, const py::object& where, py::object callback) {
    std::optional<Texts> held;
    std::vector<rag_text> views;
    if (!ids.is_none()) {
        held.emplace(ids.cast<py::iterable>(), "ids");
        for (const auto view : held->views()) views.push_back(detail::text(view));
        if (views.empty()) return 0;
    }
    const auto filter = optional_text(where, "where");
    std::uint64_t deleted = 0;
    const Progress progress = progress_of(std::move(callback));
    const GilRelease release;
    detail::ProgressBridge bridge(progress);
    const rag_text matching = filter ? detail::text(*filter) : rag_text{nullptr, 0};
    const rag_status status =
        rag_engine_delete(engine.handle(), views.data(), views.size(), matching, bridge.function(), bridge.data(), &deleted);
    bridge.rethrow();
    detail::check(status);
    return deleted;
}

/// (k1, b, language, variant, delta, k3, title_weight, positions), or None.
std::optional<Bm25IndexOptions> bm25_of(const py::object& settings) {
    if (settings.is_none()) return std::nullopt;
    const auto values = settings.cast<py::tuple>();
    return bm25_options_of(values[0].cast<float>(), values[1].cast<float>(), values[2].cast<std::string>(),
                           values[3].cast<std::string>(), values[4].cast<float>(), values[5].cast<float>(),
                           values[6].cast<float>(), values[7].cast<bool>());
}

// Highlights that become tuples between two looks for signals.
constexpr std::size_t kRangesPerPoll = 65536;

/// Pairs of first character and end in the hit's text.
py::list highlights_of(const Hit& hit) {
    std::size_t byte = 0;
    std::size_t character = 0;
    const auto advance = [&](std::size_t to) {
        for (; byte < to; ++byte) character += (static_cast<unsigned char>(hit.text[byte]) & 0xC0U) != 0x80U;
        return character;
    };
    py::list out;
    for (const auto& [start, end] : hit.highlights) {
        if (out.size() % kRangesPerPoll == kRangesPerPoll - 1) check_signals();
        const std::size_t first = advance(start);
        out.append(py::make_tuple(first, advance(end)));
    }
    return out;
}

/// What all queries of a call share.
Query settings_of(std::uint32_t k, const py::object& mode, const py::object& where, bool explain, const py::dict& more) {
    Query query;
    query.k = k;
    query.mode = mode_of(mode);
    query.where = std::string(optional_text(where, "where").value_or(std::string_view()));
    query.explain = explain;
    for (const auto& [key, value] : more) {
        const auto name = py::cast<std::string>(key);
        if (name == "offset") {
            query.offset = py::cast<std::uint32_t>(value);
        } else if (name == "candidates") {
            query.candidates = py::cast<std::uint32_t>(value);
        } else if (name == "fusion") {
            query.fusion = static_cast<Fusion>(py::cast<std::uint32_t>(value));
        } else if (name == "vector_weight") {
            query.vector_weight = py::cast<float>(value);
        } else if (name == "diversity") {
            query.diversity = py::cast<float>(value);
        } else if (name == "group_hits") {
            query.group_hits = py::cast<std::uint32_t>(value);
        } else if (name == "expand") {
            query.expand = static_cast<Expand>(py::cast<std::uint32_t>(value));
        } else if (name == "neighbours") {
            query.neighbours = py::cast<std::uint32_t>(value);
        } else if (name == "link_weight") {
            query.link_weight = py::cast<float>(value);
        } else if (name == "link_damping") {
            query.link_damping = py::cast<float>(value);
        } else if (name == "rerank") {
            query.rerank = py::cast<std::uint32_t>(value);
        } else if (name == "operators") {
            query.syntax = py::cast<bool>(value) ? Bm25Syntax::kLanguage : Bm25Syntax::kPlain;
        } else if (name == "highlight") {
            query.highlight = py::cast<bool>(value);
        } else if (name == "min_score") {
            query.min_score = py::cast<float>(value);
        } else {
            throw py::type_error("search got an unknown setting '" + name + "'");
        }
    }
    return query;
}

std::vector<Hit> search(const Engine& engine, const py::object& text, const py::object& vector, const Query& settings) {
    Query query = settings;
    query.text = std::string(optional_text(text, "query").value_or(std::string_view()));
    query.vector = vector_of(vector);
    const Progress signals = progress_of(py::none());
    const GilRelease release;
    return engine.search(query, signals);
}

/// `vectors`: None, or one a text.
std::vector<std::vector<Hit>> search_batch(const Engine& engine, const py::list& texts, const py::object& vectors,
                                           const Query& settings, std::uint32_t threads, const py::object& progress) {
    std::vector<Query> queries(texts.size(), settings);
    for (std::size_t i = 0; i < queries.size(); ++i) queries[i].text = std::string(text_of(texts[i], "query"));
    if (!vectors.is_none()) {
        std::size_t i = 0;
        for (const auto& row : vectors) {
            if (i < queries.size()) queries[i].vector = vector_of(py::reinterpret_borrow<py::object>(row));
            ++i;
        }
        if (i != queries.size())
            throw py::value_error("there are " + std::to_string(queries.size()) + " queries and " + std::to_string(i) +
                                  " vectors");
    }
    const Progress bridge = progress_of(progress);
    const GilRelease release;
    return engine.search(queries, threads, bridge);
}

/// Links as tuples (source, target, type, weight).
std::vector<Link> links_of(const py::iterable& tuples) {
    std::vector<Link> out;
    for (const auto& item : tuples) {
        const auto tuple = py::cast<py::tuple>(item);
        out.push_back({std::string(text_of(tuple[0], "source")), std::string(text_of(tuple[1], "target")),
                       std::string(text_of(tuple[2], "type")), py::cast<double>(tuple[3])});
    }
    return out;
}

Answer ask(const Engine& engine, const py::object& question, std::uint32_t k, const py::object& mode, const py::object& where,
           const py::dict& generation) {
    AskOptions options;
    options.k = k;
    options.mode = mode_of(mode);
    options.where = std::string(optional_text(where, "where").value_or(std::string_view()));
    options.generation = generate_options_of(generation);
    const std::string_view text = text_of(question, "question");
    const GilRelease release;
    return engine.ask(text, options);
}

/// Citations with offsets in characters: (start, end, hit, hit_start, hit_end, score).
py::list citations_of(const Answer& answer) {
    const CharacterOffsets in_answer(answer.text);
    std::vector<CharacterOffsets> in_hit;
    in_hit.reserve(answer.hits.size());
    for (const Hit& hit : answer.hits) in_hit.emplace_back(hit.text);
    py::list out;
    for (const Citation& citation : answer.citations) {
        const CharacterOffsets& map = in_hit.at(citation.hit);
        out.append(py::make_tuple(in_answer(citation.start), in_answer(citation.end), citation.hit, map(citation.hit_start),
                                  map(citation.hit_end), citation.score));
    }
    return out;
}

py::list unsupported_of(const Answer& answer) {
    const CharacterOffsets in_answer(answer.text);
    py::list out;
    for (const auto& [start, end] : answer.unsupported) out.append(py::make_tuple(in_answer(start), in_answer(end)));
    return out;
}

/// ([(kind, sequence, id), ...], next, last)
py::tuple changes(const Engine& engine, std::uint64_t since, std::uint64_t limit) {
    Changes found;
    {
        const GilRelease release;
        found = engine.changes(since, limit);
    }
    py::list rows;
    for (const Change& change : found.changes) {
        rows.append(py::make_tuple(static_cast<std::uint32_t>(change.kind), change.sequence, change.id));
    }
    return py::make_tuple(rows, found.next, found.last);
}

/// Calls function(id or None, problem); None: there is no function, and damage is an error.
Engine::OnDamaged damage_of(py::object function) {
    if (function.is_none()) return nullptr;
    return [held = hold(std::move(function))](std::string_view id, std::string_view problem) {
        if (interpreter_ends()) return false;
        const GilAcquire gil;
        (*held)(id.empty() ? py::object(py::none()) : py::object(py::str(id.data(), id.size())),
                py::str(problem.data(), problem.size()));
        return true;
    };
}

/// Calls line(bytes) for every line.
std::uint64_t export_lines(const Engine& engine, py::object line, bool vectors, py::object on_damaged) {
    const Engine::OnDamaged damage = damage_of(std::move(on_damaged));
    const auto held = hold(std::move(line));
    const GilRelease release;
    return engine.export_lines(
        [&](std::string_view text) {
            if (interpreter_ends()) return false;
            const GilAcquire gil;
            check_signals();
            (*held)(py::bytes(text.data(), text.size()));
            return true;
        },
        vectors, damage);
}

}  // namespace

void bind_engine(py::module_& module) {
    py::class_<Hit>(module, "Hit")
        .def_readonly("id", &Hit::id)
        .def_readonly("doc_id", &Hit::doc_id)
        .def_readonly("text", &Hit::text)
        .def_readonly("title", &Hit::title)
        .def_readonly("metadata", &Hit::metadata)
        .def_readonly("score", &Hit::score)
        .def_readonly("vector_score", &Hit::vector_score)
        .def_readonly("bm25_score", &Hit::bm25_score)
        .def_readonly("start", &Hit::start)
        .def_readonly("end", &Hit::end)
        .def_property_readonly("highlights", &highlights_of)
        .def_readonly("explain", &Hit::explain)
        .def_readonly("title_path", &Hit::title_path)
        .def_readonly("context", &Hit::context)
        .def_readonly("context_start", &Hit::context_start)
        .def_readonly("context_end", &Hit::context_end);

    py::class_<Query>(module, "Query")
        .def(py::init(&settings_of), py::arg("k"), py::arg("mode"), py::arg("where"), py::arg("explain"), py::arg("more"));

    py::class_<StoredDocument>(module, "StoredDocument")
        .def_readonly("id", &StoredDocument::id)
        .def_readonly("text", &StoredDocument::text)
        .def_readonly("title", &StoredDocument::title)
        .def_readonly("metadata", &StoredDocument::metadata)
        .def_readonly("created_ms", &StoredDocument::created_ms)
        .def_readonly("updated_ms", &StoredDocument::updated_ms)
        .def_readonly("chunks", &StoredDocument::chunks)
        .def_readonly("source", &StoredDocument::source)
        .def_readonly("language", &StoredDocument::language);

    py::class_<Answer>(module, "Answer")
        .def_readonly("text", &Answer::text)
        .def_readonly("hits", &Answer::hits)
        .def_readonly("usage", &Answer::usage)
        .def_property_readonly("citations", &citations_of)
        .def_property_readonly("unsupported", &unsupported_of);

    py::class_<Engine>(module, "Engine", py::release_gil_before_calling_cpp_dtor())
        .def(py::init([](const py::object& path, const Encoder* embedder, const Generator* generator, const Classifier* reranker,
                         bool read_only, std::uint32_t chunk_tokens, std::uint32_t chunk_overlap, const std::string& vector_dtype,
                         std::uint32_t chunker, py::object callback, bool accept_loss, const py::object& bm25,
                         const std::optional<std::string>& metric) {
                 EngineOptions options;
                 options.embedder = embedder;
                 options.generator = generator;
                 options.reranker = reranker;
                 options.read_only = read_only;
                 options.chunk_tokens = chunk_tokens;
                 options.chunk_overlap = chunk_overlap;
                 options.vector_dtype = index_dtype(vector_dtype);
                 options.chunker = static_cast<Chunker>(chunker);
                 options.progress = progress_of(std::move(callback));
                 options.accept_loss = accept_loss;
                 options.bm25 = bm25_of(bm25);
                 if (metric) options.metric = metric_of(*metric);
                 const std::string_view view = optional_text(path, "path").value_or(std::string_view());
                 if (!path.is_none() && view.empty()) {
                     throw Error(RAG_INVALID_ARGUMENT, "path is empty; None is a knowledge base in memory");
                 }
                 const GilRelease release;
                 return std::make_unique<Engine>(view, options);
             }),
             py::arg("path"), py::arg("embedder"), py::arg("generator"), py::arg("reranker"), py::arg("read_only"),
             py::arg("chunk_tokens"), py::arg("chunk_overlap"), py::arg("vector_dtype"), py::arg("chunker"), py::arg("progress"),
             py::arg("accept_loss"), py::arg("bm25"), py::arg("metric"))
        .def("close", &Engine::close, py::call_guard<GilRelease>())
        .def("write", &write, py::arg("documents"), py::arg("upsert"), py::arg("batch_documents"), py::arg("progress"))
        .def("delete", &remove, py::arg("ids"), py::arg("where"), py::arg("progress"))
        .def(
            "get",
            [](const Engine& self, const py::iterable& ids, py::object callback) {
                const Texts held(ids, "ids");
                const std::vector<std::string> copies(held.views().begin(), held.views().end());
                const Progress progress = progress_of(std::move(callback));
                const GilRelease release;
                return self.get(copies, progress);
            },
            py::arg("ids"), py::arg("progress"))
        .def("count", &Engine::count, py::call_guard<GilRelease>())
        .def("search", &search, py::arg("query"), py::arg("vector"), py::arg("settings"))
        .def("search_batch", &search_batch, py::arg("queries"), py::arg("vectors"), py::arg("settings"), py::arg("threads"),
             py::arg("progress"))
        .def(
            "link",
            [](Engine& self, const py::iterable& links) {
                const auto c_links = links_of(links);
                const GilRelease release;
                self.link(c_links);
            },
            py::arg("links"))
        .def(
            "unlink",
            [](Engine& self, const py::iterable& links) {
                const auto c_links = links_of(links);
                const GilRelease release;
                return self.unlink(c_links);
            },
            py::arg("links"))
        .def(
            "links",
            [](const Engine& self, const py::iterable& ids) {
                const Texts held(ids, "ids");
                const std::vector<std::string> copies(held.views().begin(), held.views().end());
                std::vector<Link> found;
                {
                    const GilRelease release;
                    found = self.links(copies);
                }
                py::list out;
                for (const Link& link : found)
                    out.append(py::make_tuple(to_str(link.source), to_str(link.target), to_str(link.type), link.weight));
                return out;
            },
            py::arg("ids"))
        .def("ask", &ask, py::arg("question"), py::arg("k"), py::arg("mode"), py::arg("where"), py::arg("generation"))
        .def("stats", &Engine::stats, py::call_guard<GilRelease>())
        .def(
            "verify",
            [](const Engine& self, py::object callback) {
                const Progress progress = progress_of(std::move(callback));
                const GilRelease release;
                std::string report;
                self.verify(&report, progress);
                return report;
            },
            py::arg("progress"))
        .def(
            "compact",
            [](Engine& self, py::object callback) {
                const Progress progress = progress_of(std::move(callback));
                const GilRelease release;
                self.compact(progress);
            },
            py::arg("progress"))
        .def(
            "reembed",
            // A result that is returned may be lost to Ctrl-C before it is assigned; what is in the list is not.
            [](Engine& self, const Encoder& embedder, py::object callback, py::list report) {
                const Progress progress = progress_of(std::move(callback));
                std::string done;
                {
                    const GilRelease release;
                    done = self.reembed(embedder, progress);
                }
                report.append(done);
            },
            py::arg("embedder"), py::arg("progress"), py::arg("report"))
        .def(
            "use",
            [](Engine& self, std::uint32_t parts, const Encoder* embedder, const Classifier* reranker,
               const Generator* generator) {
                rag::EngineModels models;
                if ((parts & RAG_PART_EMBEDDER) != 0) models.embedder = embedder;
                if ((parts & RAG_PART_RERANKER) != 0) models.reranker = reranker;
                if ((parts & RAG_PART_GENERATOR) != 0) models.generator = generator;
                self.use(models);
            },
            py::arg("parts"), py::arg("embedder"), py::arg("reranker"), py::arg("generator"), py::call_guard<GilRelease>())
        .def("changes", &changes, py::arg("since"), py::arg("limit"))
        .def(
            "backup",
            [](const Engine& self, const py::object& path, py::object callback) {
                const std::string_view target = text_of(path, "path");
                const Progress progress = progress_of(std::move(callback));
                const GilRelease release;
                self.backup(target, progress);
            },
            py::arg("path"), py::arg("progress"))
        .def(
            "export_file",
            [](const Engine& self, const py::object& path, bool vectors, py::object callback, py::object on_damaged) {
                const std::string_view target = text_of(path, "path");
                const Progress progress = progress_of(std::move(callback));
                const Engine::OnDamaged damage = damage_of(std::move(on_damaged));
                const GilRelease release;
                return self.export_file(target, vectors, progress, damage);
            },
            py::arg("path"), py::arg("vectors"), py::arg("progress"), py::arg("on_damaged"))
        .def("export_lines", &export_lines, py::arg("line"), py::arg("vectors"), py::arg("on_damaged"))
        .def(
            "import_file",
            [](Engine& self, const py::object& path, py::object callback) {
                const std::string_view source = text_of(path, "path");
                const Progress progress = progress_of(std::move(callback));
                const GilRelease release;
                return self.import_file(source, progress);
            },
            py::arg("path"), py::arg("progress"));
}

}  // namespace rag::python
