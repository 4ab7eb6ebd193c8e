// Outlines: what is a heading or a definition, what only looks like one, and how far each section reaches. Chunks by sections.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "text/chunk.hpp"
#include "text/chunkers/definition.hpp"
#include "text/chunkers/outline.hpp"
#include "text/words.hpp"

using namespace rag::core;

namespace {

/// "depth:title" of each section.
std::vector<std::string> titles_of(std::string_view text, TextKind kind) {
    std::vector<std::string> out;
    for (const Section& section : outline_of(text, kind)) out.push_back(std::to_string(section.depth) + ":" + section.title);
    return out;
}

using Titles = std::vector<std::string>;

std::string body_of(std::string_view text, TextKind kind, const std::string& title) {
    for (const Section& section : outline_of(text, kind)) {
        if (section.title == title) return std::string(text.substr(section.start, section.stop - section.start));
    }
    return "(no section " + title + ")";
}

}  // namespace

TEST_CASE("headings of Markdown") {
    const std::string text =
        "---\ntitle: x\n# no: heading\n---\n\nIntro\n\n# Guide `a` *b* [link](https://example.org/(x)) ##\n\nText\n\n"
        "Setext\nover two\n===\n\n## Sub {#anchor}\n```\n# code\n```\n    # indented\n#no blank\n\n####### seven\n\n- item\n---\n"
        "a | b\n--- | ---\n\n> quote\n---\n\n\u6807\u9898\n---\n~~~ \n## no\n~~~\n### \\# Three\n";
    CHECK(titles_of(text, TextKind::kMarkdown) ==
          Titles{"1:Guide a b link", "1:Setext over two", "2:Sub", "2:\u6807\u9898", "3:# Three"});
    CHECK(body_of("# A\nx\n## B\ny\n# C\nz", TextKind::kMarkdown, "A") == "# A\nx\n## B\ny\n");
    CHECK(body_of("# A\nx\n## B\ny\n# C\nz", TextKind::kMarkdown, "B") == "## B\ny\n");
    CHECK(titles_of("text\n---\n\n# H\n", TextKind::kHtml) == Titles{"1:H"});
    CHECK(titles_of("# H\n", TextKind::kText).empty());
    CHECK(titles_of("---\n\n# H\n", TextKind::kMarkdown) == Titles{"1:H"});
}

TEST_CASE("titles of reStructuredText") {
    const std::string text =
        "=====\nTitle\n=====\n\nPart :ref:`one <x>`\n==============\n\ntext\n\nSub ``code``\n------------\n\n=====  =====\nA  B\n"
        "=====  =====\n\npara\n\n----\n\npara two\nlast line\n--\n\n\u7ae0\u8282\n====\n\nx\n\nA\n-\n\nliteral::\n\n   not\n   "
        "---\n";
    CHECK(titles_of(text, TextKind::kRst) == Titles{"1:Title", "2:Part one <x>", "3:Sub code", "2:\u7ae0\u8282"});
    CHECK(body_of("A\n===\nx\n\nB\n---\ny\n\nC\n===\n", TextKind::kRst, "A") == "A\n===\nx\n\nB\n---\ny\n\n");
}

TEST_CASE("definitions by braces") {
    const std::string cpp =
        "// file\n\n#include <x>\nnamespace a::b {\nnamespace {\n\n// About Box.\ntemplate <class T>\nclass Box : public Base {\n"
        "  public:\n    Box(int a) : a_{a}, b_(\"}\") {\n        if (a) { g('{'); }\n    }\n    ~Box() {}\n};\n\n}  // "
        "namespace\n"
        "int Box::size(std::string_view s) const noexcept {\n    auto f = [] { return 1; };\n    return 1;\n}\n"
        "const int table[] = {1, 2};\nextern \"C\" {\nvoid c_call(void) {\n}\n}\nstruct P origin() { return {}; }\n}\n";
    CHECK(titles_of(cpp, TextKind::kCode) == Titles{"1:a::b", "2:Box", "3:Box", "3:~Box", "2:Box::size", "2:c_call", "2:origin"});
    CHECK(body_of(cpp, TextKind::kCode, "Box::size").starts_with("int Box::size("));
    CHECK(body_of(cpp, TextKind::kCode, "Box::size").ends_with("    return 1;\n}\n"));
    CHECK(outline_of(cpp, TextKind::kCode)[1].start == cpp.find("// About"));

    const std::string others =
        "func (s *Server) Serve(ctx context.Context) error {\n\tfor {\n\t}\n}\ntype Point struct {\n\tX int\n}\n"
        "pub fn map<'a, T: Clone>(x: &'a T) -> Vec<T> where T: Send {\n}\nimpl<T> Display for Box<T> {\n  fn fmt(&self) {}\n}\n"
        "export default class View extends Base {\n  render() {\n    return `${'{'}`;\n  }\n}\nconst go = async (a) => {\n};\n"
        "public interface Shape {\n  default double area() { return 0; }\n}\nobject Main {\n  fun run(args: Int) {\n  }\n}\n";
    CHECK(titles_of(others, TextKind::kCode) == Titles{"1:Serve", "1:Point", "1:map", "1:impl Display for Box", "2:fmt", "1:View",
                                                       "2:render", "1:go", "1:Shape", "2:area", "1:Main", "2:run"});
    CHECK(titles_of("#!/bin/sh\n# {\nmain() {\n  echo \"}\" # }\n}\nfunction two {\n  x\n}\n", TextKind::kCodeShell) ==
          Titles{"1:main", "1:two"});
    CHECK(titles_of("f <- function(x) {\n x\n}\nsub name {\n}\n", TextKind::kCodeShell) == Titles{"1:f", "1:name"});
    CHECK(titles_of("}}}} class A {", TextKind::kCode) == Titles{"1:A"});
    CHECK(definition_of(std::string(kMaxDefinitionBytes + 1, 'a')).kind == Definition::kNone);
}

