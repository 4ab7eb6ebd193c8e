// Makes a tokenizer from a tiktoken file: a line holds a token in base64, a space, and its rank, which is its id. Of two
// neighbours those join first whose joined bytes have the lowest rank; a piece that is a token is that token. Such a file lacks
// the pattern that cuts text into pieces.
#include <algorithm>
#include <charconv>

#include "core/base64.hpp"
#include "core/error.hpp"
#include "core/mapped_file.hpp"
#include "core/utf8.hpp"
#include "tokenizer/loading/build_stages.hpp"
#include "tokenizer/loading/lines.hpp"
#include "tokenizer/loading/load.hpp"
#include "tokenizer/loading/named.hpp"
#include "tokenizer/models/bpe.hpp"
#include "tokenizer/models/byte_alphabet.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kMaxFile = std::size_t{256} << 20;
// Longest token; all its cuts are looked up, so the time of a file is its size times this. The longest published one has 128.
constexpr std::size_t kMaxTokenBytes = 1024;

// The patterns that are published with these two names, for files that lie there alone.
struct Published {
    std::string_view name, pattern;
};
constexpr Published kPublished[] = {
    {"cl100k_base",
     R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s)"},
    {"o200k_base", R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
                   R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
                   R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
};

struct RankedToken {
    std::string written;              // in the byte alphabet
    std::vector<std::uint16_t> cuts;  // where each byte but the first begins in `written`
    std::int64_t rank = 0;
};

RankedToken read_line(std::string_view line, std::size_t number) {
    const std::size_t space = line.find(' ');
    const std::string_view digits = space == std::string_view::npos ? "" : line.substr(space + 1);
    RankedToken token;
    const char* const begin = digits.data();
    const char* const end = begin + digits.size();
    if (digits.empty() || std::from_chars(begin, end, token.rank).ptr != end) {
        fail(Code::kCorrupt, "line {}: {} is not a token in base64, a space and a rank", number, quote(line, 60));
    }
    const auto decoded = decode_base64(line.substr(0, space));
    if (!decoded) fail(Code::kCorrupt, "line {}: {} is not base64", number, quote(line.substr(0, space), 60));
    const std::string& bytes = *decoded;
    if (bytes.empty() || bytes.size() > kMaxTokenBytes) {
        fail(Code::kUnsupported, "line {}: a token of {} bytes, 1 to {} are supported", number, bytes.size(), kMaxTokenBytes);
    }
    for (const char byte : bytes) {
        if (!token.written.empty()) token.cuts.push_back(static_cast<std::uint16_t>(token.written.size()));
        append_alphabet(token.written, {&byte, 1});
    }
    return token;
}

std::vector<RankedToken> read_tokens(std::string_view text) {
    std::vector<RankedToken> tokens;
    for_each_line(text, [&](std::string_view line, std::size_t number) { tokens.push_back(read_line(line, number)); });
    std::stable_sort(tokens.begin(), tokens.end(), [](const auto& a, const auto& b) { return a.rank < b.rank; });
    return tokens;
}

Vocabulary make_vocabulary(const std::vector<RankedToken>& tokens) {
    Vocabulary vocabulary;
    vocabulary.reserve(tokens.size());
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        if (vocabulary.find(tokens[i].written) || (i > 0 && tokens[i].rank == tokens[i - 1].rank)) {
            fail(Code::kCorrupt, "the token {} or its rank {} is there twice", quote(tokens[i].written), tokens[i].rank);
        }
        vocabulary.add(tokens[i].written, tokens[i].rank);
    }
    for (unsigned byte = 0; byte < 256; ++byte) {
        std::string written;
        append_utf8(written, alphabet_character(static_cast<unsigned char>(byte)));
        if (!vocabulary.find(written)) fail(Code::kCorrupt, "no token for the byte {}", byte);
    }
    return vocabulary;
}

void declare(const AddedToken& token, Vocabulary& vocabulary) {
    const auto there = vocabulary.token(token.id);
    if (there == std::string_view(token.content)) return;
    if (there || vocabulary.find(token.content)) {
        fail(Code::kCorrupt, "the added token {} or its id {} is another token's", quote(token.content), token.id);
    }
    vocabulary.add(token.content, token.id);
}

// Every two tokens that join into a token, in the order of its rank.
MergeList make_merges(const std::vector<RankedToken>& tokens, const Vocabulary& vocabulary) {
    MergeList merges;
    merges.reserve(tokens.size() * 2);
    for (const RankedToken& token : tokens) {
        const std::string_view written = token.written;
        for (const std::uint16_t cut : token.cuts) {
            const std::string_view left = written.substr(0, cut), right = written.substr(cut);
            if (vocabulary.find_id(left) >= 0 && vocabulary.find_id(right) >= 0) merges.emplace_back(left, right);
        }
    }
    return merges;
}

