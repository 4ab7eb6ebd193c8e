// What concerns models and no handle, over C: rag_model_inspect (what a model file or folder holds) and rag_models_shutdown.
#include "formats/inspect.hpp"
#include "arguments.hpp"
#include "core/polled.hpp"
#include "guard.hpp"
#include "handles.hpp"
#include "model/loader.hpp"

namespace core = rag::core;

extern "C" {

rag_status rag_model_inspect(rag_text path, const rag_inspect_options* options, rag_string** json) noexcept {
    return rag::capi::guard([&] {
        rag::capi::require(json, "json") = nullptr;
        const auto known = rag::capi::read_struct(options, rag_inspect_options RAG_INSPECT_OPTIONS_INIT, "rag_inspect_options");
        const auto where = rag::capi::path_of(path, "path");
        core::InspectOptions inspect;
        inspect.sums = known.sums != 0;
        inspect.verify = known.verify != 0;
        std::string text;
        core::run_polled(rag::capi::progress_of(known.progress, known.user_data), [&](const core::Progress& progress) {
            inspect.progress = progress;
            text = core::report_json(core::inspect_model(where, inspect));
        });
        *json = new rag_string{std::move(text)};
    });
}

void rag_models_shutdown(void) noexcept {
    core::end_backend();
}

}  // extern "C"
