// What the backend leaves alone in the host's process: its OpenMP thread count, and what happens after fork.
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "tiny_models.hpp"

using namespace rag::core;
using namespace rag::core::test;

TEST_CASE("the host's thread count stays as it is") {
    // The functions of the OpenMP runtime that LibTorch brought into the process.
    const auto get = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "omp_get_max_threads"));
    const auto set = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
    REQUIRE(get != nullptr);
    REQUIRE(set != nullptr);
    const int before = get();
    set(3);
    const auto encoder = load(tiny_bert_config(), tiny_bert(), Precision::kInt8);
    const TinyBatch batch({100, 120});
    (void)encode(*encoder, batch.view(), 48);
    CHECK(get() == 3);
    set(before);
}

TEST_CASE("a model from before fork says so in the child") {
    auto encoder = load(tiny_bert_config(), tiny_bert(), Precision::kFloat32);
    const TinyBatch batch({4});
    std::vector<float> out(48);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const BackendStatus status = encoder->encode(batch.view(), out, {});
        encoder.reset();  // neither waits for the thread that is not there nor crashes
        _exit(status.code == static_cast<std::int32_t>(Code::kInvalidState) ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    CHECK(encoder->encode(batch.view(), out, {}).ok());
}
