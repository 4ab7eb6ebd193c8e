// Whole files: text, Markdown, reStructuredText, source code. Titles, kinds, ids, sources, and what is refused.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/error.hpp"
#include "read_bytes.hpp"

using namespace rag::core;

TEST_CASE("each format gives its kind of text and its title") {
    const auto md = read_bytes("---\ntitle: 'From matter'\n---\n# Head\n", "dir/a.MD");
    REQUIRE(md.size() == 1);
    CHECK(md[0].kind == TextKind::kMarkdown);
    CHECK(md[0].title == "From matter");
    CHECK(md[0].id == "a.MD");
    CHECK(md[0].source == "dir/a.MD");
    CHECK(md[0].metadata == R"({"format":"md"})");
    CHECK(read_bytes("text\n\n## B *x*\n\n# C", "a.md")[0].title == "B x");
    CHECK(read_bytes("Title\r\n=====\r\n\r\nText", "a.rst")[0].title == "Title");
    CHECK(read_bytes("Title\n=====\n", "a.rst")[0].kind == TextKind::kRst);
    CHECK(read_bytes("def f(): pass", "pkg/mod.py")[0].title == "mod");
    CHECK(read_bytes("def f(): pass", "pkg/mod.py")[0].kind == TextKind::kCodeIndented);
    CHECK(read_bytes("int x;", "a.cpp")[0].kind == TextKind::kCode);
    CHECK(read_bytes("echo", "a.sh")[0].kind == TextKind::kCodeShell);
    CHECK(read_bytes("a\r\nb", "a.txt")[0].text == "a\nb");
    CHECK(read_bytes("a\r\nb ", "a.txt", {.clean = false})[0].text == "a\r\nb ");
    CHECK(read_bytes("x", "a.bin", {.format = "txt", .id = "id", .title = "T", .source = "https://example.org/a"})[0].source ==
          "https://example.org/a");
}

TEST_CASE("files without text give no document, and say so") {
    const auto reader = DocumentReader::open_bytes(" \n\t ", "a.txt", {});
    ReadDocument document;
    CHECK_FALSE(reader->next(document));
    CHECK(reader->blank() == 1);
    CHECK_FALSE(reader->next(document));
    CHECK(read_bytes("", "a.json").empty());
    CHECK(read_bytes("", "a.csv").empty());
    CHECK(read_bytes("\n\n", "a.jsonl").empty());
    CHECK(read_bytes("", "a.html").empty());
}

TEST_CASE("what is no file that can be read is refused by name") {
    ReadDocument document;
    CHECK_THROWS_WITH(read_bytes("x", "a.bin"), Catch::Contains("no reader knows the format \"bin\""));
    CHECK_THROWS_WITH(read_bytes("x", "noname"), Catch::Contains("no reader knows"));
    CHECK_THROWS_WITH(DocumentReader::open_file("/nowhere/a.txt", {}), Catch::Contains("/nowhere/a.txt"));
    CHECK_THROWS_WITH(DocumentReader::open_file(std::filesystem::temp_directory_path(), {.format = "txt"}),
                      Catch::Contains("no regular file"));
    CHECK_THROWS_WITH(DocumentReader::open_file(std::string("a\0b.txt", 7), {}), Catch::Contains("NUL"));
    const std::string big(kMaxReadBytes + 1, 'a');
    CHECK_THROWS_WITH(read_bytes(big, "a.txt"), Catch::Contains("more than 67108864 bytes"));
    const auto suffixes = readable_suffixes();
    CHECK(std::find(suffixes.begin(), suffixes.end(), "md") != suffixes.end());
}

TEST_CASE("a file is read with progress and can be stopped") {
    const auto path = std::filesystem::temp_directory_path() / "librag_reader_progress.jsonl";
    {
        std::ofstream file(path);
        for (int i = 0; i < 200000; ++i) file << "{\"text\": \"row " << i << "\"}\n";
    }
    std::uint64_t last = 0;
    std::uint64_t calls = 0;
    ReadOptions options;
    options.progress = [&](std::uint64_t done, std::uint64_t total) {
        CHECK(done >= last);
        CHECK(total == std::filesystem::file_size(path));
        last = done;
        return ++calls < 4;
    };
    const auto reader = DocumentReader::open_file(path, options);
    ReadDocument document;
    std::size_t rows = 0;
    CHECK_THROWS_AS(
        [&] {
            while (reader->next(document)) ++rows;
        }(),
        Stopped);
    CHECK(rows > 0);
    CHECK(rows < 200000);
    std::filesystem::remove(path);
}
