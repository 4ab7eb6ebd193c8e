// rag_engine_verify, _compact, _changes, _backup, _export, _import: the engine as a whole over C.
#include <cstddef>
#include <limits>

#include "arguments.hpp"
#include "engine/engine.hpp"
#include "guard.hpp"
#include "handles.hpp"

namespace core = rag::core;
using rag::capi::Code;
using rag::capi::fail;
using rag::capi::given;
using rag::capi::guard;
using rag::capi::progress_of;
using rag::capi::require;
using rag::capi::use;

namespace {

constexpr std::size_t kDefaultChanges = 1000;
// As the first 0.1.0 had it.
constexpr std::size_t kFirstExportOptions = offsetof(rag_export_options, on_damaged);

}  // namespace

extern "C" {

rag_status rag_engine_verify(rag_engine* engine, rag_progress_fn progress, void* user_data, int32_t* ok,
                             rag_string** json) noexcept {
    return guard([&] {
        if (ok != nullptr) *ok = 0;
        require(json, "json") = nullptr;
        core::VerifyReport report = use(engine).verify(progress_of(progress, user_data));
        *json = new rag_string{std::move(report.json)};
        if (ok != nullptr) *ok = report.ok ? 1 : 0;
    });
}

rag_status rag_engine_compact(rag_engine* engine, rag_progress_fn progress, void* user_data) noexcept {
    return guard([&] { use(engine).compact(progress_of(progress, user_data)); });
}

rag_status rag_engine_changes(rag_engine* engine, uint64_t since, uint64_t limit, rag_changes** changes) noexcept {
    return guard([&] {
        require(changes, "changes") = nullptr;
        if (since > static_cast<uint64_t>(std::numeric_limits<std::int64_t>::max()))
            fail(Code::kInvalidArgument, "since is {}, which is no sequence number", since);
        const auto most = static_cast<std::size_t>(limit == 0 ? kDefaultChanges : limit);
        *changes = new rag_changes{use(engine).changes(static_cast<std::int64_t>(since), most)};
    });
}

size_t rag_changes_count(const rag_changes* changes) noexcept {
    return changes == nullptr ? 0 : changes->changes.changes.size();
}

rag_status rag_changes_at(const rag_changes* changes, size_t index, rag_change* out) noexcept {
    return guard([&] {
        const auto& all = require(changes, "changes").changes.changes;
        rag_change value = RAG_CHANGE_INIT;
        if (index < all.size()) {
            value.kind = static_cast<uint32_t>(all[index].kind);
            value.sequence = static_cast<uint64_t>(all[index].sequence);
            value.id = {all[index].id.c_str(), all[index].id.size()};
        }
        rag::capi::write_struct(out, value, "rag_change");
        if (index >= all.size()) fail(Code::kInvalidArgument, "index is {}, there are {} changes", index, all.size());
    });
}

uint64_t rag_changes_next(const rag_changes* changes) noexcept {
    return changes == nullptr ? 0 : static_cast<uint64_t>(changes->changes.next);
}

uint64_t rag_changes_last(const rag_changes* changes) noexcept {
    return changes == nullptr ? 0 : static_cast<uint64_t>(changes->changes.last);
}

void rag_changes_free(rag_changes* changes) noexcept {
    delete changes;
}

rag_status rag_engine_backup(rag_engine* engine, rag_text path, rag_progress_fn progress, void* user_data) noexcept {
    return guard([&] { use(engine).backup(rag::capi::path_of(path, "path"), progress_of(progress, user_data)); });
}

rag_status rag_engine_export(rag_engine* engine, rag_text path, const rag_export_options* options, uint64_t* count) noexcept {
    return guard([&] {
        if (count != nullptr) *count = 0;
        const auto known = rag::capi::read_struct(options, rag_export_options RAG_EXPORT_OPTIONS_INIT, "rag_export_options",
                                                  kFirstExportOptions);
        core::ExportOptions out;
        out.vectors = known.no_vectors == 0;
        out.progress = progress_of(known.progress, known.user_data);
        if (known.on_damaged != nullptr) {
            out.on_damaged = [&known](std::string_view id, std::string_view problem) {
                const rag_text name = id.empty() ? rag_text{nullptr, 0} : rag_text{id.data(), id.size()};
                const int value = known.on_damaged(name, {problem.data(), problem.size()}, known.user_data);
                if (value != 0) rag::capi::set_stop_value(value);
                return value == 0;
            };
        }
        if (given(path) == (known.line != nullptr))
            fail(Code::kInvalidArgument, "an export goes to a path or to options.line, {} given",
                 given(path) ? "both are" : "neither is");
        const core::Engine& source = use(engine);
        std::uint64_t documents = 0;
        if (given(path)) {
            documents = source.export_file(rag::capi::path_of(path, "path"), out);
        } else {
            documents = source.export_lines(
                [&](std::string_view line) {
                    const int value = known.line({line.data(), line.size()}, known.user_data);
                    if (value == 0) return;
                    rag::capi::set_stop_value(value);
                    throw core::Stopped();
                },
                out);
        }
        if (count != nullptr) *count = documents;
    });
}

rag_status rag_engine_import(rag_engine* engine, rag_text path, const rag_import_options* options, uint64_t* count) noexcept {
    return guard([&] {
        if (count != nullptr) *count = 0;
        const auto known = rag::capi::read_struct(options, rag_import_options RAG_IMPORT_OPTIONS_INIT, "rag_import_options");
        core::ImportOptions out;
        out.batch_documents = known.batch_documents;
        out.progress = progress_of(known.progress, known.user_data);
        const std::uint64_t documents = use(engine).import_file(rag::capi::path_of(path, "path"), out);
        if (count != nullptr) *count = documents;
    });
}

}  // extern "C"
