// Tokenizer and Encoding. Offsets become characters here: Python's strings are counted so.
#include "common.hpp"

namespace rag::python {
namespace {

/// What Python's Encoding holds; offsets in characters.
struct PyEncoding {
    Encoding encoding;

    py::list offsets() const {
        py::list out(encoding.offsets.size());
        for (std::size_t i = 0; i < encoding.offsets.size(); ++i) {
            out[i] = py::make_tuple(encoding.offsets[i].first, encoding.offsets[i].second);
        }
        return out;
    }
};

void to_characters(Encoding& encoding, std::string_view text, std::optional<std::string_view> pair) {
    const CharacterOffsets first(text);
    const CharacterOffsets second(pair.value_or(std::string_view()));
    for (std::size_t i = 0; i < encoding.offsets.size(); ++i) {
        const CharacterOffsets& map = encoding.sequence_ids[i] == 1 ? second : first;
        auto& [start, end] = encoding.offsets[i];
        start = static_cast<std::uint32_t>(map(start));
        end = static_cast<std::uint32_t>(map(end));
    }
}

template <typename T>
py::list to_list(const std::vector<T>& values) {
    py::list out(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) out[i] = values[i];
    return out;
}

PyEncoding encode(const Tokenizer& tokenizer, const py::object& text, const py::object& pair, bool add_special_tokens) {
    const std::string_view first = text_of(text, "text");
    const auto second = optional_text(pair, "pair");
    PyEncoding out;
    {
        const py::gil_scoped_release release;
        out.encoding = tokenizer.encode(first, second, add_special_tokens);
        to_characters(out.encoding, first, second);
    }
    return out;
}

std::vector<PyEncoding> encode_batch(const Tokenizer& tokenizer, const py::iterable& texts, bool add_special_tokens) {
    const Texts held(texts, "texts");
    std::vector<PyEncoding> out;
    const py::gil_scoped_release release;
    for (auto& encoding : tokenizer.encode_batch(held.views(), add_special_tokens)) out.push_back({std::move(encoding)});
    for (std::size_t i = 0; i < out.size(); ++i) to_characters(out[i].encoding, held.views()[i], std::nullopt);
    return out;
}

py::str to_str(const std::string& text) {
    // A token of a byte-level vocabulary may be part of a character; users see U+FFFD there, as in other tokenizers.
    PyObject* object = PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace");
    if (object == nullptr) throw py::error_already_set();
    return py::reinterpret_steal<py::str>(object);
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
        const py::gil_scoped_release release;
        text = tokenizer.apply_chat_template(conversation, options);
    }
    return to_str(text);
}

}  // namespace

void bind_tokenizer(py::module_& module) {
    py::class_<PyEncoding>(module, "Encoding")
        .def_property_readonly("ids", [](const PyEncoding& self) { return to_list(self.encoding.ids); })
        .def_property_readonly("tokens",
                               [](const PyEncoding& self) {
                                   py::list out(self.encoding.tokens.size());
                                   for (std::size_t i = 0; i < self.encoding.tokens.size(); ++i)
                                       out[i] = to_str(self.encoding.tokens[i]);
                                   return out;
                               })
        .def_property_readonly("offsets", &PyEncoding::offsets)
        .def_property_readonly("type_ids", [](const PyEncoding& self) { return to_list(self.encoding.type_ids); })
        .def_property_readonly("attention_mask", [](const PyEncoding& self) { return to_list(self.encoding.attention_mask); })
        .def_property_readonly("special_tokens_mask",
                               [](const PyEncoding& self) { return to_list(self.encoding.special_tokens_mask); })
        .def("__len__", [](const PyEncoding& self) { return self.encoding.ids.size(); });

    py::class_<Tokenizer>(module, "Tokenizer")
        .def_static(
            "from_pretrained",
            [](const py::object& path) {
                const std::string_view view = text_of(path, "path");
                const py::gil_scoped_release release;
                return Tokenizer::from_pretrained(view);
            },
            py::arg("path"))
        .def("encode", &encode, py::arg("text"), py::arg("pair"), py::arg("add_special_tokens"))
        .def(
            "encode_batch",
            [](const Tokenizer& self, const py::iterable& texts, bool add_special_tokens) {
                auto encodings = encode_batch(self, texts, add_special_tokens);
                py::list out(encodings.size());
                for (std::size_t i = 0; i < encodings.size(); ++i) out[i] = py::cast(std::move(encodings[i]));
                return out;
            },
            py::arg("texts"), py::arg("add_special_tokens"))
        .def(
            "decode",
            [](const Tokenizer& self, const py::iterable& ids, bool skip_special_tokens) {
                std::vector<std::int32_t> values;
                for (const py::handle id : ids) values.push_back(id.cast<std::int32_t>());
                return to_str(self.decode(values, skip_special_tokens));
            },
            py::arg("ids"), py::arg("skip_special_tokens"))
        .def(
            "token_to_id",
            [](const Tokenizer& self, const py::object& token) { return self.token_to_id(text_of(token, "token")); },
            py::arg("token"))
        .def(
            "id_to_token", [](const Tokenizer& self, std::int32_t id) { return to_str(self.id_to_token(id)); }, py::arg("id"))
        .def_property_readonly("vocab_size", &Tokenizer::vocab_size)
        .def("apply_chat_template", &apply_chat_template, py::arg("messages"), py::arg("add_generation_prompt"), py::arg("tools"),
             py::arg("documents"), py::arg("variables"), py::arg("chat_template"), py::arg("continue_field"));
}

}  // namespace rag::python
