// A disk that is full, and a folder that may not be written: nothing acknowledged is lost, reading goes on, and with room again
// writing does too. Each case is a process of its own (full_disk_writer.cpp), because it changes what the process may do.
#include <sys/wait.h>
#include <unistd.h>

#include "crash_documents.hpp"
#include "engine_fixtures.hpp"

using namespace rag::core;
using namespace rag::test;
namespace fs = std::filesystem;

namespace {

constexpr int kCannotPrepare = 77;

int run(const std::vector<std::string>& arguments) {
    std::vector<char*> pointers = {const_cast<char*>(FULL_DISK_WRITER)};
    for (const std::string& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
    pointers.push_back(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
        ::execv(FULL_DISK_WRITER, pointers.data());
        ::_exit(127);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

TEST_CASE("files that cannot grow: nothing acknowledged is lost, and with room again writing goes on") {
    TemporaryFolder folder;
    CHECK(run({"limit", folder.path().string()}) == 0);
}

TEST_CASE("a file system that is full: nothing acknowledged is lost, and with room again writing goes on") {
    TemporaryFolder folder;
    const int result = run({"tmpfs", folder.path().string()});
    if (result == kCannotPrepare) {
        WARN("no tmpfs can be mounted here: the limit on the size of files stands in for it");
        return;
    }
    CHECK(result == 0);
}

TEST_CASE("a folder that may not be written is read, and refused for writing by name") {
    TemporaryFolder folder;
    {
        auto engine = open_engine(folder / "kb");
        std::vector<CrashDocument> documents;
        for (std::uint32_t n = 0; n < 30; ++n) documents.push_back(crash_document(n, 0));
        std::vector<std::string> ids;
        engine->add(inputs_of(documents), {}, ids);
    }
    // With the log's files that a writer leaves, and without them, as a copy on a read-only medium is.
    const bool with_log = GENERATE(true, false);
    if (!with_log) {
        fs::remove(folder / "kb" / "knowledge.sqlite3-wal");
        fs::remove(folder / "kb" / "knowledge.sqlite3-shm");
    }
    const auto read = fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read;
    const auto enter = fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec;
    for (const auto& entry : fs::directory_iterator(folder / "kb")) fs::permissions(entry.path(), read);
    fs::permissions(folder / "kb", read | enter);
    fs::permissions(folder.path(), read | enter | fs::perms::owner_write);
    const int result = run({"reader", folder.path().string(), "30"});
    fs::permissions(folder / "kb", fs::perms::owner_all);
    CHECK(result == 0);
}

TEST_CASE("a log that cannot be read for want of its index is told as that") {
    TemporaryFolder folder;
    auto engine = open_engine(folder / "open");
    add_numbered(*engine, 0, 5);
    add_numbered(*engine, 5, 10);
    fs::create_directory(folder / "kb");
    for (const auto& entry : fs::directory_iterator(folder / "open")) {
        const std::string name = entry.path().filename().string();
        if (name.ends_with("-shm")) continue;
        fs::copy_file(entry.path(), folder / "kb" / name);
        fs::permissions(folder / "kb" / name, fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read);
    }
    const auto enter = fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec;
    const auto read = fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read;
    fs::permissions(folder / "kb", read | enter);
    fs::permissions(folder.path(), read | enter | fs::perms::owner_write);
    const int result = run({"stuck", folder.path().string()});
    fs::permissions(folder / "kb", fs::perms::owner_all);
    CHECK(result == 0);
}
