// Vocabulary files of other programs in the small: what they mean, slow twins of their algorithms, and files that lie.
#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "require_error.hpp"
#include "test_files.hpp"
#include "tokenizer/loading/load.hpp"
#include "tokenizer/tokenizer.hpp"

using namespace rag::core;
using rag::test::require_error;
using rag::test::write_file;
namespace fs = std::filesystem;

namespace {

std::string base64(const std::string& bytes) {
    static const char* const kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        unsigned group = 0;
        for (std::size_t i = 0; i < 3; ++i)
            group = (group << 8) | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U);
        for (unsigned i = 0; i < 4; ++i) out += at + i > bytes.size() ? '=' : kDigits[(group >> (18 - 6 * i)) & 63U];
    }
    return out;
}

using Ranks = std::map<std::string, std::int32_t>;

// All bytes, then `more` in order.
Ranks make_ranks(const std::vector<std::string>& more) {
    Ranks ranks;
    for (int byte = 0; byte < 256; ++byte) ranks[std::string(1, static_cast<char>(byte))] = byte;
    for (const std::string& token : more) ranks.emplace(token, static_cast<std::int32_t>(ranks.size()));
    return ranks;
}

std::string tiktoken_text(const Ranks& ranks) {
    std::string out;
    for (const auto& [token, rank] : ranks) out += base64(token) + " " + std::to_string(rank) + "\n";
    return out;
}

std::shared_ptr<const Tokenizer> tiktoken(const std::string& text, const std::string& pattern,
                                          std::vector<AddedToken> declared = {}) {
    return std::make_shared<const Tokenizer>(load_tiktoken_text(text, pattern, std::move(declared), "test.tiktoken"));
}

// tiktoken by the book: of all neighbours the first whose joined bytes have the lowest rank, joined, again and again.
std::vector<std::int32_t> join_by_rank(const std::string& piece, const Ranks& ranks) {
    std::vector<std::string> parts;
    for (const char byte : piece) parts.emplace_back(1, byte);
    if (ranks.contains(piece)) parts = {piece};
    for (;;) {
        std::size_t best = parts.size();
        std::int32_t lowest = std::numeric_limits<std::int32_t>::max();
        for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
            const auto found = ranks.find(parts[i] + parts[i + 1]);
            if (found == ranks.end() || found->second >= lowest) continue;
            lowest = found->second;
            best = i;
        }
        if (best == parts.size()) break;
        parts[best] += parts[best + 1];
        parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    }
    std::vector<std::int32_t> ids;
    for (const std::string& part : parts) ids.push_back(ranks.at(part));
    return ids;
}

std::string rwkv_text(const std::vector<std::string>& more) {
    std::string out;
    for (int byte = 0; byte < 256; ++byte) {
        char line[32];
        std::snprintf(line, sizeof line, "%d b'\\x%02x' 1\n", byte + 1, static_cast<unsigned>(byte));
        out += line;
    }
    for (std::size_t i = 0; i < more.size(); ++i) {
        out += std::to_string(257 + i) + " '" + more[i] + "' " + std::to_string(more[i].size()) + "\n";
    }
    return out;
}

}  // namespace

TEST_CASE("tiktoken joins by the rank of the joined bytes, whatever the vocabulary") {
    std::mt19937 random(23);
    for (int round = 0; round < 60; ++round) {
        std::vector<std::string> more;
        for (int i = 0; i < 25; ++i) {  // tokens whose parts may be no tokens, in any order
            std::string token(2 + random() % 4, 'a');
            for (char& c : token) c = static_cast<char>('a' + random() % 3);
            more.push_back(token);
        }
        const Ranks ranks = make_ranks(more);
        const auto tokenizer = tiktoken(tiktoken_text(ranks), "[a-z]+| ");
        for (int i = 0; i < 20; ++i) {
            std::string piece(1 + random() % (i == 0 ? 90 : 12), 'a');
            for (char& c : piece) c = static_cast<char>('a' + random() % 3);
            INFO(piece);
            const Encoding encoding = tokenizer->encode(piece);
            CHECK(encoding.ids == join_by_rank(piece, ranks));
            CHECK(tokenizer->decode(encoding.ids) == piece);
        }
    }
}

