// Pages: what a reader sees of them, in which form, and markup that is broken.
#include <catch2/catch.hpp>
#include <string>

#include "read_bytes.hpp"

using namespace rag::core;

TEST_CASE("text, title and language of a page") {
    const auto page = read_bytes(
        "<!doctype html><html lang=zh-CN><head><title>A &amp; B\n</title><style>p{}</style><script>if (a<b) x('</p>')</script>"
        "</head><body><nav>Menu</nav><header>Site</header><h1>One <a class=headerlink href=#>\u00b6</a></h1>\n<p>First   "
        "<b>bold</b>,\n"
        "line&nbsp;two<br>next</p><div>loose<h2>Two</h2>after</div><noscript>js</noscript><p hidden>no</p>"
        "<p aria-hidden=true>no</p><div role=navigation>no</div><svg><text>no</text></svg><!-- no -->"
        "<article><header>Kept</header><p>\u4e2d\u6587 &#20013; &lt;tag&gt;</article><footer>no</footer></body></html>",
        "a.html");
    REQUIRE(page.size() == 1);
    CHECK(page[0].title == "A & B");
    CHECK(page[0].language == "zh-CN");
    CHECK(page[0].kind == TextKind::kHtml);
    CHECK(page[0].text == "# One\n\nFirst bold, line two\nnext\n\nloose\n\n## Two\n\nafter\n\nKept\n\n\u4e2d\u6587 \u4e2d <tag>");
    CHECK(read_bytes("<h1>Head</h1>", "a.html")[0].title == "Head");
}

TEST_CASE("what a style attribute hides is no text of the page") {
    CHECK(read_text("<div style=\"display:none\">no</div><p>yes", "a.html") == "yes");
    CHECK(read_text("<div style=\"color: red; DISPLAY : None !important\">no<p>nor this</div><p>yes", "a.html") == "yes");
    CHECK(read_text("<p style='visibility: hidden'>\u4e0d</p><p>\u662f", "a.html") == "\u662f");
    for (const char* style :
         {"display: block", "x-display: none", "background: url(display:none)", "", ";;", "visibility: visible"}) {
        INFO(style);
        CHECK(read_text("<p style=\"" + std::string(style) + "\">yes</p>", "a.html") == "yes");
    }
}

TEST_CASE("lists, tables and code of a page") {
    CHECK(read_text("<p>x<ul><li>a<li><p>b</p><ul><li>c</ul></ul><ol><li>d<li>e</ol>y", "a.html") ==
          "x\n\n- a\n- b\n  - c\n\n1. d\n2. e\n\ny");
    CHECK(read_text("<table><tr><th>n<th>v<tr><td><p>a</p><td>1<tr><td><td></table>z", "a.html") == "n | v\na | 1\n\nz");
    CHECK(read_text("<pre>\n  int a;\n\n# no &lt;\n</pre>", "a.html") == "```\n  int a;\n\n# no <\n```");
    CHECK(read_text("<pre>```</pre>", "a.html") == "````\n```\n````");
    CHECK(read_text("<p># no heading<br>``` no code", "a.html") == "\\# no heading\n\\``` no code");
    // A table that only places a page.
    CHECK(read_text("<table><tr><td><h1>T</h1><p>a<p>b<td>c<table><tr><td>1<td>2</table></table>", "a.html") ==
          "# T\n\na\n\nb\n\nc\n\n1 | 2");
}

TEST_CASE("<main> is the page where there is one") {
    CHECK(read_text("<p>around<main><h1>In</h1><p>text</main><p>behind", "a.html") == "# In\n\ntext");
    CHECK(read_text("<div class=sidebar>s</div><div role=main><p>text</div>", "a.html") == "text");
    CHECK(read_text("<p>around<main></main>", "a.html") == "around");
}

TEST_CASE("broken markup still gives its text") {
    CHECK(read_text("plain & <b>bold <i>both</b> rest", "a.html") == "plain & bold both rest");
    CHECK(read_text("</p></div>a<", "a.html").starts_with("a"));
    CHECK(read_text("<p>a<!-- open", "a.html") == "a");
    CHECK(read_text("<pre>a", "a.html") == "```\na\n```");
    CHECK(read_text("<table><tr><td>a", "a.html") == "a");
    CHECK(read_text("<p>&bogus; &#xFFFFFFFF; &#0; a", "a.html").ends_with("a"));
    CHECK(read_bytes("<html lang='x\"<>'><p>a", "a.html")[0].language.empty());
    // Beyond libxml2's usual limit of 10 MB for one text.
    const std::string long_text(std::size_t{24} << 20, 'a');
    CHECK(read_text("<p>" + long_text + "</p><p>b", "a.html") == long_text + "\n\nb");
}