TEST_CASE("definitions by indentation") {
    const std::string python =
        "import x\n\n\n# About A.\n@wrap\nclass A(Base):\n    \"\"\"Doc\ndef no():\n    \"\"\"\n    def f(self, a=(\n1)):\n      "
        "  return 1\n\n"
        "    async def g(self):\n        pass\n\nif x:\n    def h(): pass\n\ndef \u51fd\u6570():\n    return {\n}\ndefault = 1\n";
    CHECK(titles_of(python, TextKind::kCodeIndented) == Titles{"1:A", "2:f", "2:g", "1:h", "1:\u51fd\u6570"});
    CHECK(outline_of(python, TextKind::kCodeIndented)[0].start == python.find("# About"));
    CHECK(body_of(python, TextKind::kCodeIndented, "\u51fd\u6570") == "def \u51fd\u6570():\n    return {\n}\n");
    const std::string ruby = "module M\n  class C\n    def self.run\n      x\n    end\n  end\nend\nputs 1\n";
    CHECK(titles_of(ruby, TextKind::kCodeIndented) == Titles{"1:M", "2:C", "3:self.run"});
    CHECK(body_of(ruby, TextKind::kCodeIndented, "M").ends_with("  end\nend\n"));
}

TEST_CASE("chunks follow sections, small ones together, with their headings and parents") {
    const TokenCounter words = [](std::string_view text) { return count_words(text); };
    const std::string w20 = "a b c d e f g h i j k l m n o p q r s t.\n\n";
    const std::string text = "# Book\n\n## One\n\n" + w20 + "## Two\n\n" + w20 + w20 + "## Three\n\nx y.\n\n## Four\n\nz.\n";
    const auto chunks = chunk_text(text, TextKind::kMarkdown, {24, 0}, words);
    REQUIRE(chunks.size() == 4);
    CHECK(text.substr(chunks[0].start, 6) == "# Book");  // a title alone would be no chunk to find
    CHECK(chunks[0].title_path == "Book");
    CHECK(chunks[1].title_path == "Book > Two");
    CHECK(text.substr(chunks[1].start, 6) == "## Two");
    CHECK(chunks[2].title_path == "Book > Two");
    CHECK(chunks[2].parent_start == chunks[1].start);
    CHECK(chunks[2].parent_stop == chunks[2].stop);
    CHECK(chunks[3].title_path == "Book");
    CHECK(text.substr(chunks[3].start) == "## Three\n\nx y.\n\n## Four\n\nz.\n");
    CHECK(chunks[3].parent_start == 0);

    // Room for headings: a limit that knows them is kept.
    ChunkOptions options{24, 0};
    options.limit = [&](std::string_view path) { return 24 - words(path); };
    for (const Chunk& chunk : chunk_text(text, TextKind::kMarkdown, options, words))
        CHECK(words(chunk.title_path) + words(std::string_view(text).substr(chunk.start, chunk.stop - chunk.start)) <= 24);
}

TEST_CASE("code is cut between lines and keeps its indentation") {
    const TokenCounter words = [](std::string_view text) { return count_words(text); };
    const std::string body = "        x = a + b + c + d + e + f + g + h\n";
    const std::string code = "class A:\n    def f(self):\n" + body + body + "\n    def g(self):\n" + body + body + body;
    const auto chunks = chunk_text(code, TextKind::kCodeIndented, {24, 0}, words);
    REQUIRE(chunks.size() == 3);
    CHECK(code.substr(0, chunks[0].stop) == "class A:\n    def f(self):\n" + body + body.substr(0, body.size() - 1));
    CHECK(chunks[0].title_path == "A");
    CHECK(code.substr(chunks[1].start, 13) == "    def g(sel");
    CHECK(chunks[1].title_path == "A > g");
    CHECK(chunks[2].title_path == "A > g");
    CHECK(chunks[2].parent_start == chunks[1].start);
    for (const Chunk& chunk : chunks) CHECK((chunk.start == 0 || code[chunk.start - 1] == '\n'));
}
