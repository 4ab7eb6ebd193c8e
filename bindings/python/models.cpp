// Encoder and Generator.
#include <atomic>
#include <cstring>
#include <optional>

#include "common.hpp"

namespace rag::python {
namespace {

Dtype dtype_of(const std::string& name) {
    if (name == "float32") return Dtype::kFloat32;
    if (name == "bfloat16") return Dtype::kBFloat16;
    if (name == "float16") return Dtype::kFloat16;
    if (name == "int8") return Dtype::kInt8;
    if (name == "int4") return Dtype::kInt4;
    if (name == "auto") return Dtype::kAuto;
    throw Error(RAG_INVALID_ARGUMENT, "dtype is \"" + name + "\", it must be float32, bfloat16, float16, int8, int4 or auto");
}

/// Requests, tokens, microseconds.
using Batching = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>;

/// With a progress function that hears Ctrl-C.
ModelOptions options_of(const std::string& dtype, const std::string& device, std::uint32_t threads, const Batching& batching,
                        bool verify) {
    ModelOptions options;
    options.verify = verify;
    options.progress = progress_of(py::none());
    options.dtype = dtype_of(dtype);
    options.device = device;
    options.threads = threads;
    std::tie(options.batch_requests, options.batch_tokens, options.batch_wait_microseconds) = batching;
    return options;
}

/// As progress_of; nothing where there is nothing to be told: Python hears Ctrl-C in its main thread alone, and a call that
/// nobody asks takes the GIL once, when it returns, instead of three times. Of sixteen threads that encode a sentence each, that
/// is most of what they wait for each other.
Progress progress_of_short_call(py::object callback) {
    // No static with an initialiser: the Python code in it may hand over the GIL to a thread that then waits for it, holding the
    // GIL.
    static std::atomic<unsigned long> known{0};
    unsigned long main_thread = known;
    if (main_thread == 0) {
        main_thread = py::module_::import("threading").attr("main_thread")().attr("ident").cast<unsigned long>();
        known = main_thread;
    }
    const bool main = PyThread_get_thread_ident() == main_thread;
    return callback.is_none() && !main ? Progress() : progress_of(std::move(callback));
}

std::vector<AdapterShare> adapter_shares_of(const py::dict& shares) {
    std::vector<AdapterShare> out;
    for (const auto& [name, weight] : shares) out.push_back({name.cast<std::string>(), weight.cast<float>()});
    return out;
}

/// Of a call; none: as the model is set.
using Adapters = std::optional<std::vector<AdapterShare>>;
Adapters adapters_of(const std::optional<py::dict>& shares) {
    return shares ? Adapters(adapter_shares_of(*shares)) : std::nullopt;
}

/// pybind11 imports numpy with the first array, and hands over the GIL for that in a way that ends the process when a daemon
/// thread does so while the interpreter ends. So it is done when a model is opened.
void import_numpy() {
    static_cast<void>(FloatArray(0));
}

FloatArray encode(const Encoder& encoder, const py::iterable& texts, bool normalize, std::uint32_t batch_tokens,
                  py::object callback, std::uint32_t prompt_kind, const py::object& prompt_text,
                  const std::optional<py::dict>& shares) {
    const Adapters adapters = adapters_of(shares);
    const Texts held(texts, "texts");
    const Prompt prompt{static_cast<Prompt::Kind>(prompt_kind), std::string(text_of(prompt_text, "prompt"))};
    FloatArray out({static_cast<py::ssize_t>(held.views().size()), static_cast<py::ssize_t>(encoder.dimension())});
    float* data = out.mutable_data();
    const auto size = static_cast<std::size_t>(out.size());
    const Progress progress = progress_of_short_call(std::move(callback));
    const GilRelease release;
    encoder.encode_into(held.views(), data, size, normalize, batch_tokens, progress, prompt, adapters);
    return out;
}

FloatArray predict(const Classifier& classifier, const py::iterable& texts, const py::object& pairs, std::uint32_t scores,
                   std::uint32_t batch_tokens, py::object callback, std::uint32_t prompt_kind, const py::object& prompt_text,
                   const std::optional<py::dict>& shares) {
    const Adapters adapters = adapters_of(shares);
    const Prompt prompt{static_cast<Prompt::Kind>(prompt_kind), std::string(text_of(prompt_text, "prompt"))};
    const Texts first(texts, "texts");
    const Texts second(pairs.is_none() ? py::iterable(py::list()) : py::iterable(pairs), "pairs");
    FloatArray out({static_cast<py::ssize_t>(first.views().size()), static_cast<py::ssize_t>(classifier.label_count())});
    float* data = out.mutable_data();
    const auto size = static_cast<std::size_t>(out.size());
    const Progress progress = progress_of_short_call(std::move(callback));
    const GilRelease release;
    classifier.predict_into(first.views(), second.views(), data, size, static_cast<Scores>(scores), batch_tokens, progress,
                            prompt, adapters);
    return out;
}

std::vector<std::int32_t> vocabulary_ids(const Generator& generator, const py::object& ids_object) {
    const std::vector<std::int64_t> wide = ids_of(ids_object, "ids");
    std::vector<std::int32_t> ids;
    ids.reserve(wide.size());
    for (const std::int64_t id : wide) {
        if (id < 0 || id >= generator.vocab_size()) {
            throw Error(RAG_INVALID_ARGUMENT,
                        "id " + std::to_string(id) + " is outside the vocabulary of " + std::to_string(generator.vocab_size()));
        }
        ids.push_back(static_cast<std::int32_t>(id));
    }
    return ids;
}

FloatArray logits(const Generator& generator, const py::object& ids_object, const std::vector<CachedText>& prefix,
                  py::object callback) {
    const std::vector<std::int32_t> ids = vocabulary_ids(generator, ids_object);
    FloatArray out({static_cast<py::ssize_t>(ids.size()), static_cast<py::ssize_t>(generator.vocab_size())});
    float* data = out.mutable_data();
    const auto size = static_cast<std::size_t>(out.size());
    const Progress progress = progress_of_short_call(std::move(callback));
    const GilRelease release;
    generator.logits_into(ids, prefix, data, size, progress);
    return out;
}

const char* dtype_name(Dtype dtype) {
    static constexpr const char* kNames[] = {"float32", "bfloat16", "float16", "int8", "int4"};
    return kNames[static_cast<std::size_t>(dtype)];
}

template <typename Model>
void bind_saving(py::class_<Model>& model) {
    model.def_property_readonly("dtype", [](const Model& self) { return dtype_name(self.dtype()); })
        .def("describe", &Model::describe)
        .def(
            "save",
            [](const Model& self, const py::object& path, const std::optional<std::string>& dtype, std::uint64_t shard_bytes,
               py::object progress) {
                const std::string_view view = text_of(path, "path");
                SaveOptions options;
                options.own_dtype = !dtype.has_value();
                if (dtype) options.dtype = dtype_of(*dtype);
                options.shard_bytes = shard_bytes;
                options.progress = progress_of(std::move(progress));
                const GilRelease release;
                self.save(view, options);
            },
            py::arg("path"), py::arg("dtype"), py::arg("shard_bytes"), py::arg("progress"));
}

/// For encoders and generators.
template <typename Model>
void bind_calibration(py::class_<Model>& model) {
    model.def(
        "calibrate",
        [](Model& self, const py::iterable& texts, py::object progress) {
            const Texts held(texts, "texts");
            const Progress function = progress_of(std::move(progress));
            const GilRelease release;
            self.calibrate(held.views(), function);
        },
        py::arg("texts"), py::arg("progress"));
}

template <typename Model>
void bind_adapters(py::class_<Model>& model) {
    model
        .def(
            "load_adapter",
            [](Model& self, const py::object& path, const py::object& name) {
                const std::string_view path_text = text_of(path, "path");
                const std::string_view name_text = text_of(name, "name");
                const GilRelease release;
                self.load_adapter(path_text, name_text);
            },
            py::arg("path"), py::arg("name"))
        .def(
            "merge_adapter",
            [](Model& self, const py::object& name) {
                const std::string_view name_text = text_of(name, "name");
                const GilRelease release;
                self.merge_adapter(name_text);
            },
            py::arg("name"))
        .def("unmerge_adapter", &Model::unmerge_adapter, py::call_guard<GilRelease>())
        .def(
            "unload_adapter",
            [](Model& self, const py::object& name) {
                const std::string_view name_text = text_of(name, "name");
                const GilRelease release;
                self.unload_adapter(name_text);
            },
            py::arg("name"))
        .def(
            "set_adapter",
            [](Model& self, const py::dict& shares) {
                const std::vector<AdapterShare> mix = adapter_shares_of(shares);
                const GilRelease release;
                self.set_adapter(mix);
            },
            py::arg("shares"))
        .def_property_readonly("weight_bytes", &Model::weight_bytes)
        .def_property_readonly("tokenizer", &Model::tokenizer);
}

}  // namespace

/// A token callback that takes the GIL, hears Ctrl-C, and stops when the Python function returns False.
TokenCallback token_callback_of(py::object callback) {
    return [held = hold(std::move(callback))](const Token& token) {
        if (interpreter_ends()) return false;
        const GilAcquire gil;
        check_signals();
        if (held->is_none()) return true;
        const py::object result = (*held)(token.id, py::str(token.text.data(), token.text.size()));
        return result.is_none() || result.cast<bool>();
    };
}

/// GenerateOptions from the keyword arguments that the Python layer has checked; unknown ones are a TypeError.
GenerateOptions generate_options_of(const py::dict& arguments) {
    GenerateOptions options;
    py::object callback = py::none();
    for (const auto& [key, value] : arguments) {
        const auto name = key.cast<std::string>();
        if (name == "max_tokens") {
            options.max_tokens = value.cast<std::uint32_t>();
        } else if (name == "temperature") {
            options.temperature = value.cast<float>();
        } else if (name == "top_p") {
            options.top_p = value.cast<float>();
        } else if (name == "top_k") {
            options.top_k = value.cast<std::uint32_t>();
        } else if (name == "min_p") {
            options.min_p = value.cast<float>();
        } else if (name == "repeat_penalty") {
            options.repeat_penalty = value.cast<float>();
        } else if (name == "seed") {
            options.seed = value.cast<std::uint64_t>();
        } else if (name == "stop") {
            const Texts texts(py::reinterpret_borrow<py::iterable>(value), "stop");
            options.stop.assign(texts.views().begin(), texts.views().end());
        } else if (name == "adapters") {
            options.adapters = adapter_shares_of(py::reinterpret_borrow<py::dict>(value));
        } else if (name == "prefix") {
            for (const py::handle text : value) options.prefix.push_back(text.cast<CachedText>());
        } else if (name == "on_token") {
            callback = py::reinterpret_borrow<py::object>(value);
        } else {
            throw py::type_error("unknown generation option " + name);
        }
    }
    options.on_token = token_callback_of(std::move(callback));
    return options;
}

void bind_models(py::module_& module) {
    py::class_<Usage>(module, "Usage")
        .def_property_readonly("finish", [](const Usage& self) { return static_cast<std::uint32_t>(self.finish); })
        .def_readonly("prompt_tokens", &Usage::prompt_tokens)
        .def_readonly("new_tokens", &Usage::new_tokens)
        .def_readonly("search_ms", &Usage::search_ms)
        .def_readonly("prompt_ms", &Usage::prompt_ms)
        .def_readonly("prefill_ms", &Usage::prefill_ms)
        .def_readonly("decode_ms", &Usage::decode_ms)
        .def_readonly("citation_ms", &Usage::citation_ms);

    py::class_<Generation>(module, "Generation")
        .def_readonly("text", &Generation::text)
        .def_readonly("ids", &Generation::ids)
        .def_readonly("usage", &Generation::usage);

    module.def(
        "inspect_model",
        [](const py::object& path, bool sums, bool verify, py::object progress) {
            const std::string_view view = text_of(path, "path");
            InspectOptions options{sums, verify, progress_of(std::move(progress))};
            const GilRelease release;
            return inspect_model(view, options);
        },
        py::arg("path"), py::arg("sums"), py::arg("verify"), py::arg("progress"));

    py::class_<Encoder> encoder(module, "Encoder");
    encoder
        .def(py::init([](const py::object& path, const std::string& dtype, const std::string& device, std::uint32_t threads,
                         const Batching& batching, bool verify, const std::string& exceptions, std::uint32_t truncate_dim) {
                 const std::string_view view = text_of(path, "path");
                 ModelOptions options = options_of(dtype, device, threads, batching, verify);
                 options.exceptions = exceptions;
                 options.truncate_dim = truncate_dim;
                 import_numpy();
                 const GilRelease release;
                 return std::make_unique<Encoder>(view, options);
             }),
             py::arg("path"), py::arg("dtype"), py::arg("device"), py::arg("threads"), py::arg("batching"), py::arg("verify"),
             py::arg("exceptions"), py::arg("truncate_dim"))
        .def("encode", &encode, py::arg("texts"), py::arg("normalize"), py::arg("batch_tokens"), py::arg("progress"),
             py::arg("prompt_kind"), py::arg("prompt"), py::arg("adapters"))
        .def_property_readonly("prompts", &Encoder::prompts)
        .def_property_readonly("dimension", &Encoder::dimension)
        .def_property_readonly("max_tokens", &Encoder::max_tokens);
    bind_adapters(encoder);
    bind_saving(encoder);
    bind_calibration(encoder);

    py::class_<Classifier> classifier(module, "Classifier");
    classifier
        .def(py::init([](const py::object& path, const std::string& dtype, const std::string& device, std::uint32_t threads,
                         const Batching& batching, bool verify, const std::string& exceptions) {
                 const std::string_view view = text_of(path, "path");
                 ModelOptions options = options_of(dtype, device, threads, batching, verify);
                 options.exceptions = exceptions;
                 import_numpy();
                 const GilRelease release;
                 return std::make_unique<Classifier>(view, options);
             }),
             py::arg("path"), py::arg("dtype"), py::arg("device"), py::arg("threads"), py::arg("batching"), py::arg("verify"),
             py::arg("exceptions"))
        .def("predict", &predict, py::arg("texts"), py::arg("pairs"), py::arg("scores"), py::arg("batch_tokens"),
             py::arg("progress"), py::arg("prompt_kind"), py::arg("prompt"), py::arg("adapters"))
        .def_property_readonly("prompts", &Classifier::prompts)
        .def_property_readonly("labels", &Classifier::labels)
        .def_property_readonly("max_tokens", &Classifier::max_tokens);
    bind_adapters(classifier);
    bind_saving(classifier);

    py::class_<CachedText>(module, "CachedText")
        .def_property_readonly("tokens", &CachedText::tokens)
        .def_property_readonly("size_bytes", &CachedText::size_bytes);

    py::class_<Generator> generator(module, "Generator");
    generator
        .def(py::init([](const py::object& path, const std::string& dtype, const std::string& device, std::uint32_t threads,
                         const Batching& batching, bool verify, const std::string& exceptions, bool int8_cache) {
                 const std::string_view view = text_of(path, "path");
                 ModelOptions options = options_of(dtype, device, threads, batching, verify);
                 options.exceptions = exceptions;
                 options.int8_cache = int8_cache;
                 import_numpy();
                 const GilRelease release;
                 return std::make_unique<Generator>(view, options);
             }),
             py::arg("path"), py::arg("dtype"), py::arg("device"), py::arg("threads"), py::arg("batching"), py::arg("verify"),
             py::arg("exceptions"), py::arg("int8_cache"))
        .def(
            "generate",
            [](const Generator& self, const py::object& prompt, const py::dict& options) {
                const std::string_view view = text_of(prompt, "prompt");
                const GenerateOptions generation = generate_options_of(options);
                const GilRelease release;
                return self.generate(view, generation);
            },
            py::arg("prompt"), py::arg("options"))
        .def(
            "chat",
            [](const Generator& self, const py::object& messages, const py::dict& options) {
                const std::string_view view = text_of(messages, "messages");
                const GenerateOptions generation = generate_options_of(options);
                const GilRelease release;
                return self.chat(view, generation);
            },
            py::arg("messages"), py::arg("options"))
        .def(
            "cache",
            [](const Generator& self, const py::object& text, bool special_tokens, const std::optional<py::dict>& shares) {
                CacheOptions options;
                options.special_tokens = special_tokens;
                options.adapters = adapters_of(shares);
                options.progress = progress_of(py::none());
                if (py::isinstance<py::str>(text)) {
                    const std::string_view view = text_of(text, "text");
                    const GilRelease release;
                    return self.cache(view, options);
                }
                const std::vector<std::int32_t> ids = vocabulary_ids(self, text);
                const GilRelease release;
                return self.cache(ids, options);
            },
            py::arg("text"), py::arg("special_tokens"), py::arg("adapters"))
        .def("logits", &logits, py::arg("ids"), py::arg("prefix"), py::arg("progress"))
        .def_property_readonly("context_length", &Generator::context_length)
        .def_property_readonly("vocab_size", &Generator::vocab_size);
    bind_adapters(generator);
    bind_saving(generator);
    bind_calibration(generator);
}

}  // namespace rag::python
