// Texts, progress, arrays: see common.hpp.
#include "common.hpp"

#include <chrono>
#include <limits>

namespace rag::python {

std::string_view text_of(py::handle object, const char* what) {
    if (PyUnicode_Check(object.ptr())) {
        Py_ssize_t size = 0;
        const char* data = PyUnicode_AsUTF8AndSize(object.ptr(), &size);
        if (data != nullptr) return {data, static_cast<std::size_t>(size)};
        if (PyErr_ExceptionMatches(PyExc_UnicodeEncodeError) == 0) throw py::error_already_set();
        py::error_already_set error;  // takes the pending exception
        const auto start = error.value().attr("start").cast<long long>();
        throw Error(RAG_INVALID_ARGUMENT, std::string(what) + " cannot be written as UTF-8: lone surrogate at index " +
                                              std::to_string(start) +
                                              "; replace it, for example with text.encode('utf-8', 'replace')");
    }
    if (PyBytes_Check(object.ptr())) {
        return {PyBytes_AS_STRING(object.ptr()), static_cast<std::size_t>(PyBytes_GET_SIZE(object.ptr()))};
    }
    throw py::type_error(std::string(what) + " must be str, not " + Py_TYPE(object.ptr())->tp_name);
}

std::optional<std::string_view> optional_text(py::handle object, const char* what) {
    if (object.is_none()) return std::nullopt;
    return text_of(object, what);
}

PyObject* new_str(std::string_view text) {
    return PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace");
}

py::str to_str(std::string_view text) {
    PyObject* object = new_str(text);
    if (object == nullptr) throw py::error_already_set();
    return py::reinterpret_steal<py::str>(object);
}

Texts::Texts(const py::iterable& objects, const char* what) {
    if (PyUnicode_Check(objects.ptr())) throw py::type_error(std::string(what) + " must be a list of str, not one str");
    for (const py::handle object : objects) {
        owners_.push_back(py::reinterpret_borrow<py::object>(object));
        // The name is made for a message alone.
        const bool easy = PyUnicode_Check(object.ptr()) && PyUnicode_AsUTF8AndSize(object.ptr(), nullptr) != nullptr;
        if (!easy) PyErr_Clear();
        const std::string name = easy ? std::string() : std::string(what) + "[" + std::to_string(views_.size()) + "]";
        views_.push_back(text_of(object, easy ? what : name.c_str()));
    }
}

void check_signals() {
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

std::shared_ptr<py::object> hold(py::object object) {
    return {new py::object(std::move(object)), [](py::object* held) {
                if (interpreter_ends()) return;  // nobody will miss it
                const GilAcquire gil;
                delete held;
            }};
}

Progress progress_of(py::object callback) {
    using Clock = std::chrono::steady_clock;
    static constexpr auto kInterval = std::chrono::milliseconds(50);
    auto held = hold(std::move(callback));
    auto last = std::make_shared<Clock::time_point>();
    return [held, last](std::uint64_t done, std::uint64_t total) {
        if (interpreter_ends()) return false;
        const auto now = Clock::now();
        const bool complete = total != 0 && done >= total;
        if (!complete && now - *last < kInterval) return true;
        *last = now;
        const GilAcquire gil;
        check_signals();
        if (held->is_none()) return true;
        const py::object result = (*held)(done, total);
        return result.is_none() || result.cast<bool>();
    };
}

CharacterOffsets::CharacterOffsets(std::string_view text) : ascii_(true) {
    for (const char c : text) ascii_ = ascii_ && static_cast<unsigned char>(c) < 0x80;
    if (ascii_) return;
    index_.reserve(text.size() + 1);
    std::uint32_t characters = 0;
    for (const char c : text) {
        const bool first = (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
        if (first) ++characters;
        index_.push_back(characters - 1);
    }
    index_.push_back(characters);
}

std::uint64_t CharacterOffsets::operator()(std::uint64_t byte) const {
    if (ascii_) return byte;
    return index_.at(static_cast<std::size_t>(byte));
}

Matrix matrix_of(const py::object& object, const char* what) {
    auto array = FloatArray::ensure(object);
    if (!array) {
        PyErr_Clear();
        throw py::type_error(std::string(what) + " must be an array of floats");
    }
    if (array.ndim() != 1 && array.ndim() != 2) {
        throw Error(RAG_INVALID_ARGUMENT,
                    std::string(what) + " has " + std::to_string(array.ndim()) + " dimensions, it must have 1 or 2");
    }
    const bool flat = array.ndim() == 1;
    const auto columns = static_cast<std::uint64_t>(array.shape(flat ? 0 : 1));
    if (columns > std::numeric_limits<std::uint32_t>::max()) {
        throw Error(RAG_INVALID_ARGUMENT, std::string(what) + " has " + std::to_string(columns) + " columns");
    }
    const auto rows = flat ? std::size_t{1} : static_cast<std::size_t>(array.shape(0));
    return {std::move(array), rows, static_cast<std::uint32_t>(columns)};
}

std::vector<std::int64_t> ids_of(const py::object& object, const char* what) {
    const py::array any = py::array::ensure(object);
    if (!any) {
        PyErr_Clear();
        throw py::type_error(std::string(what) + " must be an array of integers");
    }
    const char kind = any.dtype().kind();
    if (any.size() != 0 && kind != 'i' && kind != 'u') {
        throw py::type_error(std::string(what) + " must be an array of integers, not of " +
                             py::str(any.dtype()).cast<std::string>());
    }
    if (any.ndim() != 1) {
        throw Error(RAG_INVALID_ARGUMENT,
                    std::string(what) + " has " + std::to_string(any.ndim()) + " dimensions, it must have 1");
    }
    const IdArray ids = IdArray::ensure(any);
    if (!ids) throw py::error_already_set();
    return {ids.data(), ids.data() + ids.size()};
}

Dtype index_dtype(const std::string& name) {
    if (name == "float32") return Dtype::kFloat32;
    if (name == "int8") return Dtype::kInt8;
    throw Error(RAG_INVALID_ARGUMENT, "dtype of a vector index is \"" + name + "\", it must be float32 or int8");
}

}  // namespace rag::python
