// The module librag._librag: errors first, then one file a part. python/librag gives these classes the face that users see.
#include <cstdlib>

#include "common.hpp"

namespace rag::python {

void bind_errors(py::module_& module) {
    module.def("version", [] { return rag::version(); }, "Version of the loaded librag.so.");
    module.def(
        "status_name", [](rag_status code) { return std::string(rag_status_name(code)); }, py::arg("code"),
        "The name of a status of the C interface.");
    // The exception classes live in librag.errors, where they can be documented and pickled.
    py::register_exception_translator([](std::exception_ptr pointer) {
        try {
            if (pointer) std::rethrow_exception(pointer);
        } catch (const Error& error) {
            try {
                const py::object make = py::module_::import("librag.errors").attr("from_code");
                const py::object exception = make(error.code(), py::str(error.what()));
                PyErr_SetObject(py::type::of(exception).ptr(), exception.ptr());
            } catch (py::error_already_set& failed) {
                failed.restore();
            }
        }
    });
}

}  // namespace rag::python

PYBIND11_MODULE(_librag, module) {
    module.doc() = "The C++ core of librag. Use the package librag instead: these classes are its inner part.";
    // Daemon threads may still compute when the interpreter has ended. Registered as late as that, it is the first that exit()
    // does; a program that goes on without Python goes on with its models.
    static_cast<void>(Py_AtExit([] { std::atexit([] { rag_models_shutdown(); }); }));
    rag::python::bind_errors(module);
    rag::python::bind_encoding(module);
    rag::python::bind_tokenizer(module);
    rag::python::bind_models(module);
    rag::python::bind_indexes(module);
    rag::python::bind_text(module);
    rag::python::bind_engine(module);
    rag::python::bind_evaluate(module);
    rag::python::bind_train(module);
}
