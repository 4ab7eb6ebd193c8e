// Encodings: marks, declarations, what is detected and what is not, and errors that name the byte. Blocks end anywhere.
#include <unicode/ucnv.h>

#include <catch2/catch.hpp>
#include <string>

#include "core/utf8.hpp"
#include "read_bytes.hpp"
#include "text/readers/encoding.hpp"

using namespace rag::core;
using namespace std::string_literals;

namespace {

/// UTF-8 in another encoding, by ICU.
std::string encoded(const std::string& utf8, const char* encoding) {
    std::string out(utf8.size() * 4 + 16, '\0');
    UErrorCode code = U_ZERO_ERROR;
    const std::int32_t size = ucnv_convert(encoding, "UTF-8", out.data(), static_cast<std::int32_t>(out.size()), utf8.data(),
                                           static_cast<std::int32_t>(utf8.size()), &code);
    REQUIRE(U_SUCCESS(code));
    out.resize(static_cast<std::size_t>(size));
    return out;
}

// "The knowledge base is why people trust the program; nothing may be lost, and everything has to be found again."
const std::string kChinese =
    "\u77e5\u8bc6\u5e93\u662f\u4eba\u4eec\u4fe1\u4efb\u8fd9\u4e2a\u7a0b\u5e8f\u7684\u539f\u56e0\uff1b\u4efb\u4f55\u4e1c\u897f"
    "\u90fd"
    "\u4e0d\u80fd\u4e22\u5931\uff0c\u6240\u6709\u7684\u5185\u5bb9\u90fd\u5fc5\u987b\u80fd\u518d\u6b21\u88ab\u627e\u5230\u3002";

}  // namespace

TEST_CASE("marks and declarations tell the encoding") {
    const std::string text = "\u4e2d\u6587 abc \U0001F600";
    CHECK(read_text("\xEF\xBB\xBF" + text, "a.txt") == text);
    CHECK(read_text("\xFF\xFE" + encoded(text, "UTF-16LE"), "a.txt") == text);
    CHECK(read_text("\xFE\xFF" + encoded(text, "UTF-16BE"), "a.txt") == text);
    CHECK(read_text("\xFF\xFE\0\0"s + encoded(text, "UTF-32LE"), "a.txt") == text);
    CHECK(read_text(text, "a.txt", {.encoding = "utf8"}) == text);
    CHECK(read_text(encoded("caf\u00e9", "windows-1252"), "a.txt", {.encoding = "latin1"}) == "caf\u00e9");
    CHECK(read_text(encoded("\u65e5\u672c\u8a9e", "Shift_JIS"), "a.txt", {.encoding = "shift_jis"}) == "\u65e5\u672c\u8a9e");
    CHECK(read_bytes(encoded(kChinese, "gbk"), "a.txt")[0].metadata == R"({"format":"txt","encoding":"gb18030"})");
    CHECK_THROWS_WITH(read_bytes("a", "a.txt", {.encoding = "../x"}), Catch::Contains("no encoding that ICU knows"));
    const std::string page = "<meta charset='Big5'><p>" + encoded("\u7e41\u9ad4\u4e2d\u6587", "Big5") + "</p>";
    CHECK(read_text(page, "a.html") == "\u7e41\u9ad4\u4e2d\u6587");
    // A saved page that was converted and still says what it was; one that cannot be what it says.
    CHECK(read_text("<meta charset=gb2312><p>\u4e2d\u6587</p>", "a.html") == "\u4e2d\u6587");
    CHECK(read_text("<meta charset=utf-16><p>plain</p>", "a.html") == "plain");
    CHECK(read_text("<?xml version='1.0' encoding='ISO-8859-1'?><p>caf\xe9</p>", "a.xhtml") == "caf\u00e9");
}

