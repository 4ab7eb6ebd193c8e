// A program ends while its threads compute (exit_victim.cpp): with the code that it gives, and within seconds.
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <thread>

#include "test_files.hpp"

namespace {

/// The exit code; 128 and the number of the signal that ended it; 1000 when it had to be killed after a minute.
int run_victim(const std::string& how, const std::string& model) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::execl(EXIT_VICTIM, EXIT_VICTIM, how.c_str(), model.c_str(), static_cast<char*>(nullptr));
        ::_exit(127);
    }
    REQUIRE(child > 0);
    int status = 0;
    for (int i = 0; i < 6000; ++i) {
        if (::waitpid(child, &status, WNOHANG) == child) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return 1000;
}

}  // namespace

TEST_CASE("a program ends while its threads compute") {
    const auto model = rag::test::fixture("tiny_bert");
    RAG_NEEDS(model);
    for (int i = 0; i < 5; ++i) {
        CHECK(run_victim("exit", model.path.string()) == 7);
        CHECK(run_victim("shutdown", model.path.string()) == 7);
    }
}
