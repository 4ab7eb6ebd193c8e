// Tokenizer, Encoding and DecodeStream. Offsets are characters here: Python's strings are counted so. Lists are made when they
// are asked for; encoding itself makes one small object.

#include "common.hpp"
#include "text_argument.hpp"

namespace rag::python {
namespace {

constexpr std::size_t kBytesWithGil = 2048;        // a text below this is done before another thread could use the GIL
constexpr std::size_t kBytesUnasked = 256 * 1024;  // a batch below this is done before anyone can miss Ctrl-C

/// A bool argument. A text is no truth value: "no" would be true.
bool flag_of(py::handle object, const char* what) {
    if (PyUnicode_Check(object.ptr()) || PyBytes_Check(object.ptr())) {
        throw py::type_error(std::string(what) + " must be bool, not " + Py_TYPE(object.ptr())->tp_name);
    }
    const int truth = PyObject_IsTrue(object.ptr());
    if (truth < 0) throw py::error_already_set();
    return truth != 0;
}

template <typename Enum>
Enum choice(const py::handle value, const char* name, std::initializer_list<std::pair<const char*, Enum>> known) {
    const auto text = py::cast<std::string>(py::str(value));
    std::string all;
    for (const auto& [word, meaning] : known) {
        if (text == word) return meaning;
        all += (all.empty() ? "" : ", ") + std::string(word);
    }
    throw Error(RAG_INVALID_ARGUMENT, std::string(name) + " is '" + text + "', it must be one of: " + all);
}

std::size_t length(const py::handle value, const char* name) {
    if (!PyLong_Check(value.ptr()))
        throw py::type_error(std::string(name) + " must be int, not " + Py_TYPE(value.ptr())->tp_name);
    const long long number = PyLong_AsLongLong(value.ptr());
    if (number == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
    if (number < 0) throw Error(RAG_INVALID_ARGUMENT, std::string(name) + " is " + std::to_string(number));
    return static_cast<std::size_t>(number);
}

/// What python/librag/tokenizer.py passes beside the text; a member that is absent stays as the file says.
EncodeOptions options_of(bool add_special_tokens, const py::object& given) {
    EncodeOptions out;
    out.add_special_tokens = add_special_tokens;
    out.offset_unit = RAG_OFFSET_CHARACTERS;
    out.keep_overflow = true;
    if (given.is_none()) return out;
    for (const auto& [key, value] : py::cast<py::dict>(given)) {
        const auto name = py::cast<std::string>(key);
        if (name == "errors") {
            out.invalid_text = choice<rag_invalid_text>(
                value, "errors", {{"strict", RAG_INVALID_TEXT_REFUSE}, {"replace", RAG_INVALID_TEXT_REPLACE}});
        } else if (name == "truncation") {
            out.truncation = choice<rag_truncation>(value, "truncation",
                                                    {{"off", RAG_TRUNCATION_OFF},
                                                     {"longest_first", RAG_TRUNCATION_LONGEST_FIRST},
                                                     {"only_first", RAG_TRUNCATION_ONLY_FIRST},
                                                     {"only_second", RAG_TRUNCATION_ONLY_SECOND}});
        } else if (name == "max_length") {
            out.max_length = length(value, "max_length");
        } else if (name == "stride") {
            out.stride = length(value, "stride");
        } else if (name == "truncation_side") {
            out.truncate_left = choice<bool>(value, "truncation_side", {{"right", false}, {"left", true}});
        } else if (name == "padding") {
            out.padding = choice<rag_padding>(
                value, "padding", {{"off", RAG_PADDING_OFF}, {"longest", RAG_PADDING_LONGEST}, {"length", RAG_PADDING_LENGTH}});
        } else if (name == "padding_length") {
            out.padding_length = length(value, "padding");
        } else if (name == "pad_to_multiple_of") {
            out.padding_multiple = length(value, "pad_to_multiple_of");
        } else if (name == "padding_side") {
            out.pad_left = choice<bool>(value, "padding_side", {{"right", false}, {"left", true}});
        } else if (name == "pad_id") {
            out.pad_id = static_cast<std::int32_t>(length(value, "pad_id"));
        } else if (name == "pad_type_id") {
            out.pad_type_id = static_cast<std::uint32_t>(length(value, "pad_type_id"));
        } else if (name == "pad_token") {
            out.pad_token = std::string(text_of(value, "pad_token"));
        } else {
            throw py::type_error("unknown option " + name);
        }
    }
    return out;
}

Encoding encode(const Tokenizer& tokenizer, const py::object& text, const py::object& pair, const py::object& add_special_tokens,
                const py::object& given) {
    const EncodeOptions options = options_of(flag_of(add_special_tokens, "add_special_tokens"), given);
    const bool replace = options.invalid_text == RAG_INVALID_TEXT_REPLACE;
    const TextArgument first(text, "text", replace);
    std::optional<TextArgument> second;
    std::optional<std::string_view> second_view;
    if (!pair.is_none()) second_view = second.emplace(pair, "pair", replace).view();
    if (first.view().size() + second_view.value_or(std::string_view()).size() <= kBytesWithGil) {
        return tokenizer.encode(first.view(), second_view, options);
    }
    const GilRelease release;
    return tokenizer.encode(first.view(), second_view, options);
}

/// Something to iterate over, else a TypeError of `wanted` and the type.
py::iterable list_of(const py::object& object, const char* wanted) {
    if (!py::isinstance<py::iterable>(object)) {
        throw py::type_error(std::string(wanted) + ", not " + Py_TYPE(object.ptr())->tp_name);
    }
    return py::reinterpret_borrow<py::iterable>(object);
}

/// The texts of a batch, each a str (or bytes) or a pair of them, and what keeps them alive.
struct BatchArgument {
    std::vector<py::object> owners;
    std::vector<TextArgument> texts;
    std::vector<TextPair> views;
    std::size_t bytes = 0;

    BatchArgument(const py::object& objects, bool replace) {
        if (PyUnicode_Check(objects.ptr()) || PyBytes_Check(objects.ptr())) {
            throw py::type_error("texts must be a list of str, not one str");
        }
        std::vector<bool> paired;
        for (const py::handle object : list_of(objects, "texts must be a list of str")) {
            owners.push_back(py::reinterpret_borrow<py::object>(object));
            const bool pair = PyTuple_Check(object.ptr()) || PyList_Check(object.ptr());
            paired.push_back(pair);
            const std::size_t index = paired.size() - 1;
            if (!pair) {
                add(owners.back(), index, "", replace);
                continue;
            }
            const auto both = py::reinterpret_borrow<py::sequence>(object);
            if (both.size() != 2) {
                throw py::type_error("texts[" + std::to_string(index) + "]: a pair must have 2 texts, not " +
                                     std::to_string(both.size()));
            }
            for (std::size_t i = 0; i < 2; ++i) {
                owners.push_back(both[i]);
                add(owners.back(), index, i == 0 ? "[0]" : "[1]", replace);
            }
        }
        std::size_t at = 0;
        for (const bool pair : paired) {
            TextPair& view = views.emplace_back(TextPair{texts[at++].view(), std::nullopt});
            bytes += view.text.size();
            if (!pair) continue;
            view.pair = texts[at++].view();
            bytes += view.pair->size();
        }
    }

  private:
    // The name of a text is put together only for a message.
    void add(py::handle object, std::size_t index, const char* part, bool replace) {
        const auto name = [&] { return "texts[" + std::to_string(index) + "]" + part; };
        if (!PyUnicode_Check(object.ptr()) && !PyBytes_Check(object.ptr())) text_of(object, name().c_str());  // throws
        try {
            texts.emplace_back(object, "it", replace);
        } catch (const Error& error) {
            throw Error(error.code(), name() + ": " + error.what());
        }
    }
};

py::list to_list(std::vector<Encoding> encodings) {
    return make_list(encodings.size(), [&](std::size_t i) { return py::cast(std::move(encodings[i])).release().ptr(); });
}

py::list encode_batch(const Tokenizer& tokenizer, const py::object& texts, const py::object& add_special_tokens,
                      std::uint32_t threads, const py::object& given) {
    EncodeOptions options = options_of(flag_of(add_special_tokens, "add_special_tokens"), given);
    const BatchArgument batch(texts, options.invalid_text == RAG_INVALID_TEXT_REPLACE);
    options.threads = threads;
    if (batch.bytes > kBytesUnasked) options.progress = progress_of(py::none());
    std::vector<Encoding> encodings;
    {
        const GilRelease release;
        encodings = tokenizer.encode_pairs(batch.views, options);
    }
    return to_list(std::move(encodings));
}

/// Words of a text, a sequence of str (or bytes), and what keeps them alive.
struct WordsArgument {
    std::vector<py::object> owners;
    std::vector<TextArgument> texts;
    std::vector<std::string_view> views;
    std::size_t bytes = 0;

    WordsArgument(py::handle object, const char* what, bool replace) {
        if (!is_list(object)) {
            throw py::type_error(std::string(what) + " must be a list of str with is_pretokenized, not " +
                                 Py_TYPE(object.ptr())->tp_name);
        }
        for (const py::handle word : py::reinterpret_borrow<py::sequence>(object)) {
            owners.push_back(py::reinterpret_borrow<py::object>(word));
            views.push_back(texts.emplace_back(word, what, replace).view());
            bytes += views.back().size();
        }
    }
    static bool is_list(py::handle object) { return PyTuple_Check(object.ptr()) || PyList_Check(object.ptr()); }
};

Encoding encode_words(const Tokenizer& tokenizer, const py::object& words, const py::object& pair,
                      const py::object& add_special_tokens, const py::object& given) {
    const EncodeOptions options = options_of(flag_of(add_special_tokens, "add_special_tokens"), given);
    const bool replace = options.invalid_text == RAG_INVALID_TEXT_REPLACE;
    const WordsArgument first(words, "text", replace);
    std::optional<std::vector<std::string_view>> second_views;
    std::optional<WordsArgument> second;
    if (!pair.is_none()) second_views = second.emplace(pair, "pair", replace).views;
    const GilRelease release;
    return tokenizer.encode_words(first.views, second_views, options);
}

/// Each of `texts` is a list of words, or a pair of such lists.
py::list encode_words_batch(const Tokenizer& tokenizer, const py::object& texts, const py::object& add_special_tokens,
                            std::uint32_t threads, const py::object& given) {
    EncodeOptions options = options_of(flag_of(add_special_tokens, "add_special_tokens"), given);
    const bool replace = options.invalid_text == RAG_INVALID_TEXT_REPLACE;
    std::vector<WordsArgument> owners;
    std::vector<WordsPair> views;
    std::size_t bytes = 0;
    const auto add = [&](py::handle list, const char* what) {
        bytes += owners.emplace_back(list, what, replace).bytes;
        return owners.back().views;
    };
    for (const py::handle object : list_of(texts, "texts must be a list of lists of str")) {
        bool paired = false;
        if (WordsArgument::is_list(object)) {
            const auto items = py::reinterpret_borrow<py::sequence>(object);
            paired = items.size() == 2 && WordsArgument::is_list(py::object(items[0]));
            if (paired) {
                auto first = add(py::object(items[0]), "a text of a pair");
                views.push_back({std::move(first), add(py::object(items[1]), "a text of a pair")});
            }
        }
        if (!paired) views.push_back({add(object, "a text"), std::nullopt});
    }
    options.threads = threads;
    if (bytes > kBytesUnasked) options.progress = progress_of(py::none());
    std::vector<Encoding> encodings;
    {
        const GilRelease release;
        encodings = tokenizer.encode_words_batch(views, options);
    }
    return to_list(std::move(encodings));
}

std::vector<std::int32_t> ids_of_list(const py::object& object) {
    if (PyLong_Check(object.ptr())) throw py::type_error("ids must be a list of int; for one id write [id]");
    if (PyUnicode_Check(object.ptr())) throw py::type_error("ids must be a list of int, not str");
    const py::iterable list = list_of(object, "ids must be a list of int");
    PyObject* raw = PySequence_Fast(list.ptr(), "ids must be a list of int");
    if (raw == nullptr) throw py::error_already_set();
    const auto owner = py::reinterpret_steal<py::object>(raw);
    std::vector<std::int32_t> ids;
    ids.reserve(static_cast<std::size_t>(PySequence_Fast_GET_SIZE(raw)));
    // The size is asked for each time: __index__ of an object may change the list.
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(raw); ++i) {
        const auto item = py::reinterpret_borrow<py::object>(PySequence_Fast_GET_ITEM(raw, i));
        ids.push_back(id_of(item, [i] { return "ids[" + std::to_string(i) + "]"; }));
    }
    return ids;
}

py::str decode(const Tokenizer& tokenizer, const py::object& ids, const py::object& skip_special_tokens) {
    const bool skip = flag_of(skip_special_tokens, "skip_special_tokens");
    const auto values = ids_of_list(ids);
    std::string text;
    {
        const GilRelease release;
        text = tokenizer.decode(values, skip);
    }
    return to_str(text);
}

py::list decode_batch(const Tokenizer& tokenizer, const py::object& lists, const py::object& skip_special_tokens,
                      std::uint32_t threads) {
    const bool skip = flag_of(skip_special_tokens, "skip_special_tokens");
    std::vector<std::vector<std::int32_t>> values;
    for (const py::handle list : list_of(lists, "ids must be a list of lists of int")) {
        values.push_back(ids_of_list(py::reinterpret_borrow<py::object>(list)));
    }
    std::vector<std::string> texts;
    {
        const GilRelease release;
        texts = tokenizer.decode_batch(values, skip, threads);
    }
    return make_list(texts.size(), [&](std::size_t i) { return new_str(texts[i]); });
}

py::dict get_vocab(const Tokenizer& tokenizer) {
    // An added token is listed by what it says, not by what it reads as, which may be another token's text.
    std::vector<bool> is_added(static_cast<std::size_t>(tokenizer.id_limit()));
    py::dict out;
    for (const AddedToken& token : tokenizer.added_tokens()) {
        out[to_str(token.content)] = token.id;
        is_added[static_cast<std::size_t>(token.id)] = true;
    }
    for (std::int32_t id = 0; id < tokenizer.id_limit(); ++id) {
        if (is_added[static_cast<std::size_t>(id)]) continue;
        if (const auto token = tokenizer.find_token(id)) out[to_str(*token)] = id;
    }
    return out;
}

py::list added_tokens(const Tokenizer& tokenizer) {
    py::list out;
    for (const AddedToken& token : tokenizer.added_tokens()) {
        out.append(py::make_tuple(token.id, to_str(token.content), token.single_word, token.lstrip, token.rstrip,
                                  token.normalized, token.special));
    }
    return out;
}

py::str apply_chat_template(const Tokenizer& tokenizer, const py::object& messages, bool add_generation_prompt,
                            const py::object& tools, const py::object& documents, const py::object& variables,
                            const py::object& chat_template, const py::object& continue_field) {
    const auto view = [](const py::object& text, const char* name) {
        return optional_text(text, name).value_or(std::string_view());
    };
    const std::string_view conversation = text_of(messages, "messages");
    ChatOptions options;
    options.add_generation_prompt = add_generation_prompt;
    options.tools = view(tools, "tools");
    options.documents = view(documents, "documents");
    options.variables = view(variables, "variables");
    options.chat_template = view(chat_template, "chat_template");
    options.continue_field = view(continue_field, "continue_field");
    std::string text;
    {
        const GilRelease release;
        text = tokenizer.apply_chat_template(conversation, options);
    }
    return to_str(text);
}

}  // namespace

void bind_tokenizer(py::module_& module) {
    py::class_<Tokenizer>(module, "Tokenizer")
        .def_static(
            "from_pretrained",
            [](const py::object& path) {
                const std::string_view view = text_of(path, "path");
                const GilRelease release;
                return Tokenizer::from_pretrained(view);
            },
            py::arg("path"))
        .def_static(
            "from_json",
            [](const py::object& json, const py::object& configuration) {
                const std::string_view view = text_of(json, "json");
                const std::string_view second = optional_text(configuration, "configuration").value_or(std::string_view());
                const GilRelease release;
                return Tokenizer::from_json(view, second);
            },
            py::arg("json"), py::arg("configuration"))
        .def(
            "save",
            [](const Tokenizer& self, const py::object& path) {
                const std::string_view view = text_of(path, "path");
                const GilRelease release;
                self.save(view);
            },
            py::arg("path"))
        .def("to_json", [](const Tokenizer& self) { return to_str(self.to_json()); })
        .def("configuration", [](const Tokenizer& self) { return to_str(self.configuration()); })
        .def("encode", &encode, py::arg("text"), py::arg("pair"), py::arg("add_special_tokens"), py::arg("options"))
        .def("encode_words", &encode_words, py::arg("words"), py::arg("pair"), py::arg("add_special_tokens"), py::arg("options"))
        .def("encode_words_batch", &encode_words_batch, py::arg("texts"), py::arg("add_special_tokens"), py::arg("threads"),
             py::arg("options"))
        .def("encode_batch", &encode_batch, py::arg("texts"), py::arg("add_special_tokens"), py::arg("threads"),
             py::arg("options"))
        .def("decode", &decode, py::arg("ids"), py::arg("skip_special_tokens"))
        .def("decode_batch", &decode_batch, py::arg("ids"), py::arg("skip_special_tokens"), py::arg("threads"))
        .def(
            "decode_stream",
            [](const Tokenizer& self, const py::object& skip_special_tokens) {
                return self.decode_stream(flag_of(skip_special_tokens, "skip_special_tokens"));
            },
            py::arg("skip_special_tokens"))
        .def(
            "token_to_id",
            [](const Tokenizer& self, const py::object& token) { return self.token_to_id(text_of(token, "token")); },
            py::arg("token"))
        .def(
            "id_to_token",
            [](const Tokenizer& self, const py::object& id) {
                return to_str(self.id_to_token(id_of(id, [] { return std::string("id"); })));
            },
            py::arg("id"))
        .def_property_readonly("vocab_size", &Tokenizer::vocab_size)
        .def("get_vocab", &get_vocab)
        .def("added_tokens", &added_tokens)
        .def(
            "special_token",
            [](const Tokenizer& self, const py::object& name) -> py::object {
                const auto token = self.special_token(text_of(name, "name"));
                if (!token) return py::none();
                return py::make_tuple(to_str(token->token), token->id);
            },
            py::arg("name"))
        .def("apply_chat_template", &apply_chat_template, py::arg("messages"), py::arg("add_generation_prompt"), py::arg("tools"),
             py::arg("documents"), py::arg("variables"), py::arg("chat_template"), py::arg("continue_field"));
}

}  // namespace rag::python
