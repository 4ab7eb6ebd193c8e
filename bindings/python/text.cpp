// Reader, clean and chunk. Offsets of chunks are in characters here, as everything in Python's texts is.
#include "common.hpp"

namespace rag::python {
namespace {

std::string optional_string(const py::object& object, const char* what) {
    return std::string(optional_text(object, what).value_or(std::string_view()));
}

/// Keyword arguments as in rag::ReadOptions; None is not given.
ReadOptions read_options_of(const py::dict& arguments) {
    ReadOptions options;
    const std::vector<std::pair<const char*, std::string*>> texts = {{"format", &options.format},
                                                                     {"encoding", &options.encoding},
                                                                     {"id", &options.id},
                                                                     {"title", &options.title},
                                                                     {"source", &options.source},
                                                                     {"text_field", &options.text_field},
                                                                     {"title_field", &options.title_field},
                                                                     {"id_field", &options.id_field}};
    for (const auto& [name, target] : texts) {
        if (arguments.contains(name)) *target = optional_string(arguments[name], name);
    }
    if (arguments.contains("delimiter")) {
        const std::string delimiter = optional_string(arguments["delimiter"], "delimiter");
        if (delimiter.size() > 1)
            throw Error(RAG_INVALID_ARGUMENT, "delimiter is \"" + delimiter + "\", it must be one character");
        if (!delimiter.empty()) options.delimiter = delimiter.front();
    }
    if (arguments.contains("control")) options.cleaning.control = arguments["control"].cast<bool>();
    if (arguments.contains("whitespace")) options.cleaning.whitespace = arguments["whitespace"].cast<bool>();
    if (arguments.contains("nfc")) options.cleaning.nfc = arguments["nfc"].cast<bool>();
    // Also without a function of the caller's: it hears Ctrl-C.
    options.progress = progress_of(arguments.contains("progress") ? py::object(arguments["progress"]) : py::none());
    return options;
}

std::string clean_text(const py::object& text, bool control, bool whitespace, bool nfc) {
    const std::string_view view = text_of(text, "text");
    const Progress signals = progress_of(py::none());
    const GilRelease release;
    return clean(view, {control, whitespace, nfc}, signals);
}

/// (start, end, parent_start, parent_end, title_path) of each chunk, in characters.
py::list chunk_text(const py::object& text, std::uint32_t kind, std::uint32_t chunker, std::uint32_t max_tokens,
                    std::uint32_t overlap_tokens, const Tokenizer* tokenizer) {
    const std::string_view view = text_of(text, "text");
    const Progress progress = progress_of(py::none());
    std::vector<Chunk> chunks;
    {
        const GilRelease release;
        chunks = chunk(view, {static_cast<TextKind>(kind), static_cast<Chunker>(chunker), max_tokens, overlap_tokens, tokenizer},
                       progress);
    }
    const CharacterOffsets offsets(view);
    return make_list(chunks.size(), [&](std::size_t i) {
        const Chunk& c = chunks[i];
        return py::make_tuple(offsets(c.start), offsets(c.end), offsets(c.parent_start), offsets(c.parent_end),
                              to_str(c.title_path))
            .release()
            .ptr();
    });
}

}  // namespace

void bind_text(py::module_& module) {
    py::class_<Document>(module, "ReadDocument")
        .def_readonly("id", &Document::id)
        .def_readonly("text", &Document::text)
        .def_readonly("title", &Document::title)
        .def_readonly("metadata", &Document::metadata)
        .def_readonly("source", &Document::source)
        .def_readonly("language", &Document::language)
        .def_property_readonly("kind", [](const Document& self) { return static_cast<std::uint32_t>(self.kind); });

    py::class_<Reader>(module, "Reader")
        .def_static(
            "open",
            [](const py::object& path, const py::dict& options) {
                const std::string_view view = text_of(path, "path");
                ReadOptions known = read_options_of(options);
                const GilRelease release;
                return std::make_unique<Reader>(view, std::move(known));
            },
            py::arg("path"), py::arg("options"))
        .def_static(
            "of_bytes",
            [](const py::bytes& bytes, const py::object& name, const py::dict& options) {
                const auto content = static_cast<std::string_view>(bytes);
                const std::string_view view = text_of(name, "name");
                ReadOptions known = read_options_of(options);
                const GilRelease release;
                return std::make_unique<Reader>(Reader::of_bytes(content, view, std::move(known)));
            },
            py::arg("bytes"), py::arg("name"), py::arg("options"))
        .def("next", &Reader::next, py::call_guard<GilRelease>())
        .def_property_readonly("blank_count", &Reader::blank_count)
        .def_static("formats", &Reader::formats);

    module.def("clean", &clean_text, py::arg("text"), py::arg("control"), py::arg("whitespace"), py::arg("nfc"));
    module.def("chunk", &chunk_text, py::arg("text"), py::arg("kind"), py::arg("chunker"), py::arg("max_tokens"),
               py::arg("overlap_tokens"), py::arg("tokenizer"));
}

}  // namespace rag::python
