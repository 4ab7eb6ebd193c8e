// Finding and loading librag_torch.so: what is said when it is not there or not right, and that it is loaded once. One test case,
// because a backend that was loaded once stays.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "model/encoder.hpp"
#include "model/loader.hpp"
#include "model_files.hpp"

using namespace rag::core;
using namespace rag::test;

namespace {

/// What `body` returns in a child process.
template <typename Body>
int child_result(Body&& body) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) ::_exit(body());
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    return WEXITSTATUS(status);
}

std::string value_of(const char* name) {
    const char* value = ::getenv(name);
    return value == nullptr ? "none" : value;
}

}  // namespace

TEST_CASE("the backend is looked for, checked and kept", "[model]") {
    const std::string fake = RAG_FAKE_BACKEND_DIR, libtorch = RAG_FAKE_LIBTORCH_DIR;
    TemporaryFolder scratch;
    ::unsetenv("RAG_BACKEND_DIR");
    ::unsetenv("RAG_LIBTORCH_DIR");
    require_error(Code::kNoBackend, {"pip install librag[torch]", "RAG_LIBTORCH_DIR", "librag_torch.so"}, [] { backend(); });

    ::setenv("RAG_BACKEND_DIR", scratch.path().c_str(), 1);
    require_error(Code::kNoBackend, {scratch.path().string()}, [] { backend(); });
    write_file(scratch / "librag_torch.so", "this is no library");
    require_error(Code::kNoBackend, {scratch.path().string(), "RAG_LIBTORCH_DIR is not set"}, [] { backend(); });
    ::setenv("RAG_LIBTORCH_DIR", (scratch / "torch").c_str(), 1);
    require_error(Code::kNoBackend, {(scratch / "torch").string(), "libc10.so"}, [] { backend(); });
    ::unsetenv("RAG_LIBTORCH_DIR");

    // Only RAG_LIBTORCH_DIR, torch's own folder or the lib in it, leads from the fake backend to the libraries that it needs.
    ::setenv("RAG_BACKEND_DIR", fake.c_str(), 1);
    require_error(Code::kNoBackend, {"libc10.so", "RAG_LIBTORCH_DIR is not set"}, [] { backend(); });
    ::setenv("RAG_LIBTORCH_DIR", (libtorch + "/lib").c_str(), 1);
    // What libgomp is told while it is loaded is gone afterwards, and what the user says stays. Each child loads it first.
    ::unsetenv("OMP_WAIT_POLICY");
    ::unsetenv("GOMP_SPINCOUNT");
    ::setenv("RAG_TEST_MEANWHILE", "before", 1);
    ::setenv("RAG_TEST_GONE", "before", 1);
    const auto told = [](const std::string& wanted) {
        return child_result([&] {
            const std::string spins = value_of("GOMP_SPINCOUNT"), policy = value_of("OMP_WAIT_POLICY");
            ::setenv("RAG_TEST_OLD", "old", 1);
            const bool right = backend().describe() == "the fake backend" && value_of("FAKE_WAITS") == wanted;
            ::setenv("RAG_TEST_NEW", "new", 1);
            const bool kept = value_of("RAG_TEST_OLD") == "old" && value_of("RAG_TEST_NEW") == "new" &&
                              value_of("RAG_TEST_MEANWHILE") == "changed" && value_of("RAG_TEST_GONE") == "none";
            return right && kept && value_of("GOMP_SPINCOUNT") == spins && value_of("OMP_WAIT_POLICY") == policy ? 0 : 1;
        });
    };
    CHECK(told("10000 active") == 0);
    ::setenv("GOMP_SPINCOUNT", "7", 1);
    CHECK(told("7 active") == 0);
    ::unsetenv("GOMP_SPINCOUNT");
    ::setenv("OMP_WAIT_POLICY", "passive", 1);
    CHECK(told("none passive") == 0);
    ::unsetenv("OMP_WAIT_POLICY");

    ::setenv("FAKE_BACKEND", "version", 1);
    CHECK(child_result([] {
              try {
                  backend();
              } catch (const Error& error) {
                  return error.code() == Code::kVersion ? 0 : 2;
              }
              return 1;
          }) == 0);
    ::setenv("RAG_LIBTORCH_DIR", libtorch.c_str(), 1);
    require_error(Code::kVersion, {"version 99"}, [] { backend(); });
    ::setenv("FAKE_BACKEND", "null", 1);
    require_error(Code::kInternal, {"gave no backend"}, [] { backend(); });

    // A model asks for the backend only when its files are in order.
    ModelOptions options;
    require_error(Code::kNotFound, {"absent"}, [&] { Encoder::open(scratch / "absent", options); });

    // In a child of a fork before the loading it can be loaded.
    ::setenv("FAKE_BACKEND", "", 1);
    CHECK(child_result([] { return backend().describe() == "the fake backend" ? 0 : 1; }) == 0);

    Backend& first = backend();
    CHECK(first.describe() == "the fake backend");
    ::setenv("RAG_BACKEND_DIR", scratch.path().c_str(), 1);
    CHECK(&backend() == &first);
    CHECK(child_result([] {
              try {
                  backend();
              } catch (const Error& error) {
                  return error.code() == Code::kInvalidState ? 0 : 2;
              }
              return 1;
          }) == 0);
}
