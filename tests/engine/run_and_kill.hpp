// Who listens to the victim of a crash test (say.hpp) and kills it. Thread rule: one thread.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <sstream>
#include <string>
#include <vector>

namespace rag::test {

/// Runs a program (arguments[0]), kills it after `delay_ms` (counted from its first line, if `opened`, so that it has begun with
/// its work), and gives the lines that it said until then.
inline std::vector<std::string> run_and_kill(const std::vector<std::string>& arguments, int delay_ms, bool opened) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        std::vector<char*> argv;
        for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
        argv.push_back(nullptr);
        ::dup2(ends[1], STDOUT_FILENO);
        ::close(ends[0]);
        ::close(ends[1]);
        ::execv(argv[0], argv.data());
        ::_exit(127);
    }
    ::close(ends[1]);
    std::string heard;
    char buffer[4096];
    const auto read_more = [&] {
        const ssize_t size = ::read(ends[0], buffer, sizeof(buffer));
        if (size > 0) heard.append(buffer, static_cast<std::size_t>(size));
        return size > 0;
    };
    if (opened) REQUIRE(read_more());
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(delay_ms);
    while (true) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
        if (left <= 0) break;
        pollfd readable{ends[0], POLLIN, 0};
        if (::poll(&readable, 1, static_cast<int>(left)) > 0 && !read_more()) break;
    }
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));  // it must not have ended by itself
    while (read_more()) {
    }
    ::close(ends[0]);
    // A line without its end was not said.
    std::istringstream text(heard.substr(0, heard.rfind('\n') + 1));
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
}

}  // namespace rag::test
