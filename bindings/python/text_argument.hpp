// A text that Python gives, as UTF-8: a str, or bytes. The UTF-8 of a str that is not ASCII is made beside it:
// PyUnicode_AsUTF8AndSize() would leave it in the caller's str for as long as that lives.
// Made under the GIL; the view may be read without it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common.hpp"

namespace rag::python {

class TextArgument {
  public:
    /// Throws TypeError for what is no text, and for lone surrogates, which have no UTF-8, RAG_INVALID_ARGUMENT, unless `replace`
    /// says that each of them becomes U+FFFD, which is as long as the three bytes that a surrogate would take. `what` is the
    /// argument's name in messages.
    TextArgument(py::handle object, const char* what, bool replace);
    std::string_view view() const noexcept { return view_; }

  private:
    bool copy(PyObject* text);
    void replace_surrogates(PyObject* text);

    std::unique_ptr<char[]> copy_;  // where the view is not the object's own
    std::string_view view_;
};

}  // namespace rag::python
