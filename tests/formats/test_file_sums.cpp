// SHA256SUMS: what sha256sum writes is read, everything else is refused by line.
#include "build_files.hpp"
#include "formats/file_sums.hpp"

using namespace rag::core;
using namespace rag::test;

namespace {

const std::string kSum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

void refuse(const std::string& text, std::initializer_list<std::string> parts) {
    require_error(Code::kCorrupt, parts, [&] { parse_sums(text, "SHA256SUMS"); });
}

}  // namespace

TEST_CASE("lines of sha256sum are read", "[formats]") {
    std::string upper = kSum;
    for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    const auto sums =
        parse_sums("# made by hand\n" + kSum + "  a b.txt\r\n\n" + upper + " *./sub/\xe6\xa8\xa1.bin\n" + kSum + "  last", "s");
    REQUIRE(sums.size() == 3);
    CHECK(sums.at("a b.txt") == kSum);
    CHECK(sums.at("sub/\xe6\xa8\xa1.bin") == kSum);
    CHECK(sums.at("last") == kSum);
    CHECK(parse_sums("", "s").empty());
}

TEST_CASE("other lines are refused with their number", "[formats]") {
    refuse("\n" + kSum, {"line 2", "64 hexadecimal digits"});
    refuse(kSum.substr(1) + "  name", {"line 1"});
    refuse(kSum + " name", {"line 1"});
    refuse("g" + kSum.substr(1) + "  name", {"line 1"});
    refuse(kSum + "  a\n" + kSum + "  a\n", {"line 2", "twice"});
    for (const char* name : {"/etc/passwd", "../secret", "a/../../b", "./"}) refuse(kSum + "  " + name, {"line 1", "inside"});
    refuse(kSum + "  a" + std::string(1, '\0') + "b", {"line 1", "inside"});
}

TEST_CASE("the sum of a file", "[formats]") {
    const TemporaryFolder folder;
    write_file(folder / "f", "abc");
    CHECK(file_sha256(folder / "f") == kSum);
    CHECK(read_sums(folder.path()).empty());
    write_file(folder / "SHA256SUMS", kSum + "  f\n");
    CHECK(read_sums(folder.path()).at("f") == kSum);
    require_error(Code::kNotFound, {"none"}, [&] { file_sha256(folder / "none"); });
}
