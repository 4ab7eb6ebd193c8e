// Shared by the parts of the Python module: texts without copies, progress that hears Ctrl-C, numpy arrays checked on the way in.
// The module wraps the headers in include/rag and nothing else of ours. Thread rule: everything here needs the GIL unless said
// otherwise; calls into librag are made without it.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <rag/rag.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gil.hpp"

namespace rag::python {

namespace py = pybind11;

/// The UTF-8 of a str (cached in it, so it lives as long as the object) or the bytes of a bytes object. A lone surrogate is an
/// rag::Error that names `what` and its index, any other type a TypeError.
std::string_view text_of(py::handle object, const char* what);

/// As text_of, "not given" for None.
std::optional<std::string_view> optional_text(py::handle object, const char* what);

/// The id of a token. Another type is a TypeError, and what has more than 32 bits an rag::Error, both by the text that name()
/// gives. Runs Python code for what is not an int.
template <typename Name>
std::int32_t id_of(py::handle object, Name name) {
    if (PyIndex_Check(object.ptr()) == 0) {
        throw py::type_error(name() + " must be int, not " + Py_TYPE(object.ptr())->tp_name);
    }
    const auto number = py::reinterpret_steal<py::object>(PyNumber_Index(object.ptr()));
    if (!number) throw py::error_already_set();
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
    if (overflow != 0 || value < INT32_MIN || value > INT32_MAX) {
        throw Error(RAG_INVALID_ARGUMENT,
                    name() + " is " + py::cast<std::string>(py::str(number)) + ", which has more than 32 bits");
    }
    return static_cast<std::int32_t>(value);
}

/// A str of librag's text. A token of a byte-level vocabulary may be part of a character; users see U+FFFD there, as in other
/// tokenizers. new_str gives a new reference, or nullptr with the error set.
PyObject* new_str(std::string_view text);
py::str to_str(std::string_view text);

/// A list of what make(0), make(1), ... give: new references, or nullptr with the error set.
template <typename Make>
py::list make_list(std::size_t size, Make make) {
    PyObject* list = PyList_New(static_cast<Py_ssize_t>(size));
    if (list == nullptr) throw py::error_already_set();
    auto owner = py::reinterpret_steal<py::list>(list);
    for (std::size_t i = 0; i < size; ++i) {
        PyObject* item = make(i);
        if (item == nullptr) throw py::error_already_set();
        PyList_SET_ITEM(list, static_cast<Py_ssize_t>(i), item);
    }
    return owner;
}

/// Views of a sequence of texts, and the objects that keep them alive. Free it with the GIL held.
class Texts {
  public:
    Texts(const py::iterable& objects, const char* what);
    const std::vector<std::string_view>& views() const noexcept { return views_; }

  private:
    std::vector<py::object> owners_;
    std::vector<std::string_view> views_;
};

/// An object whose last copy may die without the GIL, as copies of a std::function do.
std::shared_ptr<py::object> hold(py::object object);

/// Calls a Python function (or None) with (done, total) at most every 50 ms and polls for signals, so that Ctrl-C ends a long
/// call with KeyboardInterrupt. The result may be called without the GIL.
Progress progress_of(py::object callback);

/// Throws the pending Python exception, if a signal (Ctrl-C) made one. Needs the GIL.
void check_signals();

/// Code point index of every byte offset of `offsets` in `text`.
class CharacterOffsets {
  public:
    explicit CharacterOffsets(std::string_view text);
    std::uint64_t operator()(std::uint64_t byte) const;

  private:
    bool ascii_;
    std::vector<std::uint32_t> index_;  // [bytes + 1], empty if the text is ASCII
};

using FloatArray = py::array_t<float, py::array::c_style | py::array::forcecast>;
using IdArray = py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>;

/// A [rows, columns] float32 view of a one- or two-dimensional array; any other shape is an rag::Error that names it.
struct Matrix {
    FloatArray array;
    std::size_t rows;
    std::uint32_t columns;
};
Matrix matrix_of(const py::object& object, const char* what);

/// One-dimensional int64 ids; other shapes and fractions are an rag::Error.
std::vector<std::int64_t> ids_of(const py::object& object, const char* what);

/// Of a vector index: "float32" or "int8"; another name is an rag::Error.
Dtype index_dtype(const std::string& name);
/// "cosine", "ip" or "l2"; another name is an rag::Error.
Metric metric_of(const std::string& name);
/// InvalidArgument names a variant that is none; what else is wrong, the index names.
Bm25IndexOptions bm25_options_of(float k1, float b, const std::string& language, const std::string& variant, float delta,
                                 float k3, float title_weight, bool positions);

/// Generation options from keyword arguments; an unknown one is a TypeError. The token callback may be called without the GIL.
GenerateOptions generate_options_of(const py::dict& arguments);

void bind_errors(py::module_& module);
void bind_encoding(py::module_& module);
void bind_tokenizer(py::module_& module);
void bind_models(py::module_& module);
void bind_indexes(py::module_& module);
void bind_text(py::module_& module);
void bind_engine(py::module_& module);
void bind_evaluate(py::module_& module);
void bind_train(py::module_& module);

}  // namespace rag::python
