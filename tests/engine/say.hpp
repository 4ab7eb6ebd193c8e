// How a victim of a crash test says what was acknowledged: a line at once, in one piece. Thread rule: any thread.
#pragma once

#include <unistd.h>

#include <string>

namespace rag::test {

inline void say(const std::string& line) {
    const std::string text = line + "\n";
    if (::write(STDOUT_FILENO, text.data(), text.size()) != static_cast<ssize_t>(text.size())) ::_exit(3);
}

}  // namespace rag::test
