// What goldens cannot hold: the clock, input that is not what it should be, errors that name their line, one template used by
// many threads, and the template inside a real model's GGUF file as transformers documents it.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <ctime>
#include <thread>
#include <vector>

#include "expect_error.hpp"
#include "tokenizer/chat_template/chat_template.hpp"

using namespace rag::core;
using rag::test::refuses;

TEST_CASE("messages become the text of a ChatML model") {
    // The template in SmolLM2's GGUF file, in its own words.
    const ChatTemplate chat(
        "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a "
        "helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] "
        "+ '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ "
        "'<|im_start|>assistant\n' }}{% endif %}");
    CHECK(chat.render(R"([{"role": "user", "content": "Hi"}])", true) ==
          "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
          "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
    CHECK(chat.render(R"([{"role": "system", "content": "S"}, {"role": "user", "content": "U"}])", false) ==
          "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n");
}

TEST_CASE("text of messages is never taken for template text") {
    const ChatTemplate chat("{% for m in messages %}{{ m.content }}{% endfor %}");
    CHECK(chat.render(R"([{"role": "user", "content": "{{ 1 + 1 }}{% raw %}{# x #}"}])", true) == "{{ 1 + 1 }}{% raw %}{# x #}");
}

TEST_CASE("strftime_now follows the clock that is given") {
    ChatTemplateInput input;
    input.messages_json = "[]";
    input.now = 1735732800;  // 2025-01-01 12:00 UTC, so the first of January from UTC-12 to UTC+11
    CHECK(ChatTemplate("{{ strftime_now('%d %b %Y %%') }}").render(input) == "01 Jan 2025 %");
    CHECK(ChatTemplate("{{ strftime_now('%-d/%-m') }}").render(input) == "1/1");
    refuses(Code::kUnsupported, "{{ strftime_now('%f') }}", {"%f"});
    refuses(Code::kUnsupported, "{{ strftime_now('%') }}", {"%"});
}

TEST_CASE("what is not known is named with its line") {
    refuses(Code::kUnsupported, "a\n{% include 'x' %}", {"line 2", "unknown tag", "include"});
    refuses(Code::kUnsupported, "\n\n{% autoescape true %}{% endautoescape %}", {"line 3", "autoescape"});
    refuses(Code::kUnsupported, "{% macro f(x) %}{% endmacro %}\n{{ f.name }}", {"line 2", "the attribute \"name\" of a macro"});
    refuses(Code::kUnsupported, "{% for a in [1] %}\n{% for b, c in loop %}{% endfor %}{% endfor %}", {"line 2", "\"loop\""});
    refuses(Code::kUnsupported, "\n{{ self }}", {"line 2", "\"self\""});
    refuses(Code::kUnsupported, "\n{{ 'a'|urlize }}", {"line 2", "unknown filter", "urlize"});
    refuses(Code::kUnsupported, "\n{{ 'a' is odd_looking }}", {"line 2", "unknown test", "odd_looking"});
    refuses(Code::kUnsupported, "\n{{ '{:n}'.format(1) }}", {"line 2", "format", "n"});
    refuses(Code::kUnsupported, "\n{{ 'a'.translate({}) }}", {"line 2", "method", "translate"});
    refuses(Code::kUnsupported, "\n{{ '%a' % 'x' }}", {"line 2", "%a"});
    refuses(Code::kUnsupported, "\n{{ cycler(1) }}", {"line 2", "cycler"});
    refuses(Code::kUnsupported, "{{ '\\N{DASH}' }}", {"line 1", "\\N"});
    refuses(Code::kUnsupported, "{{ ('<b>'|safe).replace('b', 'c') }}", {"line 1", "replace", "safe"});
    refuses(Code::kInvalidArgument, "\n{{ na\xc3\xafve }}", {"line 2", "unexpected character"});
}

TEST_CASE("errors at rendering name the line of the node") {
    refuses(Code::kInvalidArgument, "a\nb\n{{ x.y }}", {"line 3", "\"x\" is undefined"});
    refuses(Code::kInvalidArgument, "{% macro f() %}\n{{ 1 / 0 }}\n{% endmacro %}\n\n{{ f() }}", {"line 2", "division by zero"});
    refuses(Code::kInvalidArgument, "\n{{ raise_exception('only\ntwo roles') }}", {"line 2", "only", "two roles"});
    refuses(Code::kInvalidArgument, "\n{{ [].append(1) }}", {"line 2", "append", "unsafe"});
    refuses(Code::kInvalidArgument, "{{ 9223372036854775807 + 1 }}", {"64 bits"});
    refuses(Code::kInvalidArgument, "{{ 99999999999999999999 }}", {"line 1"});
    refuses(Code::kInvalidArgument, "{% if x %}\n", {"line 1", "endif"});
    refuses(Code::kInvalidArgument, "\n{# ", {"line 2", "comment"});
    refuses(Code::kInvalidArgument, "\n{% raw %}", {"line 2", "raw"});
    refuses(Code::kInvalidArgument, "\n{{ 'abc }}", {"line 2", "string"});
    refuses(Code::kInvalidArgument, "\n{{ (1] }}", {"line 2", "]"});
    refuses(Code::kInvalidArgument, "{{ a", {"line 1"});
}

TEST_CASE("input that is not what it should be is refused by name") {
    const std::string source = "{{ messages }}";
    refuses(Code::kInvalidArgument, source, {"messages", "array"}, {}, "{}");
    refuses(Code::kInvalidArgument, source, {"message 1", "object", "str"}, {}, R"([{}, "x"])");
    refuses(Code::kInvalidArgument, source, {"messages is not JSON"}, {}, R"([{"a": 1},])");
    refuses(Code::kInvalidArgument, source, {"messages is not JSON"}, {}, "");
    refuses(Code::kInvalidArgument, source, {"messages", "64 bits"}, {}, R"([{"a": 123456789012345678901234567890}])");
    refuses(Code::kInvalidArgument, source, {"messages", "64 bits"}, {}, R"([{"a": 18446744073709551615}])");
    refuses(Code::kInvalidArgument, source, {"messages"}, {}, "[{\"a\": \"\xff\"}]");
    refuses(Code::kInvalidArgument, "\xff", {"chat template"});
    ChatTemplateInput input;
    input.messages_json = "[]";
    input.tools_json = "{}";
    CHECK_THROWS_WITH(ChatTemplate("").render(input), Catch::Contains("tools must be a JSON array"));
    input.tools_json = "";
    input.variables_json = "[]";
    CHECK_THROWS_WITH(ChatTemplate("").render(input), Catch::Contains("variables must be a JSON object"));
}

TEST_CASE("one template renders in many threads at once") {
    const ChatTemplate chat(
        "{% set ns = namespace(n=0) %}{% macro f(x) %}<{{ x }}>{% endmacro %}"
        "{% for m in messages %}{% set ns.n = ns.n + 1 %}{{ f(m.content|upper) }}{{ [1, 2]|tojson }}{% endfor %}{{ ns.n }}");
    std::vector<std::string> out(8);
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < out.size(); ++t) {
        threads.emplace_back([&, t] {
            const std::string messages = R"([{"content": "a)" + std::to_string(t) + R"("}, {"content": "b"}])";
            for (int i = 0; i < 50; ++i) out[t] = chat.render(messages, false);
        });
    }
    for (auto& thread : threads) thread.join();
    for (std::size_t t = 0; t < out.size(); ++t) CHECK(out[t] == "<A" + std::to_string(t) + ">[1, 2]<B>[1, 2]2");
}
