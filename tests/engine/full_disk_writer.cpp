// A process of its own for test_full_disk.cpp, whose disk fills, or which may not write. Ends with 0 if all went as it should, 1
// and a line on standard error if not, 77 if this machine does not let it prepare the case.
//   full_disk_writer tmpfs FOLDER     mounts 6 MB of memory over FOLDER (in a mount namespace of its own), fills it, frees it
//   full_disk_writer limit FOLDER     files may not grow beyond 1.5 MB (RLIMIT_FSIZE), later they may
//   full_disk_writer reader FOLDER N  without root's rights; FOLDER/kb has documents 0 to N - 1 and may not be written
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>

#include "core/error.hpp"
#include "crash_documents.hpp"
#include "engine/engine.hpp"

using namespace rag::core;
using namespace rag::test;
namespace fs = std::filesystem;

namespace {

constexpr int kCannotPrepare = 77;
constexpr const char* kNobody = "65534";

void require(bool condition, const std::string& what) {
    if (!condition) throw std::runtime_error(what);
}

std::unique_ptr<Engine> open(const fs::path& folder, bool read_only = false) {
    EngineOptions options;
    options.path = folder;
    options.read_only = read_only;
    return Engine::open(options);
}

void add(Engine& engine, std::uint32_t first, std::uint32_t last) {
    std::vector<CrashDocument> documents;
    for (std::uint32_t n = first; n < last; ++n) {
        documents.push_back(crash_document(n, 0));
        // Random letters, so that a document takes the place that it seems to.
        std::mt19937 random(n);
        documents.back().text += ' ';
        for (int i = 0; i < 4000; ++i) documents.back().text += static_cast<char>('a' + random() % 26);
    }
    std::vector<std::string> ids;
    engine.add(inputs_of(documents), {}, ids);
}

void check(Engine& engine, std::uint32_t count, const std::string& when) {
    require(engine.count() == count, fmt::format("{}: {} documents, not {}", when, engine.count(), count));
    for (std::uint32_t n = 0; n < count; ++n) {
        const CrashDocument document = crash_document(n, 0);
        Query words;
        const std::string marker = fmt::format("marker{}x0", n);
        words.text = marker;
        words.k = 1;
        words.mode = SearchMode::kBm25;
        Query near;
        near.vector = document.vector;
        near.k = 1;
        const auto by_words = engine.search(words);
        const auto by_vector = engine.search(near);
        require(by_words.size() == 1 && by_words[0].document_id == document.id, fmt::format("{}: {} not found", when, marker));
        require(by_vector.size() == 1 && by_vector[0].document_id == document.id,
                fmt::format("{}: document {} not found by its vector", when, n));
    }
    const auto report = engine.verify();
    require(report.ok, when + ": " + report.json);
}

/// Adds until the disk is full; returns how many documents were acknowledged.
std::uint32_t fill(Engine& engine) {
    for (std::uint32_t n = 0; n < 100000; n += 10) {
        try {
            add(engine, n, n + 10);
        } catch (const Error& error) {
            require(error.code() == Code::kIo, fmt::format("a full disk is reported as {}", error.what()));
            return n;
        }
    }
    throw std::runtime_error("the disk never became full");
}

/// `make_room` ends the shortage.
void run_full(const fs::path& folder, const std::function<void()>& make_room) {
    auto engine = open(folder);
    const std::uint32_t count = fill(*engine);
    require(count > 0, "not one batch was stored");
    check(*engine, count, "on a full disk");
    try {
        engine->compact();  // may fail, for want of room, but must not do harm
    } catch (const Error& error) {
        require(error.code() == Code::kIo, fmt::format("compacting on a full disk: {}", error.what()));
    }
    check(*engine, count, "after compacting on a full disk");
    try {
        engine->close();
    } catch (const Error& error) {
        require(error.code() == Code::kIo, fmt::format("closing on a full disk: {}", error.what()));
    }
    check(*open(folder, true), count, "read on a full disk");
    make_room();
    engine = open(folder);
    check(*engine, count, "with room again");
    add(*engine, count, count + 20);
    check(*engine, count + 20, "written with room again");
    engine.reset();
    check(*open(folder), count + 20, "opened after that");
}

void run_tmpfs(const fs::path& folder) {
    bool mounted = ::unshare(CLONE_NEWNS) == 0 || ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
    mounted = mounted && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    mounted = mounted && ::mount("tmpfs", folder.c_str(), "tmpfs", 0, "size=6m") == 0;
    if (!mounted) {
        std::fprintf(stderr, "full_disk_writer: cannot mount a tmpfs: %s\n", std::strerror(errno));
        ::_exit(kCannotPrepare);
    }
    std::ofstream(folder / "ballast") << std::string(3 << 20, 'b');
    run_full(folder / "kb", [&] { fs::remove(folder / "ballast"); });
}

void run_limit(const fs::path& folder) {
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    const rlimit before = limit;
    limit.rlim_cur = rlim_t{1536} * 1024;
    require(::setrlimit(RLIMIT_FSIZE, &limit) == 0, "setrlimit");
    run_full(folder / "kb", [&] { require(::setrlimit(RLIMIT_FSIZE, &before) == 0, "setrlimit"); });
}

void become_nobody() {
    if (::geteuid() != 0) return;
    const auto nobody = static_cast<uid_t>(std::stoul(kNobody));
    if (::setgid(nobody) != 0 || ::setuid(nobody) != 0) ::_exit(kCannotPrepare);
}

/// A log with commits whose index is gone, where none can be made.
void run_stuck(const fs::path& folder) {
    become_nobody();
    try {
        open(folder / "kb", true);
    } catch (const Error& error) {
        require(std::string_view(error.what()).find("-shm") != std::string_view::npos, error.what());
        return;
    }
    throw std::runtime_error("a log was read without its index");
}

void run_reader(const fs::path& folder, std::uint32_t count) {
    become_nobody();
    require(::access((folder / "kb").c_str(), W_OK) != 0, "the folder can be written after all");
    for (int round = 0; round < 2; ++round) check(*open(folder / "kb", true), count, "in a folder that cannot be written");
    try {
        open(folder / "kb");
    } catch (const Error& error) {
        require(error.code() == Code::kIo || error.code() == Code::kReadOnly, error.what());
        require(std::string_view(error.what()).find("kb") != std::string_view::npos, error.what());
        return;
    }
    throw std::runtime_error("a folder that cannot be written was opened for writing");
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    const std::string mode = argv[1];
    try {
        if (mode == "tmpfs") run_tmpfs(argv[2]);
        if (mode == "limit") run_limit(argv[2]);
        if (mode == "stuck") run_stuck(argv[2]);
        if (mode == "reader" && argc == 4) run_reader(argv[2], static_cast<std::uint32_t>(std::stoul(argv[3])));
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "full_disk_writer %s: %s\n", argv[1], error.what());
        return 1;
    }
}
