#include "tokenizer/regex.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/find_text.hpp"
#include "core/utf8.hpp"
#include "tokenizer/regex_pattern.hpp"

namespace rag::core {
namespace {

constexpr std::uint32_t kMatchLimit = 10'000'000;           // backtracking steps of one match
constexpr std::uint32_t kHeapLimitKib = 64U << 10;          // memory of one match without the compiled code
constexpr std::size_t kJitStackMax = std::size_t{8} << 20;  // and with it
constexpr std::size_t kPatternMax = std::size_t{64} << 10;

template <auto Free>
struct Freer {
    template <typename T>
    void operator()(T* object) const noexcept {
        Free(object);
    }
};
using CodePtr = std::unique_ptr<pcre2_code, Freer<pcre2_code_free>>;
using CompileContextPtr = std::unique_ptr<pcre2_compile_context, Freer<pcre2_compile_context_free>>;
using MatchPtr = std::unique_ptr<pcre2_match_data, Freer<pcre2_match_data_free>>;
using ContextPtr = std::unique_ptr<pcre2_match_context, Freer<pcre2_match_context_free>>;
using StackPtr = std::unique_ptr<pcre2_jit_stack, Freer<pcre2_jit_stack_free>>;

// What a thread needs to run patterns; made once a thread.
struct Machine {
    ContextPtr context{pcre2_match_context_create(nullptr)};
    StackPtr stack{pcre2_jit_stack_create(32U << 10, kJitStackMax, nullptr)};
    MatchPtr match{pcre2_match_data_create(1, nullptr)};

    Machine() {
        if (context == nullptr || stack == nullptr || match == nullptr) fail(Code::kOutOfMemory, "no memory for PCRE2");
        pcre2_set_match_limit(context.get(), kMatchLimit);
        pcre2_set_heap_limit(context.get(), kHeapLimitKib);
        pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
    }
};

Machine& machine() {
    thread_local Machine one;
    return one;
}

std::string reason(int code) {
    PCRE2_UCHAR buffer[256];
    const int length = pcre2_get_error_message(code, buffer, sizeof buffer);
    return length < 0 ? fmt::format("error {}", code) : std::string(reinterpret_cast<const char*>(buffer), length);
}

// Whether a pattern may have a group that is not gone back into. PCRE2 10.42 has three faults with them. Its machine code goes
// back into some all the same: (?>c*|)c is found in "cc"; the interpreter does not. Its compiler takes a repetition before one
// that may be empty for one that never has to give back: a*(?:bc)?+a is not found in "aa"; PCRE2_NO_AUTO_POSSESS keeps it from
// that. And it looks for a pattern that begins with one only where lines begin if a dot is repeated in it, as if the dots were
// gone back into: (?:.*?)++b is not found in "ab"; PCRE2_NO_DOTSTAR_ANCHOR keeps it from that.
bool has_atomic_group(const std::string& translated) {
    const auto has = [&](std::string_view text) { return translated.find(text) != std::string::npos; };
    return has("(?>") || has(")*+") || has(")++") || has(")?+");
}

// `pattern` is the caller's, for the message.
CodePtr compile(const std::string& translated, std::string_view pattern) {
    const CompileContextPtr context{pcre2_compile_context_create(nullptr)};
    if (context == nullptr) fail(Code::kOutOfMemory, "no memory for PCRE2");
    pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);  // whatever the host's PCRE2 was built with
    pcre2_set_bsr(context.get(), PCRE2_BSR_UNICODE);
    int code = 0;
    std::size_t offset = 0;
    std::uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
    if (has_atomic_group(translated)) options |= PCRE2_NO_AUTO_POSSESS | PCRE2_NO_DOTSTAR_ANCHOR;
    CodePtr compiled(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(), options, &code, &offset,
                                   context.get()));
    if (compiled == nullptr) {
        fail(Code::kUnsupported, "the pattern {} cannot be compiled: {} (at offset {} of {})", quote(pattern), reason(code),
             offset, quote(translated));
    }
    return compiled;
}

#include "tokenizer/unicode/folds.inc"

bool matches(const pcre2_code* code, std::string_view text, const Machine& machine) {
    return pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, PCRE2_NO_UTF_CHECK, machine.match.get(),
                       machine.context.get()) >= 0;
}

