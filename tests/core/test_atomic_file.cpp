// A file is replaced whole or not at all: also when it is left unfinished, when the disk refuses, when the process is killed.
#include "core/atomic_file.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

#include "expect_error.hpp"
#include "test_files.hpp"

using namespace rag::core;
using rag::test::expect_error;
using rag::test::read_file;
using rag::test::write_file;

namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

std::size_t count_files(const std::filesystem::path& folder) {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

}  // namespace

TEST_CASE("commit replaces, and nothing else is left in the folder") {
    const rag::test::TemporaryFolder folder;
    const auto path = folder / "data";
    write_file(path, "old");
    {
        AtomicFile file(path);
        file.write(bytes_of("new"));
        file.write_value(std::uint32_t{0x41424344});
        CHECK(file.offset() == 7);
        CHECK(read_file(path) == "old");
        file.commit();
        expect_error(Code::kInvalidState, {"finished"}, [&] { file.write(bytes_of("more")); });
        expect_error(Code::kInvalidState, {"finished"}, [&] { file.commit(); });
    }
    CHECK(read_file(path) == "newDCBA");
    CHECK(count_files(folder.path()) == 1);
}

TEST_CASE("without commit the old file stays and the temporary one goes") {
    const rag::test::TemporaryFolder folder;
    write_file(folder / "data", "old");
    {
        AtomicFile file(folder / "data");
        file.write(bytes_of(std::string(3 << 20, 'x')));  // more than the buffer
        CHECK(count_files(folder.path()) == 2);
    }
    CHECK(read_file(folder / "data") == "old");
    CHECK(count_files(folder.path()) == 1);
}

TEST_CASE("alignment is filled with zeros, over the buffer's end too") {
    const rag::test::TemporaryFolder folder;
    AtomicFile file(folder / "data");
    file.write(bytes_of("abc"));
    file.align(8);
    CHECK(file.offset() == 8);
    file.align(8);
    CHECK(file.offset() == 8);
    file.write(bytes_of("d"));
    file.align(4 << 20);
    file.write(bytes_of("end"));
    file.commit();
    const std::string text = read_file(folder / "data");
    CHECK(text.size() == (4U << 20) + 3);
    CHECK(text.substr(0, 9) == std::string("abc\0\0\0\0\0d", 9));
    CHECK(text.find_first_not_of('\0', 9) == 4U << 20);
}

TEST_CASE("permissions follow the umask, so that a private folder's files stay private") {
    const rag::test::TemporaryFolder folder;
    for (const mode_t mask : {0077U, 0022U, 0002U}) {
        const mode_t before = ::umask(mask);
        AtomicFile file(folder / "data");
        file.write(bytes_of("x"));
        file.commit();
        ::umask(before);
        struct stat status{};
        REQUIRE(::stat((folder / "data").c_str(), &status) == 0);
        CHECK((status.st_mode & 0777U) == (0666U & ~mask));
    }
}

TEST_CASE("places where no file can be made") {
    const rag::test::TemporaryFolder folder;
    expect_error(Code::kIo, {"missing", "No such file"}, [&] { AtomicFile file(folder / "missing" / "data"); });
    expect_error(Code::kInvalidArgument, {"NUL"}, [&] { AtomicFile file((folder / "data").string() + std::string("\0x", 2)); });
    std::filesystem::create_directory(folder / "taken");
    expect_error(Code::kInvalidArgument, {"taken", "folder"}, [&] { AtomicFile file(folder / "taken"); });
    REQUIRE(::mkfifo((folder / "pipe").c_str(), 0666) == 0);
    expect_error(Code::kInvalidArgument, {"pipe", "no file"}, [&] { AtomicFile file(folder / "pipe"); });
    expect_error(Code::kInvalidArgument, {"/dev/null", "no file"}, [&] { AtomicFile file("/dev/null"); });
    std::filesystem::create_symlink("ring", folder / "ring");
    expect_error(Code::kIo, {"ring", "link"}, [&] { AtomicFile file(folder / "ring"); });
    CHECK(std::filesystem::is_directory(folder / "taken"));
    CHECK(std::filesystem::is_fifo(folder / "pipe"));
    CHECK(count_files(folder.path()) == 3);
}

TEST_CASE("a link stays, and the file behind it is replaced") {
    const rag::test::TemporaryFolder folder;
    std::filesystem::create_directory(folder / "real");
    write_file(folder / "real" / "data", "old");
    std::filesystem::create_symlink(std::filesystem::path("real") / "data", folder / "link");
    std::filesystem::create_symlink("link", folder / "second");
    AtomicFile file(folder / "second");
    file.write(bytes_of("new"));
    file.commit();
    CHECK(read_file(folder / "real" / "data") == "new");
    CHECK(std::filesystem::is_symlink(folder / "link"));
    CHECK(std::filesystem::is_symlink(folder / "second"));
    CHECK(count_files(folder / "real") == 1);
}

TEST_CASE("after a failed write nothing can be committed, whatever the caller tries") {
    const rag::test::TemporaryFolder folder;
    write_file(folder / "data", "old");
    const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
    struct rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    {
        AtomicFile file(folder / "data");
        struct rlimit small = before;
        small.rlim_cur = 1U << 20;
        REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
        expect_error(Code::kIo, {"data", "write"}, [&] { file.write(bytes_of(std::string(3U << 20, 'x'))); });
        REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
        // The disk has room again, but part of the bytes has been written already: going on would put it there twice.
        expect_error(Code::kInvalidState, {"failed before"}, [&] { file.write(bytes_of("y")); });
        expect_error(Code::kInvalidState, {"failed before"}, [&] { file.commit(); });
    }
    std::signal(SIGXFSZ, ignored);
    CHECK(read_file(folder / "data") == "old");
    CHECK(count_files(folder.path()) == 1);
}

TEST_CASE("unfinished files of a killed process are recognised") {
    const rag::test::TemporaryFolder folder;
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        AtomicFile file(folder / "data.idx");
        ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) names.push_back(entry.path().filename());
    REQUIRE(names.size() == 1);
    CHECK(AtomicFile::is_temporary(names[0]));
    for (const char* name :
         {"", "data.idx", ".tmp-", ".tmp-1-2", "a.tmp-", "a.tmp-1", "a.tmp-1-", "a.tmp--1", "a.tmp-1-2-3", "a.tmp-1-2x"})
        CHECK_FALSE(AtomicFile::is_temporary(name));
    CHECK(AtomicFile::is_temporary("a.tmp-1-2"));
}

TEST_CASE("many writers of one path leave one whole file") {
    const rag::test::TemporaryFolder folder;
    std::vector<std::unique_ptr<AtomicFile>> files;
    for (char letter = 'a'; letter <= 'j'; ++letter) {
        files.push_back(std::make_unique<AtomicFile>(folder / "data"));
        files.back()->write(bytes_of(std::string(100, letter)));
    }
    for (auto& file : files) file->commit();
    CHECK(read_file(folder / "data") == std::string(100, 'j'));
    CHECK(count_files(folder.path()) == 1);
}
