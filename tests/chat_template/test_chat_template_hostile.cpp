// Templates made to eat time, memory or stack: each stops at a limit that is named, with the line, and nothing crashes.
#include <catch2/catch.hpp>
#include <ctime>

#include "expect_error.hpp"

using namespace rag::core;
using rag::test::refuses;

namespace {

std::string repeated(const std::string& part, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += part;
    return out;
}

}  // namespace

TEST_CASE("limits on steps, output, depth and size are named with the line") {
    ChatTemplateLimits limits;
    limits.max_steps = 1000;
    refuses(Code::kInvalidArgument, "\n{% for i in range(10000) %}{{ i }}{% endfor %}", {"line 2", "limit of 1000 steps"},
            limits);
    limits = {};
    limits.max_output_bytes = 100;
    refuses(Code::kInvalidArgument, "{% for i in range(50) %}\n{{ 'abc' }}{% endfor %}",
            {"line 2", "limit of 100 bytes of output"}, limits);
    limits = {};
    limits.max_depth = 50;
    refuses(Code::kInvalidArgument, "{% macro f(n) %}\n{{ f(n + 1) }}{% endmacro %}{{ f(0) }}", {"line 2", "limit of 50 nested"},
            limits);
    limits = {};
    limits.max_source_bytes = 10;
    refuses(Code::kInvalidArgument, "12345678901", {"11 bytes", "at most 10"}, limits);
}

TEST_CASE("endless recursion ends") {
    refuses(Code::kInvalidArgument, "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", {"limit of 400 nested"});
    refuses(Code::kInvalidArgument,
            "{% macro f(x) %}{{ caller(x) }}{% endmacro %}{% macro g(x) %}{% call(y) f(x) %}{{ g(y) }}{% endcall %}{% endmacro "
            "%}{{ g(1) }}",
            {"limit of"});
    refuses(Code::kInvalidArgument, "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", {"limit of 400 nested"});
    refuses(Code::kInvalidArgument, "{% macro f(a=f()) %}{% endmacro %}{{ f() }}", {"limit of 400 nested"});
}

TEST_CASE("deep source is refused by the parser") {
    refuses(Code::kInvalidArgument, "{{ " + repeated("(", 5000) + "1" + repeated(")", 5000) + " }}", {"nested more than 200"});
    refuses(Code::kInvalidArgument, "{{ " + repeated("[", 5000) + repeated("]", 5000) + " }}", {"nested more than 200"});
    refuses(Code::kInvalidArgument, "{{ " + repeated("not ", 5000) + "1 }}", {"nested more than 200"});
    refuses(Code::kInvalidArgument, "{{ " + repeated("-", 5000) + "1 }}", {"nested more than 200"});
    refuses(Code::kInvalidArgument, "{{ 1" + repeated("+1", 5000) + " }}", {"nested more than 200"});
    refuses(Code::kInvalidArgument, "{{ a" + repeated(".b", 5000) + " }}", {"nested more than 200"});
    refuses(Code::kInvalidArgument, "{{ a" + repeated("|trim", 5000) + " }}", {"nested more than 200"});
    refuses(Code::kInvalidArgument, "{{ a" + repeated(" if 1 else 2", 5000) + " }}", {"nested more than 200"});
    refuses(Code::kInvalidArgument, "{% set " + repeated("(", 5000) + "a" + repeated(")", 5000) + " = 1 %}",
            {"nested more than 200"});
    refuses(Code::kInvalidArgument, repeated("{% if 1 %}", 5000), {"nested more than 200"});
    refuses(Code::kInvalidArgument, repeated("{% for a in b %}", 5000), {"nested more than 200"});
    CHECK(ChatTemplate("{{ 1" + repeated("+1", 150) + " }}").render("[]", false) == "151");
    CHECK(ChatTemplate("{{ 'a'" + repeated("~'a'", 3000) + " }}").render("[]", false).size() == 3001);
}

