// A librag_torch.so for the loader's tests.
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "fake_backend.hpp"

extern "C" int fake_c10();
extern "C" int fake_torch_cpu();

// As libgomp does: read while the library is being loaded.
static char waits[64] = "FAKE_WAITS=";
__attribute__((constructor)) static void keep_waits() {
    for (const char* name : {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}) {
        const char* value = std::getenv(name);
        if (waits[std::strlen(waits) - 1] != '=') std::strcat(waits, " ");
        std::strncat(waits, value == nullptr ? "none" : value, 20);
    }
    // As another thread of the program may do while a library is being loaded.
    ::setenv("RAG_TEST_MEANWHILE", "changed", 1);
    ::unsetenv("RAG_TEST_GONE");
}

extern "C" __attribute__((visibility("default"))) void rag_torch_backend(std::uint32_t host_version, rag::core::Backend** out,
                                                                         rag::core::BackendStatus* status) {
    static auto* const backend = new rag::test::FakeBackend();
    ::putenv(waits);
    const char* value = std::getenv("FAKE_BACKEND");
    const std::string_view wish = value == nullptr ? "" : value;
    *out = nullptr;
    if (fake_c10() + fake_torch_cpu() != 2) return;
    if (wish == "version") {
        *status = {-7, "librag.so speaks version " + std::to_string(host_version) + ", librag_torch.so version 99"};
    } else if (wish != "null") {
        *out = backend;
    }
}
