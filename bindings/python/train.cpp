// Files of training data: (kind, rows as JSON, lines, labels, skipped count, skipped). python/librag/data/read.py gives it its
// face.
#include "common.hpp"

namespace rag::python {
namespace {

TrainingOptions training_options_of(const py::dict& arguments) {
    TrainingOptions options;
    const std::vector<std::pair<const char*, std::string*>> texts = {{"format", &options.format},
                                                                     {"encoding", &options.encoding},
                                                                     {"text", &options.text_column},
                                                                     {"pair", &options.pair_column},
                                                                     {"label", &options.label_column},
                                                                     {"query", &options.query_column},
                                                                     {"positive", &options.positive_column},
                                                                     {"negatives", &options.negatives_column},
                                                                     {"messages", &options.messages_column},
                                                                     {"split", &options.split}};
    for (const auto& [name, target] : texts) {
        if (!arguments.contains(name)) continue;
        if (const auto text = optional_text(arguments[name], name)) *target = std::string(*text);
    }
    options.kind = static_cast<RowKind>(arguments["kind"].cast<std::uint32_t>());
    for (const py::handle label : arguments["labels"]) options.labels.emplace_back(text_of(label, "labels"));
    options.max_row_bytes = arguments["max_row_bytes"].cast<std::uint64_t>();
    options.skip_bad_rows = arguments["skip_bad_rows"].cast<bool>();
    options.progress = progress_of(py::none());  // hears Ctrl-C
    return options;
}

py::tuple training_rows_of(const TrainingRows& rows) {
    std::vector<std::pair<std::uint64_t, std::string>> skipped;
    for (const SkippedRow& row : rows.skipped) skipped.emplace_back(row.line, row.reason);
    py::list texts(rows.rows.size());
    std::vector<std::uint64_t> lines;
    for (std::size_t i = 0; i < rows.rows.size(); ++i) {
        texts[i] = to_str(rows.rows[i].json);
        lines.push_back(rows.rows[i].line);
    }
    return py::make_tuple(static_cast<std::uint32_t>(rows.kind), std::move(texts), std::move(lines), rows.labels,
                          rows.skipped_count, std::move(skipped));
}

}  // namespace

void bind_train(py::module_& module) {
    module.def(
        "read_training_rows",
        [](const py::object& path, const py::dict& options) {
            const std::string_view view = text_of(path, "path");
            const TrainingOptions known = training_options_of(options);
            TrainingRows rows;
            {
                const GilRelease release;
                rows = read_training_rows(view, known);
            }
            return training_rows_of(rows);
        },
        py::arg("path"), py::arg("options"));
    module.def(
        "read_training_bytes",
        [](const py::bytes& bytes, const py::object& name, const py::dict& options) {
            const auto content = static_cast<std::string_view>(bytes);
            const std::string_view view = text_of(name, "name");
            const TrainingOptions known = training_options_of(options);
            TrainingRows rows;
            {
                const GilRelease release;
                rows = read_training_rows(content, view, known);
            }
            return training_rows_of(rows);
        },
        py::arg("bytes"), py::arg("name"), py::arg("options"));
}

}  // namespace rag::python