TEST_CASE("a tiktoken file takes its pattern from beside it, and its special tokens with their ids") {
    const rag::test::TemporaryFolder folder;
    const fs::path file = folder / "own.tiktoken";
    write_file(file, tiktoken_text(make_ranks({"ab", " ab"})));
    require_error(Code::kUnsupported, {"own.tiktoken", "pattern.txt"}, [&] { Tokenizer::from_pretrained(file); });
    write_file(folder / "pattern.txt", " ?[a-z]+|\\s+$|.\n");
    write_file(folder / "tokenizer_config.json",
               R"({"eos_token": "<|end|>", "added_tokens_decoder": {"300": {"content": "<|end|>", "special": true}}})");
    const auto tokenizer = Tokenizer::from_pretrained(folder.path());
    CHECK(tokenizer->encode("ab ab<|end|>").ids == std::vector<std::int32_t>{256, 257, 300});
    CHECK(tokenizer->eos_id() == 300);
    CHECK(tokenizer->decode({{256, 257, 300}}) == "ab ab");
    CHECK(tokenizer->encode("a\n\nb").ids.size() == 2);  // $ is the end of the text, not of a line; what matches nothing goes
    const auto digits = tiktoken(tiktoken_text(make_ranks({"12", "123"})), R"((?:\p{N}|[x\]]){1,3}+|[^x]{2}+|\s)");
    CHECK(digits->encode("1234").ids == std::vector<std::int32_t>{257, '4'});  // {1,3}+ keeps what it took, and does not repeat
    CHECK(digits->encode("12ab").ids == std::vector<std::int32_t>{256, 'a', 'b'});
    write_file(folder / "other.tiktoken", "");
    require_error(Code::kInvalidArgument, {"own.tiktoken", "other.tiktoken"}, [&] { Tokenizer::from_pretrained(folder.path()); });
    fs::rename(file, folder / "cl100k_base.tiktoken");
    fs::remove(folder / "pattern.txt");
    CHECK(Tokenizer::from_pretrained(folder / "cl100k_base.tiktoken")->encode("ab ab").ids ==
          std::vector<std::int32_t>{256, 257});
}

TEST_CASE("tiktoken files that contradict themselves are refused by name") {
    const std::string good = tiktoken_text(make_ranks({"ab"}));
    const auto refused = [&](Code code, const std::string& text, const std::string& named) {
        require_error(code, {"test.tiktoken", named}, [&] { tiktoken(text, "."); });
    };
    refused(Code::kCorrupt, "", "byte");
    refused(Code::kCorrupt, good.substr(good.find('\n') + 1), "byte 0");
    refused(Code::kCorrupt, good + "YWI= 400\n", "\"ab\"");
    refused(Code::kCorrupt, good + "YWJj 256\n", "256");
    refused(Code::kCorrupt, good + "YWJj 9999999\n", "9999999");
    refused(Code::kCorrupt, good + "YWJj -1\n", "-1");
    refused(Code::kCorrupt, good + "YWJj\n", "YWJj");
    refused(Code::kCorrupt, good + "YWJj 1 2\n", "1 2");
    refused(Code::kCorrupt, good + "YW*j 300\n", "base64");
    refused(Code::kCorrupt, good + "YWJ 300\n", "base64");
    refused(Code::kCorrupt, good + "YW=j 300\n", "base64");
    refused(Code::kUnsupported, good + base64(std::string(1025, 'a')) + " 300\n", "1025");
    require_error(Code::kUnsupported, {"test.tiktoken", "(a"}, [&] { tiktoken(good, "(a"); });
    require_error(Code::kCorrupt, {"<|end|>", "97"}, [&] { tiktoken(good, ".", {{"<|end|>", 97}}); });
}