// Whether an expression of one character matches one outside ASCII.
bool matches_beyond_ascii(const pcre2_code* code, const Machine& machine) {
    constexpr char32_t kStep = 0x1000, kLast = 0x10FFFF;
    std::string text;
    for (char32_t value = 0x80; value <= kLast; ++value) {
        if (value < 0xD800 || value > 0xDFFF) append_utf8(text, value);
        if (value % kStep != kStep - 1) continue;
        if (matches(code, text, machine)) return true;
        text.clear();
    }
    return false;
}

// Whether an expression of one character matches one whose case folding is a sequence.
bool matches_fold(const pcre2_code* code, const Machine& machine) {
    std::string text;
    for (const char32_t value : kFoldsToSequences) append_utf8(text, value);
    return matches(code, text, machine);
}

void require_supported(const ClassCheck& check, const std::string& pattern) {
    const CodePtr code = compile(check.set, pattern);
    if (check.kind == ClassCheck::Kind::kInverted) {
        if (matches_beyond_ascii(code.get(), machine())) return;
        fail(
            Code::kUnsupported,
            "the pattern {} uses a negated class that holds a negated class and nothing outside ASCII at offset {}, which is not "
            "supported: Oniguruma reads some as they are written, others not",
            quote(pattern), check.offset);
    }
    if (!matches_fold(code.get(), machine())) return;
    fail(Code::kUnsupported,
         "the pattern {} uses a class without regard to case at offset {} that has letters like U+00DF, which is not supported: "
         "Oniguruma's matches \"ss\" too",
         quote(pattern), check.offset);
}

}  // namespace

struct Regex::Compiled {
    CodePtr code;
    std::string source;   // for messages
    std::string literal;  // searched directly when there is no code
};

Regex::Regex(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;

Regex::Regex(const std::string& pattern) : compiled_(std::make_unique<Compiled>()) {
    if (pattern.size() > kPatternMax) {
        fail(Code::kUnsupported, "a pattern of {} bytes, more than the {} supported", pattern.size(), kPatternMax);
    }
    require_utf8(pattern, "a pattern");
    std::vector<ClassCheck> checks;
    const std::string translated = pcre2_pattern(pattern, checks);
    for (const ClassCheck& check : checks) require_supported(check, pattern);
    compiled_->source = pattern;
    compiled_->code = compile(translated, pattern);
    if (has_atomic_group(translated)) return;
    pcre2_jit_compile(compiled_->code.get(), PCRE2_JIT_COMPLETE);  // without machine code it is interpreted
}

bool Regex::may_match_nothing() const noexcept {
    std::uint32_t may = 0;
    return compiled_->code != nullptr && pcre2_pattern_info(compiled_->code.get(), PCRE2_INFO_MATCHEMPTY, &may) == 0 && may != 0;
}

Regex Regex::literal(std::string_view text) {
    if (text.empty()) return Regex(std::string());
    auto compiled = std::make_unique<Compiled>();
    compiled->literal = text;
    return Regex(std::move(compiled));
}

std::string_view Regex::literal_text() const noexcept {
    return compiled_->literal;
}

void Regex::find_all(std::string_view text, Span within, std::vector<Span>& out) const {
    if (compiled_->code == nullptr) {
        const std::string& wanted = compiled_->literal;
        const std::string_view part = text.substr(0, within.end);
        for (std::size_t at = find_text(part, wanted, within.start); at != std::string_view::npos;
             at = find_text(part, wanted, at + wanted.size())) {
            out.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at + wanted.size())});
        }
        return;
    }
    const Machine& with = machine();
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data() + within.start);
    const std::size_t length = within.end - within.start;
    std::size_t at = 0;
    bool after_match = false;
    while (at <= length) {
        const int count =
            pcre2_match(compiled_->code.get(), subject, length, at, PCRE2_NO_UTF_CHECK, with.match.get(), with.context.get());
        if (count == PCRE2_ERROR_NOMATCH) return;
        if (count < 0) {
            fail(Code::kInvalidArgument, "the pattern {} cannot be matched against {} bytes of text: {}",
                 quote(compiled_->source), length, reason(count));
        }
        const std::size_t* ends = pcre2_get_ovector_pointer(with.match.get());
        const std::size_t start = ends[0];
        const std::size_t end = ends[1];
        if (start < end || !(after_match && start == at)) {
            out.push_back({within.start + static_cast<std::uint32_t>(start), within.start + static_cast<std::uint32_t>(end)});
        }
        after_match = true;
        at = end;
        if (start >= end) {  // empty: go on behind the next character
            at += decode_utf8(text.substr(within.start, length), end).length;
            if (end == length) return;
            after_match = false;
        }
    }
}

}  // namespace rag::core
