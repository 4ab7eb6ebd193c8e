#include "model/loader.hpp"

#include <dlfcn.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string>

#include "core/error.hpp"
#include "core/fork_guard.hpp"
#include "core/log.hpp"
#include "model/model.hpp"
#include "model/short_waits.hpp"

namespace rag::core {
namespace {

constexpr const char* kBackendFile = "librag_torch.so";
constexpr const char* kEntryName = "rag_torch_backend";
constexpr const char* kAdvice =
    "install it with `pip install librag[torch]`, or set RAG_LIBTORCH_DIR to the lib folder of torch 2.13";

/// One for the process, never destroyed: models may still run while static objects of the host are being destroyed.
struct State {
    std::mutex mutex;
    std::atomic<Backend*> loaded{nullptr};
    std::atomic<int> loading{0};
    std::atomic<bool> ended{false};
    ForkGuard fork;
};
State& state() {
    static State* const instance = new State();
    return *instance;
}

/// A variable of the environment, ignored in a set-user-id program, where the caller must not choose what is loaded.
std::string variable(const char* name) {
    const char* value = ::secure_getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

/// The folder of the library (or program) that this code is linked into.
std::filesystem::path own_folder() {
    Dl_info info{};
    if (::dladdr(reinterpret_cast<const void*>(&backend), &info) == 0 || info.dli_fname == nullptr) return {};
    std::error_code ignored;
    return std::filesystem::absolute(info.dli_fname, ignored).parent_path();
}

std::string last_error() {
    const char* text = ::dlerror();
    return text == nullptr ? "unknown reason" : text;
}

/// Loads LibTorch's libraries by full path: librag_torch.so then finds them by name among what is loaded.
/// Empty, or why not.
std::string preload_libtorch(std::filesystem::path folder) {
    std::error_code ignored;
    if (std::filesystem::exists(folder / "lib" / "libc10.so", ignored)) folder /= "lib";
    for (const char* name : {"libc10.so", "libtorch_cpu.so"}) {
        if (::dlopen((folder / name).c_str(), RTLD_NOW | RTLD_LOCAL) == nullptr) return last_error();
    }
    return {};
}

/// Opens one librag_torch.so; nullptr and a remark in `tried` if that does not work.
void* open_library(const std::filesystem::path& file, std::string& tried) {
    const ShortWaits waits;
    if (void* handle = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL); handle != nullptr) return handle;
    tried += fmt::format("{}: {}", tried.empty() ? "" : "; ", last_error());
    const std::string folder = variable("RAG_LIBTORCH_DIR");
    if (folder.empty()) {
        tried += "; RAG_LIBTORCH_DIR is not set";
        return nullptr;
    }
    if (const std::string why = preload_libtorch(folder); !why.empty()) {
        tried += fmt::format("; RAG_LIBTORCH_DIR={}: {}", folder, why);
        return nullptr;
    }
    if (void* handle = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL); handle != nullptr) return handle;
    tried += fmt::format("; with RAG_LIBTORCH_DIR={}: {}", folder, last_error());
    return nullptr;
}

Backend& enter(void* handle, const std::filesystem::path& file) {
    const auto entry = reinterpret_cast<BackendEntry>(::dlsym(handle, kEntryName));
    if (entry == nullptr) fail(Code::kVersion, "{} does not export {}", quote(file.string(), 400), kEntryName);
    Backend* found = nullptr;
    BackendStatus status;
    entry(kBackendVersion, &found, &status);
    check_status(status);
    if (found == nullptr) fail(Code::kInternal, "{} gave no backend", quote(file.string(), 400));
    log(LogLevel::kInfo, "loaded {}: {}", quote(file.string(), 400), found->describe());
    return *found;
}

Backend& load() {
    std::array<std::filesystem::path, 2> folders = {own_folder(), variable("RAG_BACKEND_DIR")};
    std::string tried;
    for (const auto& folder : folders) {
        if (folder.empty()) continue;
        const auto file = folder / kBackendFile;
        std::error_code ignored;
        if (!std::filesystem::exists(file, ignored)) {
            tried += fmt::format("{}no {}", tried.empty() ? "" : "; ", file.string());
            continue;
        }
        if (void* handle = open_library(file, tried); handle != nullptr) return enter(handle, file);
    }
    fail(Code::kNoBackend, "models need LibTorch, which cannot be loaded: {} (tried: {})", kAdvice, quote(tried, 1500));
}

}  // namespace

Backend& backend() {
    State& shared = state();
    if (shared.fork.in_child() && (shared.loaded.load() != nullptr || shared.loading.load() != 0))
        fail(Code::kInvalidState,
             "LibTorch was loaded before fork() and cannot be used in the child: start processes with spawn, or use models only "
             "after the fork");
    if (shared.ended) fail(Code::kInvalidState, "models were shut down, and no further one is opened in this process");
    if (Backend* loaded = shared.loaded.load(std::memory_order_acquire); loaded != nullptr) return *loaded;
    struct Loading {
        std::atomic<int>& count;
        explicit Loading(std::atomic<int>& c) : count(c) { count.fetch_add(1); }
        ~Loading() { count.fetch_sub(1); }
    } const loading(shared.loading);
    const std::lock_guard lock(shared.mutex);
    if (Backend* loaded = shared.loaded.load(); loaded != nullptr) return *loaded;
    Backend& found = load();
    shared.loaded.store(&found, std::memory_order_release);
    if (shared.ended) {  // meanwhile, by a thread that found nothing loaded yet
        found.end();
        fail(Code::kInvalidState, "models were shut down while LibTorch was being loaded");
    }
    return found;
}

void end_backend() noexcept {
    State& shared = state();
    if (shared.fork.in_child()) return;
    shared.ended = true;
    if (Backend* loaded = shared.loaded.load(); loaded != nullptr) loaded->end();
}

}  // namespace rag::core
