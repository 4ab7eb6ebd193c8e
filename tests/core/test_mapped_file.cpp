// Mapped files and small text files: every kind of thing a path can name.
#include "core/mapped_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "core/byte_reader.hpp"
#include "expect_error.hpp"
#include "test_files.hpp"

using namespace rag::core;
using rag::test::expect_error;
using rag::test::write_file;

TEST_CASE("a file is mapped whole and stays readable after it was replaced") {
    const rag::test::TemporaryFolder folder;
    const auto path = folder / "\xE4\xB8\xAD file.bin";
    write_file(path, "first");
    const auto file = MappedFile::open(path);
    CHECK(ByteReader(file->bytes(), file->name()).take_text(5) == "first");
    CHECK(file->name() == path.string());
    write_file(folder / "other", "second");
    std::filesystem::rename(folder / "other", path);
    CHECK(ByteReader(file->bytes(), file->name()).take_text(5) == "first");
    std::filesystem::remove(path);
    CHECK(ByteReader(file->bytes(), file->name()).take_text(5) == "first");
}

TEST_CASE("released pages are read again; other memory is left alone") {
    const rag::test::TemporaryFolder folder;
    std::string text(300'000, 'a');
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 23);
    write_file(folder / "file", text);
    const auto file = MappedFile::open(folder / "file");
    const auto resident = [&] {
        std::ifstream maps("/proc/self/smaps");
        bool here = false;
        for (std::string line; std::getline(maps, line);) {
            if (line.find((folder / "file").string()) != std::string::npos) here = true;
            if (here && line.starts_with("Rss:")) return std::stoul(line.substr(4));
        }
        return 0UL;
    };
    CHECK(ByteReader(file->bytes(), file->name()).take_text(text.size()) == text);
    CHECK(resident() > 200);
    release_pages(file->bytes().subspan(4097, 250'000));
    CHECK(resident() < 100);
    CHECK(ByteReader(file->bytes(), file->name()).take_text(text.size()) == text);
    const std::vector<std::byte> own(100'000, std::byte{7});
    release_pages(own);
    release_pages({own.data() + 5, 50'000});
    release_pages({});
    CHECK(std::count(own.begin(), own.end(), std::byte{7}) == 100'000);
}

TEST_CASE("an empty file has no bytes") {
    const rag::test::TemporaryFolder folder;
    write_file(folder / "empty", "");
    CHECK(MappedFile::open(folder / "empty")->bytes().empty());
    CHECK(read_text_file(folder / "empty").empty());
}

TEST_CASE("what is no file is named in the error") {
    const rag::test::TemporaryFolder folder;
    for (const bool mapped : {true, false}) {
        const auto open = [&](const std::filesystem::path& path) {
            return [mapped, path] {
                if (mapped) {
                    MappedFile::open(path);
                } else {
                    read_text_file(path);
                }
            };
        };
        expect_error(Code::kNotFound, {"missing", "No such file"}, open(folder / "missing"));
        expect_error(Code::kNotFound, {}, open(""));
        write_file(folder / "file", "x");
        expect_error(Code::kNotFound, {"Not a directory"}, open(folder / "file" / "below"));
        expect_error(Code::kInvalidArgument, {"is not a file"}, open(folder.path()));
        expect_error(Code::kInvalidArgument, {"is not a file"}, open("/dev/null"));
        expect_error(Code::kIo, {"too long"}, open(std::string(5000, 'x')));
        ::mkfifo((folder / "pipe").c_str(), 0600);
        expect_error(Code::kInvalidArgument, {"is not a file"}, open(folder / "pipe"));  // and does not wait for a writer
        std::filesystem::remove(folder / "pipe");
        // A NUL must not cut the path: folder/file exists.
        expect_error(Code::kInvalidArgument, {"NUL", "\\x00"}, open((folder / "file").string() + std::string("\0x", 2)));
        expect_error(Code::kNotFound, {"\\x0a"}, open(folder / "line\nbreak"));
    }
}

TEST_CASE("a mapped file that was written to is told before it is read, one that was replaced is not") {
    const rag::test::TemporaryFolder folder;
    const auto path = folder / "model";
    write_file(path, std::string(20000, 'x'));
    auto file = MappedFile::open(path);
    const auto some = file->bytes().subspan(7, 100);
    require_unchanged(some);
    const std::string elsewhere(10, 'y');
    require_unchanged(std::as_bytes(std::span(elsewhere)));
    require_unchanged({});
    // Another file under its name: the mapping holds the old one.
    write_file(folder / "new", "short");
    std::filesystem::rename(folder / "new", path);
    require_unchanged(some);
    CHECK(static_cast<char>(some[99]) == 'x');
    std::filesystem::remove(path);
    require_unchanged(some);
    write_file(path, std::string(20000, 'x'));
    file = MappedFile::open(path);
    std::filesystem::resize_file(path, 10);
    expect_error(Code::kInvalidState, {"model", "20000 bytes then", "10 now"}, [&] { require_unchanged(file->bytes()); });
}

TEST_CASE("text files keep their bytes and their limit") {
    const rag::test::TemporaryFolder folder;
    const std::string text("a\0b\r\n\xFF", 6);
    write_file(folder / "text", text);
    CHECK(read_text_file(folder / "text") == text);
    CHECK(read_text_file(folder / "text", 6) == text);
    expect_error(Code::kCorrupt, {"6 bytes", "at most 5"}, [&] { read_text_file(folder / "text", 5); });
    write_file(folder / "big", std::string(300000, 'x'));
    CHECK(read_text_file(folder / "big").size() == 300000);
    // A file whose size the system does not tell in advance.
    CHECK(read_text_file("/proc/self/maps").size() > 100);
    expect_error(Code::kCorrupt, {"more than 20 bytes"}, [] { read_text_file("/proc/self/maps", 20); });
}
