// Runs a fuzz target without a fuzzer: every file of the corpus folders on the command line, each truncated at many points and
// mutated in simple ways, always the same inputs in the same order. When the target dies, the last line names the input, so that
// it can be made again. Exits 1 if there is no corpus file. REPLAY_MUTATIONS changes the number of mutations a file (300).
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace {

using Bytes = std::vector<std::uint8_t>;

std::array<char, 512> g_current{};  // what is being run; a fixed buffer, so that a signal handler may read it
std::size_t g_runs = 0;

void name_current_input() {
    std::fputs("replay: died on ", stderr);
    std::fputs(g_current.data(), stderr);
    std::fputs("\n", stderr);
}

extern "C" void on_abort(int signal) {
    name_current_input();
    std::signal(signal, SIG_DFL);
    std::raise(signal);
}

void run(const Bytes& input, const std::string& file, const char* change, std::size_t value) {
    std::snprintf(g_current.data(), g_current.size(), "%s, %s %zu", file.c_str(), change, value);
    // A copy of exactly this size on the heap, so that one byte too far is seen.
    const std::unique_ptr<std::uint8_t[]> copy(new std::uint8_t[input.size()]);
    if (!input.empty()) std::memcpy(copy.get(), input.data(), input.size());
    LLVMFuzzerTestOneInput(copy.get(), input.size());
    ++g_runs;
}

void run_truncations(const Bytes& bytes, const std::string& file) {
    const std::size_t dense = std::min<std::size_t>(bytes.size(), 256);
    for (std::size_t size = 0; size < dense; ++size) {
        run({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)}, file, "truncated to", size);
    }
    const std::size_t step = std::max<std::size_t>(1, (bytes.size() - dense) / 64);
    for (std::size_t size = dense; size < bytes.size(); size += step) {
        run({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)}, file, "truncated to", size);
    }
}

/// One change: a flipped bit, a byte at the end of its range, a huge or negative number where a size may stand, a piece
/// removed or doubled. Half of them in the first 256 bytes, where headers are.
void mutate(Bytes& bytes, std::mt19937_64& random) {
    const std::size_t range = random() % 2 == 0 ? std::min<std::size_t>(bytes.size(), 256) : bytes.size();
    const std::size_t at = random() % range;
    constexpr std::array<std::uint8_t, 6> kBytes = {0x00, 0xFF, 0x7F, 0x80, '"', '{'};
    constexpr std::array<std::uint64_t, 6> kNumbers = {0, ~0ULL, 1ULL << 63, 1ULL << 32, (1ULL << 31) - 1, 1ULL << 62};
    switch (random() % 5) {
        case 0:
            bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ (1U << (random() % 8)));
            break;
        case 1:
            bytes[at] = kBytes[random() % kBytes.size()];
            break;
        case 2: {
            const std::uint64_t number = kNumbers[random() % kNumbers.size()];
            const std::size_t width = random() % 2 == 0 ? 4 : 8;
            std::memcpy(bytes.data() + at, &number, std::min(width, bytes.size() - at));
            break;
        }
        case 3: {
            const std::size_t count = std::min<std::size_t>(bytes.size() - at, 1 + random() % 16);
            bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.begin() + static_cast<std::ptrdiff_t>(at + count));
            break;
        }
        default: {
            const Bytes piece(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                              bytes.begin() + static_cast<std::ptrdiff_t>(std::min(bytes.size(), at + 16)));
            bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), piece.begin(), piece.end());
        }
    }
}

void run_mutations(const Bytes& bytes, const std::string& file, std::size_t count) {
    for (std::size_t seed = 0; seed < count; ++seed) {
        std::mt19937_64 random(seed);
        Bytes changed = bytes;
        for (std::size_t changes = 1 + random() % 3; changes > 0 && !changed.empty(); --changes) mutate(changed, random);
        run(changed, file, "mutated with seed", seed);
    }
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGABRT, on_abort);
    if (__sanitizer_set_death_callback != nullptr) {
        __sanitizer_set_death_callback(name_current_input);
    } else {
        std::signal(SIGSEGV, on_abort);
    }
    const char* wanted = std::getenv("REPLAY_MUTATIONS");
    const std::size_t mutations = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 300;
    std::vector<std::filesystem::path> files;
    for (int i = 1; i < argc; ++i) {
        if (std::filesystem::is_regular_file(argv[i])) files.emplace_back(argv[i]);
        if (!std::filesystem::is_directory(argv[i])) continue;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
            if (entry.is_regular_file()) files.push_back(entry.path());
        }
    }
    std::sort(files.begin(), files.end());
    if (files.empty()) {
        std::fputs("replay: no corpus file; name the corpus folder\n", stderr);
        return 1;
    }
    for (const auto& file : files) {
        std::ifstream in(file, std::ios::binary);
        const Bytes bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
        run(bytes, file.string(), "as it is,", bytes.size());
        run_truncations(bytes, file.string());
        run_mutations(bytes, file.string(), mutations);
    }
    std::printf("replay: %zu files, %zu inputs\n", files.size(), g_runs);
    return 0;
}
