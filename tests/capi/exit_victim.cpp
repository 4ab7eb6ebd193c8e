// The victim of a test: a program that ends while its threads compute. Arguments: "exit" or "shutdown", a folder of an encoder.
// Afterwards a call must say what is the matter; the exit code is 7, or 1 where something else happened.
#include <rag/rag.hpp>

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

std::atomic<int> calls{0};
std::atomic<bool> refused{false};

void encode_for_ever(const rag::Encoder& encoder) {
    const std::vector<std::string_view> texts(16, "seven boats wait for wind in the harbour of the old mill");
    try {
        for (;;) {
            static_cast<void>(encoder.encode(texts));
            ++calls;
        }
    } catch (const rag::Error& error) {
        refused = error.code() == RAG_INVALID_STATE;
    }
    for (;;) ::pause();
}

void wait_until(const std::atomic<int>& number, int least) {
    while (number < least) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

// Runs after all that exit() does with LibTorch, because it was registered before LibTorch was loaded.
void look_back() {
    for (int i = 0; i < 5000 && !refused; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (!refused) std::_Exit(1);
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 3 || std::atexit(look_back) != 0) return 1;
    auto* const encoder = new rag::Encoder(arguments[2]);
    for (int i = 0; i < 2; ++i) std::thread(encode_for_ever, std::cref(*encoder)).detach();
    wait_until(calls, 20);
    if (std::string(arguments[1]) == "shutdown") {
        rag::shutdown_models();
        rag::shutdown_models();
        try {
            const rag::Encoder another(arguments[2]);
            return 1;
        } catch (const rag::Error& error) {
            if (error.code() != RAG_INVALID_STATE) return 1;
        }
    }
    std::exit(7);
}
