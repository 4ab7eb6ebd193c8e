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

/// Steps are told to `on_step` as (evaluated, step, steps, epoch, loss, learning rate, gradient norm, tokens a second, seconds,
/// bytes of memory, metrics as JSON or None); False stops the run.
TrainCallbacks callbacks_of(const py::object& on_step) {
    TrainCallbacks callbacks;
    const std::shared_ptr<py::object> held = hold(on_step);
    callbacks.on_step = [held](const TrainingStep& step) {
        if (interpreter_ends()) return false;
        const GilAcquire acquire;
        const py::object metrics = step.evaluated ? py::object(to_str(step.metrics_json)) : py::object(py::none());
        const py::object answer = (*held)(step.evaluated, step.step, step.steps, step.epoch, step.loss, step.learning_rate,
                                          step.gradient_norm, step.tokens_per_second, step.seconds, step.rss_bytes, metrics);
        check_signals();
        return !answer.is(py::bool_(false));
    };
    callbacks.poll = [] {
        if (interpreter_ends()) return false;
        const GilAcquire acquire;
        check_signals();
        return true;
    };
    return callbacks;
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
    py::class_<TrainingData>(module, "TrainingData")
        .def_static(
            "read",
            [](const py::object& path, const py::dict& options) {
                const std::string_view view = text_of(path, "path");
                const TrainingOptions known = training_options_of(options);
                const GilRelease release;
                return TrainingData::read(view, known);
            },
            py::arg("path"), py::arg("options"))
        .def_static(
            "read_bytes",
            [](const py::bytes& bytes, const py::object& name, const py::dict& options) {
                const auto content = static_cast<std::string_view>(bytes);
                const std::string_view view = text_of(name, "name");
                const TrainingOptions known = training_options_of(options);
                const GilRelease release;
                return TrainingData::read_bytes(content, view, known);
            },
            py::arg("bytes"), py::arg("name"), py::arg("options"))
        .def("sha256", [](const TrainingData& data) { return to_str(data.sha256()); })
        .def("__len__", &TrainingData::size)
        .def_property_readonly("kind", [](const TrainingData& data) { return static_cast<std::uint32_t>(data.kind()); });
    module.def(
        "train",
        [](const py::object& model, const py::object& task, const TrainingData& train_data, const TrainingData* eval,
           const py::object& config, const py::object& on_step, const py::object& caller, bool drop_unused) {
            const std::string_view model_view = text_of(model, "model"), task_view = text_of(task, "task");
            const std::string_view config_view = text_of(config, "config"), caller_view = text_of(caller, "caller");
            const TrainCallbacks callbacks = callbacks_of(on_step);
            std::string result;
            {
                const GilRelease release;
                result = train(model_view, task_view, train_data, eval, config_view, callbacks, caller_view, drop_unused);
            }
            return to_str(result);
        },
        py::arg("model"), py::arg("task"), py::arg("train"), py::arg("eval"), py::arg("config"), py::arg("on_step"),
        py::arg("caller"), py::arg("drop_unused"));
    module.def(
        "train_config",
        [](const py::object& task, const py::object& config) {
            return to_str(train_config(text_of(task, "task"), text_of(config, "config")));
        },
        py::arg("task"), py::arg("config"));
}

}  // namespace rag::python
