#include "text_argument.hpp"

#include <cstdint>
#include <cstring>
#include <limits>

namespace rag::python {
namespace {

constexpr std::size_t kSlack = 4;  // three bytes are written as four
constexpr std::size_t kMostUnits = std::numeric_limits<std::size_t>::max() / 4 - kSlack;

bool is_surrogate(std::uint32_t value) {
    return value - 0xD800U < 0x800U;
}

// Bytes of the units' UTF-8. Sums that the compiler turns into vector instructions.
template <typename Unit>
std::size_t utf8_size(const Unit* units, std::size_t count) {
    std::size_t size = count;
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint32_t value = units[i];
        size += static_cast<std::size_t>(value >= 0x80) + static_cast<std::size_t>(value >= 0x800) +
                static_cast<std::size_t>(value >= 0x10000);
    }
    return size;
}

// Writes a character of U+0800 to U+FFFF and one byte more.
char* put_three(std::uint32_t value, char* to) {
    const std::uint32_t bytes = (0xE0U | value >> 12) | ((0x80U | (value >> 6 & 0x3FU)) << 8) | ((0x80U | (value & 0x3FU)) << 16);
    std::memcpy(to, &bytes, sizeof bytes);
    return to + 3;
}

char* put_other(std::uint32_t value, char* to) {
    const auto put = [&](std::uint32_t byte) { *to++ = static_cast<char>(byte); };
    if (value < 0x80) {
        put(value);
    } else if (value < 0x800) {
        put(0xC0U | value >> 6);
        put(0x80U | (value & 0x3FU));
    } else {
        put(0xF0U | value >> 18);
        put(0x80U | (value >> 12 & 0x3FU));
        put(0x80U | (value >> 6 & 0x3FU));
        put(0x80U | (value & 0x3FU));
    }
    return to;
}

// False at a lone surrogate; Python's str has no others.
template <typename Unit>
bool write_utf8(const Unit* units, std::size_t count, char* to) {
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint32_t value = units[i];
        if (value >= 0x800 && value < 0x10000) {
            if (is_surrogate(value)) return false;
            to = put_three(value, to);
        } else {
            to = put_other(value, to);
        }
    }
    return true;
}

}  // namespace

TextArgument::TextArgument(py::handle object, const char* what, bool replace) {
    PyObject* text = object.ptr();
#if PY_VERSION_HEX < 0x030C0000  // later ones are always ready
    if (PyUnicode_Check(text) != 0 && PyUnicode_READY(text) != 0) throw py::error_already_set();
#endif
    if (PyUnicode_Check(text) == 0 || PyUnicode_IS_ASCII(text) != 0) {
        view_ = text_of(object, what);
    } else if (!copy(text)) {
        if (!replace) text_of(object, what);  // throws
        replace_surrogates(text);
    }
}

// False where there are lone surrogates.
bool TextArgument::copy(PyObject* text) {
    const auto count = static_cast<std::size_t>(PyUnicode_GET_LENGTH(text));
    if (count > kMostUnits) throw std::bad_alloc();
    const auto write = [&](const auto* units) {
        const std::size_t size = utf8_size(units, count);
        copy_.reset(new char[size + kSlack]);
        view_ = {copy_.get(), size};
        return write_utf8(units, count, copy_.get());
    };
    switch (PyUnicode_KIND(text)) {
        case PyUnicode_1BYTE_KIND:
            return write(PyUnicode_1BYTE_DATA(text));
        case PyUnicode_2BYTE_KIND:
            return write(PyUnicode_2BYTE_DATA(text));
        default:
            return write(PyUnicode_4BYTE_DATA(text));
    }
}

void TextArgument::replace_surrogates(PyObject* text) {
    PyObject* raw = PyUnicode_AsEncodedString(text, "utf-8", "surrogatepass");
    if (raw == nullptr) throw py::error_already_set();
    const auto owner = py::reinterpret_steal<py::bytes>(raw);
    const std::string_view bytes(owner);
    copy_.reset(new char[bytes.size()]);
    std::memcpy(copy_.get(), bytes.data(), bytes.size());
    view_ = {copy_.get(), bytes.size()};
    for (std::size_t i = 0; i + 2 < bytes.size(); ++i) {
        const bool surrogate = bytes[i] == '\xED' && static_cast<unsigned char>(bytes[i + 1]) >= 0xA0;
        if (surrogate) std::memcpy(copy_.get() + i, "\xEF\xBF\xBD", 3);
    }
}

}  // namespace rag::python