TEST_CASE("Chinese in GBK is detected, and only where it is clear") {
    CHECK(read_text(encoded(kChinese, "gb18030"), "a.txt") == kChinese);
    CHECK(known_encoding("GB2312") == "gb18030");
    CHECK_THROWS_WITH(read_bytes("caf\xe9 au lait", "x.txt"),
                      Catch::Contains("\"x.txt\" is not UTF-8: byte 0xe9 at offset 3, in line 1; name its encoding"));
    CHECK_THROWS_WITH(read_bytes(encoded("\ud55c\uad6d\uc5b4", "EUC-KR"), "x.txt"), Catch::Contains("name its encoding"));
    // Only those of one byte for a character are mistaken for one another.
    const std::string russian =
        "\u0441\u044a\u0435\u0448\u044c \u0435\u0449\u0451 \u044d\u0442\u0438\u0445 \u043c\u044f\u0433\u043a\u0438\u0445 "
        "\u0431\u0443\u043b\u043e\u043a, \u0434\u0430 \u0432\u044b\u043f\u0435\u0439 \u0447\u0430\u044e";
    CHECK_THROWS_WITH(read_bytes(encoded(russian, "windows-1251"), "x.txt"),
                      Catch::Contains("is a guess by its bytes, often wrong for single-byte encodings"));
    const std::string japanese = "\u79c1\u306f\u5b66\u751f\u3067\u3059\u3002\u3053\u308c\u306f\u672c\u3067\u3059\u3002";
    CHECK_THROWS_WITH(read_bytes(encoded(japanese + japanese, "Shift_JIS"), "x.txt"),
                      Catch::Contains("; Shift_JIS is a guess by its bytes") && !Catch::Contains("single-byte"));
    for (const char* name : {"UTF-16LE", "Big5", "Shift_JIS", "EUC-KR", "GB18030", "ISO-2022-JP", "no such"})
        CHECK_FALSE(is_single_byte(name));
    for (const char* name : {"KOI8-R", "windows-1251", "ISO-8859-2"}) CHECK(is_single_byte(name));
}

TEST_CASE("what cannot be decoded is an error that names the byte") {
    CHECK_THROWS_WITH(read_bytes("\xEF\xBB\xBFok \xff", "x.txt"), Catch::Contains("byte 0xff at offset 6"));
    CHECK_THROWS_WITH(read_bytes("\u4e2d\xff", "x.txt", {.encoding = "utf-8"}), Catch::Contains("byte 0xff at offset 3"));
    CHECK_THROWS_WITH(read_bytes("ab\xe9\xe9\xff", "x.txt", {.encoding = "gbk"}), Catch::Contains("at offset 4"));
    CHECK_THROWS_WITH(read_bytes("\x89PNG\r\n\x1a\n\0\0"s, "x.txt"), Catch::Contains("no text: it holds a NUL byte at offset 8"));
    CHECK_THROWS_WITH(read_bytes("ab\0c"s, "x.txt"), Catch::Contains("holds a NUL character"));
    CHECK_THROWS_WITH(read_bytes("\xFF\xFE"
                                 "a"s,
                                 "x.txt"),
                      Catch::Contains("offset 2"));
    CHECK_THROWS_WITH(read_bytes("\u4e2d\xe4\xb8", "x.txt"), Catch::Contains("offset 3"));
}

TEST_CASE("characters that blocks cut in two are put together") {
    for (const std::string& encoding : {"UTF-8"s, "gb18030"s, "UTF-16LE"s}) {
        std::string text;
        while (text.size() < 3000) text += "x\u4e2d\U00020000\u00e9";
        const std::string bytes = encoding == "UTF-8" ? text : encoded(text, encoding.c_str());
        for (const std::size_t step : {1, 2, 3, 7, 1000}) {
            const auto decoder = Decoder::open(encoding, "x", 0);
            std::string out;
            for (std::size_t at = 0; at < bytes.size(); at += step)
                decoder->decode(std::string_view(bytes).substr(at, step), false, out);
            decoder->decode({}, true, out);
            REQUIRE(out == text);
        }
    }
    // A head that ends within a character is still UTF-8.
    const std::string head = std::string(kEncodingHeadBytes - 1, 'a') + "\u4e2d" + std::string(kEncodingHeadBytes, 'b');
    CHECK(read_text(head, "a.txt", {.clean = false}) == head);
    std::string late = std::string(kEncodingHeadBytes + 5, 'a') + "\xff";
    CHECK_THROWS_WITH(read_bytes(late, "a.txt"), Catch::Contains("offset " + std::to_string(kEncodingHeadBytes + 5)));
}