// tiktoken's patterns are for Rust's regex, Regex takes Oniguruma's dialect, which means two things otherwise: ^ and $ are the
// ends of a line there, and x{1,3}+ repeats x{1,3} instead of keeping what it took.
class PatternOfRust {
  public:
    explicit PatternOfRust(std::string_view pattern) : pattern_(pattern) {}

    std::string for_oniguruma() {
        while (at_ < pattern_.size()) step();
        return std::move(out_);
    }

  private:
    void step() {
        const char c = pattern_[at_];
        if (c == '\\') {
            begin_atom();
            take(2);
            if (out_.back() == 'p' || out_.back() == 'P' || out_.back() == 'x') take_to('}', '{');
        } else if (c == '[') {
            begin_atom();
            take_class();
        } else if (c == '(') {
            open_.push_back(out_.size());
            take(1);
        } else if (c == ')') {
            take(1);
            atom_ = open_.empty() ? 0 : open_.back();
            if (!open_.empty()) open_.pop_back();
        } else if (c == '$' || c == '^') {
            out_ += c == '$' ? "\\z" : "\\A";
            ++at_;
        } else if (c == '{') {
            take_to('}', '{');
            if (at_ < pattern_.size() && pattern_[at_] == '+') {
                ++at_;
                out_.insert(atom_, "(?>");
                out_ += ')';
            }
        } else {
            if (c != '?' && c != '*' && c != '+' && c != '|') begin_atom();
            take(1);
        }
    }
    void begin_atom() { atom_ = out_.size(); }
    void take(std::size_t count) {
        const std::string_view part = pattern_.substr(at_, count);
        out_ += part;
        at_ += part.size();
    }
    // Up to and with `last`, if `first` comes next.
    void take_to(char last, char first) {
        if (at_ >= pattern_.size() || pattern_[at_] != first) return;
        const std::size_t end = pattern_.find(last, at_);
        take(end == std::string_view::npos ? pattern_.size() - at_ : end + 1 - at_);
    }
    void take_class() {
        take(1);
        for (bool first = true; at_ < pattern_.size(); first = false) {
            const char c = pattern_[at_];
            if (c == ']' && !first) return take(1);
            take(c == '\\' ? 2 : 1);
        }
    }

    std::string_view pattern_;
    std::size_t at_ = 0;
    std::string out_;
    std::size_t atom_ = 0;           // where in out_ begins what a quantifier would repeat
    std::vector<std::size_t> open_;  // groups
};

std::string find_pattern(const std::filesystem::path& file) {
    const std::filesystem::path beside = file.parent_path() / "pattern.txt";
    if (std::filesystem::exists(beside)) {
        std::string pattern = read_text_file(beside, 1U << 16);
        require_utf8(pattern, beside.string());
        while (pattern.ends_with('\n') || pattern.ends_with('\r')) pattern.pop_back();
        return pattern;
    }
    for (const Published& known : kPublished) {
        if (file.stem() == known.name) return std::string(known.pattern);
    }
    fail(Code::kUnsupported,
         "{}: a tiktoken file does not say how text is cut into pieces: put the encoding's pattern into pattern.txt beside it",
         file.string());
}

}  // namespace

TokenizerParts load_tiktoken_text(std::string_view text, const std::string& pattern, std::vector<AddedToken> declared,
                                  const std::string& name) {
    return make_named(name, [&] {
        TokenizerParts parts;
        parts.name = name;
        const std::vector<RankedToken> tokens = read_tokens(text);
        Vocabulary vocabulary = make_vocabulary(tokens);
        const MergeList merges = make_merges(tokens, vocabulary);
        // Their ids count, so they become tokens of the model; text never reaches them there, since they are cut out before.
        for (const AddedToken& token : declared) declare(token, vocabulary);
        parts.added_tokens = std::move(declared);
        BpeOptions options;
        options.bytes = true;
        options.ignore_merges = true;
        options.rank_by_result = true;
        parts.model = std::make_unique<Bpe>(std::move(vocabulary), merges, std::move(options));
        const Json split = {{"type", "Split"},
                            {"pattern", {{"Regex", PatternOfRust(pattern).for_oniguruma()}}},
                            {"behavior", "Removed"},
                            {"invert", true}};
        const Json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
        const Json stages = {{"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", Json::array({split, bytes})}}},
                             {"decoder", {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}}}};
        build_stages(StageFields(stages, name), parts);
        return parts;
    });
}

TokenizerParts load_tiktoken(const std::filesystem::path& file) {
    const std::string pattern = find_pattern(file);
    TokenizerParts parts =
        load_tiktoken_text(read_text_file(file, kMaxFile), pattern, read_declared_tokens(file.parent_path()), file.string());
    load_configuration(file.parent_path(), parts);
    return parts;
}

}  // namespace rag::core