TEST_CASE("RWKV's vocabulary takes the longest match") {
    const rag::test::TemporaryFolder folder;
    write_file(folder / "rwkv_vocab_small.txt", rwkv_text({"ab", "abcd", "\xe4\xb8\xad", " a"}));
    const auto tokenizer = Tokenizer::from_pretrained(folder.path());
    CHECK(tokenizer->encode("abcdabc ab").ids == std::vector<std::int32_t>{258, 257, 'c' + 1, 260, 'b' + 1});
    CHECK(tokenizer->encode("\xe4\xb8\xad\xe4\xb8\x96").ids == std::vector<std::int32_t>{259, 0xe4 + 1, 0xb8 + 1, 0x96 + 1});
    CHECK(tokenizer->decode(tokenizer->encode("\xe4\xb8\xad\xe4\xb8\x96").ids) == "\xe4\xb8\xad\xe4\xb8\x96");
    CHECK(tokenizer->encode(std::string(100'000, 'a')).size() == 100'000);
}

TEST_CASE("RWKV vocabularies that contradict themselves are refused by name") {
    const std::string good = rwkv_text({"ab"});
    CHECK(is_rwkv_vocabulary(good));
    CHECK(!is_rwkv_vocabulary("[PAD]\n[UNK]\n"));
    CHECK(!is_rwkv_vocabulary("1\n2 'a\n"));
    const auto ids = [](const std::string& text, const std::string& input) {
        return Tokenizer(load_rwkv(text, "test.txt")).encode(input).ids;
    };
    CHECK(ids(good + "300 '\\'\\\\\\n\\t\\x41\\u4e2d\\U0001f600' 12\n", "'\\\n\tA\xe4\xb8\xad\xf0\x9f\x98\x80") ==
          std::vector<std::int32_t>{300});
    for (const char* line : {"300 'abc' 2", "300 abc 3", "300 'a'c' 3", "300 'abc 3", "300 '\\q' 1", "300 '\\x4' 1", "x 'abc' 3",
                             "300 'abc' x", "300 'abc'", "257 'abc' 3", "300 'ab' 2", "300 '' 0", "300 b'\\u4e2d' 3",
                             "300 '\\ud800' 3", "99999999 'abc' 3", "-1 'abc' 3", "300 b'\\", "300 ' 1"}) {
        INFO(line);
        require_error(Code::kCorrupt, {"test.txt"}, [&] { load_rwkv(good + line + "\n", "test.txt"); });
    }
    require_error(Code::kCorrupt, {"byte 0"}, [&] { load_rwkv(good.substr(good.find('\n') + 1), "test.txt"); });
}

TEST_CASE("vocab.json and merges.txt are read as the class says that tokenizer_config.json names") {
    const rag::test::TemporaryFolder folder;
    write_file(folder / "vocab.json",
               R"({"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "a": 4, "b": 5, "\u0120": 6, "ab": 7, "\u0120ab": 8})");
    write_file(folder / "merges.txt", "#version: 0.2\na b\n\xc4\xa0 ab\n");
    const auto load = [&] { return Tokenizer::from_pretrained(folder.path()); };
    require_error(Code::kUnsupported, {"tokenizer_class"}, load);
    write_file(folder / "tokenizer_config.json", R"({"tokenizer_class": "SplinterTokenizer"})");
    require_error(Code::kUnsupported, {"SplinterTokenizer", "RobertaTokenizer"}, load);
    write_file(folder / "tokenizer_config.json",
               R"({"tokenizer_class": "GPT2Tokenizer", "unk_token": "<unk>", "bos_token": "<s>"})");
    CHECK(load()->encode("ab ab<s>").ids == std::vector<std::int32_t>{7, 8, 0});
    CHECK(load()->eos_token() == "<|endoftext|>");  // the class's own, and numbered on behind the vocabulary
    CHECK(load()->eos_id() == 9);
    write_file(
        folder / "tokenizer_config.json",
        R"({"tokenizer_class": "RobertaTokenizerFast", "add_prefix_space": true, "mask_token": {"content": "<mask>", "lstrip": true}})");
    CHECK(load()->encode("ab").ids == std::vector<std::int32_t>{0, 8, 2});
    CHECK(load()->encode("ab", "ab").ids == std::vector<std::int32_t>{0, 8, 2, 2, 8, 2});
    write_file(folder / "tokenizer_config.json", R"({"tokenizer_class": "GPT2Tokenizer", "add_bos_token": true})");
    require_error(Code::kUnsupported, {"add_bos_token"}, load);
    write_file(folder / "tokenizer_config.json", R"({"tokenizer_class": "GPT2Tokenizer"})");
    write_file(folder / "merges.txt", "a b c\n");
    require_error(Code::kCorrupt, {"a b c"}, load);
    write_file(folder / "merges.txt", "a x\n");
    require_error(Code::kCorrupt, {"\"x\""}, load);
    write_file(folder / "merges.txt", "");
    write_file(folder / "vocab.json", "[1]");
    require_error(Code::kCorrupt, {"vocab.json"}, load);
}