TEST_CASE("values that grow are stopped") {
    const std::string grow = "{% set ns = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(90) %}";
    refuses(Code::kInvalidArgument, grow + "{% set ns.x = ns.x ~ ns.x %}{% endfor %}", {"limit"});
    refuses(Code::kInvalidArgument, grow + "{% set ns.x = ns.x + ns.x %}{% endfor %}", {"limit"});
    refuses(Code::kInvalidArgument, grow + "{% set ns.x = ns.x.replace('a', 'aaaaaaaaaaaaaaaa') %}{% endfor %}", {"limit"});
    refuses(Code::kInvalidArgument, grow + "{% set ns.x = [ns.x, ns.x] %}{% endfor %}", {"more than"});
    refuses(Code::kInvalidArgument, grow + "{% set ns.x = {'a': ns.x, 'b': ns.x} %}{% endfor %}", {"more than"});
    refuses(Code::kInvalidArgument,
            "{% set ns = namespace(x=[]) %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
            {"more than"});
    refuses(Code::kInvalidArgument, "{% set ns = namespace(x=1) %}{% for i in range(5000) %}{% set ns.x = [ns.x] %}{% endfor %}",
            {"nested more than 200"});
    refuses(Code::kInvalidArgument, "{{ 'a' * 9223372036854775807 }}", {"repetitions"});
    refuses(Code::kInvalidArgument, "{{ [1] * 99999999999 }}", {"repetitions"});
    refuses(Code::kInvalidArgument, "{{ 'a'.ljust(9223372036854775807) }}", {"limit"});
    refuses(Code::kInvalidArgument, "{{ 'a'.zfill(9223372036854775807) }}", {"limit"});
    refuses(Code::kInvalidArgument, "{{ 'a'|indent(9223372036854775807) }}", {"limit"});
    refuses(Code::kInvalidArgument, "{{ range(9999999999) }}", {"range"});
    refuses(Code::kInvalidArgument, "{{ range(-9223372036854775807, 9223372036854775807) }}", {"range"});
    refuses(Code::kInvalidArgument, "{{ '%9999999d' % 1 }}", {"width"});
    CHECK(ChatTemplate("{{ range(9223372036854775800, 9223372036854775807, 5)|list|length }}").render("[]", false) == "2");
}

TEST_CASE("what could form a cycle is only referred to") {
    CHECK(ChatTemplate("{% set ns = namespace() %}{% set ns.a = ns %}{% set ns.b = [ns] %}{{ ns.a.b[0].a is defined }}")
              .render("[]", false) == "True");
    refuses(Code::kUnsupported, "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}", {"Namespace"});
    CHECK(ChatTemplate("{% for x in [1, 2] %}{{ loop.changed(loop) }}{% endfor %}").render("[]", false) == "TrueFalse");
    // A macro and a loop that outlive the place where they were made.
    CHECK(ChatTemplate("{% set ns = namespace() %}{% for i in [1, 2] %}{% macro m() %}{{ i }}{% endmacro %}{% set ns.m = m %}"
                       "{% set ns.l = loop %}{% endfor %}{{ ns.m() }}{{ ns.l.index }}")
              .render("[]", false) == "23");
}

TEST_CASE("hostile JSON is refused") {
    refuses(Code::kInvalidArgument, "x", {"messages is nested more than"}, {}, repeated("[", 100000));
    refuses(Code::kInvalidArgument, "x", {"messages"}, {}, "[" + repeated("{\"a\":", 100000));
    refuses(Code::kInvalidArgument, "x", {"messages is not JSON"}, {}, "[{\"a\": \"\\ud800\"}]");
}

TEST_CASE("a template that fails takes less than a few seconds") {
    const std::clock_t begin = std::clock();  // processor time: the machine may be busy with other things
    refuses(Code::kInvalidArgument, "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            {"limit of"});
    refuses(Code::kInvalidArgument,
            "{% set ns = namespace(d={}) %}{% for a in range(99999) %}{% set ns.d = dict(ns.d|items, k=a) %}{{ ns.d|tojson }}{% "
            "endfor %}"
            "{% for a in range(99999) %}{% set ns.d = dict([(a, a)]) %}{{ ns.d == {a: a} }}{% endfor %}"
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            {"limit of"});
    // Long texts in long texts, and long chains: nothing of them is gone through once for each part.
    const std::string texts = "{% set s = 'a' * 4000000 %}{% set half = 'a' * 2000000 %}";
    for (const char* use : {"half ~ 'b' in s", "s.find(half ~ 'b')", "s.rfind('b' ~ half)", "s.count(half ~ 'b')",
                            "s.split(half ~ 'b')|length", "s.rsplit('b' ~ half)|length", "s.partition(half ~ 'b')|length",
                            "s.rpartition('b' ~ half)|length", "s.replace(half ~ 'b', '')|length"}) {
        refuses(Code::kInvalidArgument, texts + "{% set x = " + use + " %}{{ nothing.x }}", {"nothing"});
    }
    refuses(Code::kInvalidArgument, "{{ 1" + repeated("==1", 200'000) + " }}{{ nothing.x }}", {"nothing"});
    std::string names;
    for (int i = 0; i < 20'000; ++i) names += "{% set m" + std::to_string(i) + " = 1 %}";
    refuses(Code::kInvalidArgument, names + "{{ nothing.x }}", {"nothing"});
    CHECK(static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC < 20.0);  // with sanitizers; about 2 without
}
