// What people's folders hold and attackers send: deep, endless, torn. Each ends, in time that grows with its size, with documents
// or with an error that names the file.
#include <catch2/catch.hpp>
#include <string>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "read_bytes.hpp"

using namespace rag::core;

namespace {

std::string repeated(std::string_view piece, std::size_t bytes) {
    std::string out;
    while (out.size() < bytes) out.append(piece);
    return out;
}

/// Documents, or the code of what is wrong.
std::string outcome(std::string_view bytes, const std::string& name) {
    try {
        for (const ReadDocument& document : read_bytes(bytes, name)) {
            if (find_invalid_utf8(document.text) != std::string::npos) return "ill-formed text";
        }
        return "documents";
    } catch (const Error& error) {
        if (error.code() != Code::kInvalidArgument) return "code " + std::to_string(static_cast<int>(error.code()));
        return std::string(error.what()).find(name) != std::string::npos ? "refused" : "a message without the file's name";
    }
}

}  // namespace

TEST_CASE("megabytes of one thing are read or refused") {
    constexpr std::size_t kBytes = std::size_t{1} << 20;
    for (const char* piece : {"<div>",
                              "<a>",
                              "</b>",
                              "<b><p>",
                              "<table><tr><td>",
                              "<!--",
                              "<",
                              "&",
                              "&amp",
                              "<p x='",
                              "<script>",
                              "<li>",
                              "<ul><li>",
                              "<main>",
                              "<pre>",
                              "<h1>",
                              "\"",
                              "\"\",",
                              ",",
                              "\n",
                              "[",
                              "{\"a\":",
                              "[\"",
                              "\\",
                              "# a\n",
                              "===\n",
                              "\xe4\xb8\xad",
                              "\xef\xbb\xbf",
                              "\r",
                              "<td>",
                              "<p>a<td>b</table>",
                              "<select><option>"}) {
        for (const char* name : {"a.html", "a.csv", "a.json", "a.jsonl", "a.md", "a.rst", "a.py", "a.cpp"}) {
            INFO(piece << " in " << name);
            const std::string got = outcome(repeated(piece, kBytes), name);
            CHECK((got == "documents" || got == "refused"));
        }
    }
}

TEST_CASE("unclosed elements before end tags that close nothing do not take quadratic time") {
    CHECK(outcome(repeated("<b>", 3 << 20) + repeated("</i>", 4 << 20), "a.html") == "refused");
    CHECK(outcome(repeated("<b>", 900 * 3) + repeated("</i>", 4 << 20) + "text", "a.html") == "documents");
}
