// Encoding and DecodeStream. Lists are made when they are asked for.
#include <algorithm>

#include "common.hpp"

namespace rag::python {
namespace {

template <typename T>
py::list numbers(View<T> values) {
    return make_list(values.size(), [&](std::size_t i) { return PyLong_FromLongLong(values[i]); });
}

/// None where the number is negative.
template <typename T>
py::list numbers_or_none(View<T> values) {
    return make_list(values.size(), [&](std::size_t i) -> PyObject* {
        if (values[i] >= 0) return PyLong_FromLongLong(values[i]);
        Py_INCREF(Py_None);
        return Py_None;
    });
}

py::list offsets(const Encoding& encoding) {
    return make_list(encoding.size(), [&](std::size_t i) -> PyObject* {
        const Offset offset = encoding.offsets()[i];
        PyObject* start = PyLong_FromUnsignedLong(offset.start);
        PyObject* end = start == nullptr ? nullptr : PyLong_FromUnsignedLong(offset.end);
        PyObject* pair = end == nullptr ? nullptr : PyTuple_New(2);
        if (pair == nullptr) {
            Py_XDECREF(start);
            Py_XDECREF(end);
            return nullptr;
        }
        PyTuple_SET_ITEM(pair, 0, start);
        PyTuple_SET_ITEM(pair, 1, end);
        return pair;
    });
}

template <typename T>
bool equal_views(View<T> a, View<T> b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

/// In all that is seen of them, what overflows included.
bool equal(const Encoding& a, const Encoding& b) {
    const auto same_offset = [](const Offset& x, const Offset& y) { return x.start == y.start && x.end == y.end; };
    const auto offsets_a = a.offsets(), offsets_b = b.offsets();
    if (!equal_views(a.ids(), b.ids()) || !equal_views(a.type_ids(), b.type_ids()) ||
        !equal_views(a.attention_mask(), b.attention_mask()) || !equal_views(a.special_tokens_mask(), b.special_tokens_mask()) ||
        !equal_views(a.sequence_ids(), b.sequence_ids()) || !equal_views(a.word_ids(), b.word_ids()) ||
        !std::equal(offsets_a.begin(), offsets_a.end(), offsets_b.begin(), offsets_b.end(), same_offset)) {
        return false;
    }
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (a.token(i) != b.token(i)) return false;
    }
    const std::vector<Encoding> more_a = a.overflowing(), more_b = b.overflowing();
    return std::equal(more_a.begin(), more_a.end(), more_b.begin(), more_b.end(), equal);
}

/// Encoding(5 tokens: '[CLS]' 'goods' ...)
std::string repr(const Encoding& encoding) {
    constexpr std::size_t kShown = 8;
    std::string out = "Encoding(" + std::to_string(encoding.size()) + (encoding.size() == 1 ? " token" : " tokens");
    for (std::size_t i = 0; i < std::min(encoding.size(), kShown); ++i) {
        out += (i == 0 ? ": " : " ") + py::cast<std::string>(py::repr(to_str(encoding.token(i))));
    }
    return out + (encoding.size() > kShown ? " ...)" : ")");
}

/// A table for notebooks.
std::string html(const Encoding& encoding) {
    constexpr std::size_t kShown = 200;
    const auto escape = py::module_::import("html").attr("escape");
    std::string out = "<table><tr><th></th><th>token</th><th>id</th><th>offsets</th><th>word</th></tr>";
    for (std::size_t i = 0; i < std::min(encoding.size(), kShown); ++i) {
        const Offset place = encoding.offsets()[i];
        const std::int32_t word = encoding.word_ids()[i];
        out += "<tr><td>" + std::to_string(i) + "</td><td style='text-align:left'>" +
               py::cast<std::string>(escape(py::repr(to_str(encoding.token(i))))) + "</td><td>" +
               std::to_string(encoding.ids()[i]) + "</td><td>" + std::to_string(place.start) + "&ndash;" +
               std::to_string(place.end) + "</td><td>" + (word < 0 ? "" : std::to_string(word)) + "</td></tr>";
    }
    out += "</table>";
    if (encoding.size() > kShown) out += "<p>and " + std::to_string(encoding.size() - kShown) + " more tokens</p>";
    return out;
}

}  // namespace

void bind_encoding(py::module_& module) {
    py::class_<Encoding>(module, "Encoding")
        .def_property_readonly("ids", [](const Encoding& self) { return numbers(self.ids()); })
        .def_property_readonly(
            "tokens",
            [](const Encoding& self) { return make_list(self.size(), [&](std::size_t i) { return new_str(self.token(i)); }); })
        .def_property_readonly("offsets", &offsets)
        .def_property_readonly("type_ids", [](const Encoding& self) { return numbers(self.type_ids()); })
        .def_property_readonly("attention_mask", [](const Encoding& self) { return numbers(self.attention_mask()); })
        .def_property_readonly("special_tokens_mask", [](const Encoding& self) { return numbers(self.special_tokens_mask()); })
        .def_property_readonly("sequence_ids", [](const Encoding& self) { return numbers_or_none(self.sequence_ids()); })
        .def_property_readonly("word_ids", [](const Encoding& self) { return numbers_or_none(self.word_ids()); })
        .def_property_readonly("overflowing",
                               [](const Encoding& self) {
                                   std::vector<Encoding> all;
                                   {
                                       const GilRelease release;
                                       all = self.overflowing();
                                   }
                                   return make_list(all.size(),
                                                    [&](std::size_t i) { return py::cast(std::move(all[i])).release().ptr(); });
                               })
        .def(
            "__eq__",
            [](const Encoding& self, const py::object& other) -> py::object {
                if (!py::isinstance<Encoding>(other)) return py::reinterpret_borrow<py::object>(Py_NotImplemented);
                return py::bool_(equal(self, py::cast<const Encoding&>(other)));
            },
            py::arg("other"))
        .def_static(
            "_from_bytes", [](const py::bytes& bytes) { return Encoding::from_bytes(std::string_view(bytes)); }, py::arg("bytes"))
        .def("__reduce__",
             [](const py::object& self) {
                 const py::bytes bytes(py::cast<const Encoding&>(self).to_bytes());
                 // By the name of a Python function: one of pybind11's has none that pickle could write.
                 return py::make_tuple(py::module_::import("librag.tokenizer").attr("_encoding_from_bytes"),
                                       py::make_tuple(bytes));
             })
        // Immutable: a copy is the thing itself.
        .def("__copy__", [](const py::object& self) { return self; })
        .def(
            "__deepcopy__", [](const py::object& self, const py::object&) { return self; }, py::arg("memo"))
        .def("__len__", &Encoding::size)
        .def("__repr__", &repr)
        .def("_repr_html_", &html);

    py::class_<DecodeStream>(module, "DecodeStream")
        .def(
            "push",
            [](DecodeStream& self, const py::object& id) {
                return to_str(self.push(id_of(id, [] { return std::string("id"); })));
            },
            py::arg("id"))
        .def("finish", [](DecodeStream& self) { return to_str(self.finish()); });
}

}  // namespace rag::python
