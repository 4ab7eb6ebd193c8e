// Ids, offsets, tokens, masks and decoded text against Hugging Face tokenizers: real tokenizers on real and random texts, and
// every stage over all code points. What it compares with is made by tests/parity/make_tokenizer_goldens.py into the folder that
// RAG_TOKENIZER_GOLDENS names.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <set>

#include "goldens.hpp"
#include "test_files.hpp"

namespace {

using goldens::Json;
using rag::core::Tokenizer;

std::filesystem::path goldens_folder() {
    const char* folder = std::getenv("RAG_TOKENIZER_GOLDENS");
    return folder == nullptr ? "" : folder;
}

std::vector<std::string> golden_names(bool stages) {
    std::ifstream stream(goldens_folder() / "index.json");
    std::vector<std::string> out;
    if (!stream) return out;
    for (const std::string name : Json::parse(stream)) {
        if (name.starts_with("stage_") == stages) out.push_back(name);
    }
    return out;
}

}  // namespace

TEST_CASE("tokenizers give Hugging Face's ids, offsets and text") {
    RAG_NEEDS(rag::test::find_below("RAG_TOKENIZER_GOLDENS", "index.json"));
    std::set<std::string> seen;
    for (const std::string& name : golden_names(false)) {
        seen.insert(name);
        const auto rows = goldens::read_lines(goldens_folder() / (name + ".jsonl"));
        const auto tokenizer = Tokenizer::from_pretrained(std::string(rows.at(0).at("tokenizer")));
        std::size_t mismatches = 0;
        for (std::size_t i = 1; i < rows.size(); ++i) {
            const std::string difference = goldens::compare(*tokenizer, rows[i]);
            if (difference.empty()) continue;
            if (++mismatches <= 5) UNSCOPED_INFO(name << " row " << i << ": " << difference);
        }
        INFO(name << ": " << mismatches << " of " << rows.size() - 1 << " texts differ");
        CHECK(mismatches == 0);
        CHECK(rows.size() > 100);
    }
    for (const char* wanted : {"minilm", "smollm2", "bert-base-uncased", "gpt2", "roberta-base"}) {
        if (seen.contains(wanted)) continue;
        if (rag::test::data_required()) FAIL(wanted << " is not among the goldens");
        WARN("skipped: " << wanted << " is not among the goldens");
    }
}

TEST_CASE("every stage agrees with Hugging Face on every code point") {
    RAG_NEEDS(rag::test::find_below("RAG_TOKENIZER_GOLDENS", "index.json"));
    for (const std::string& name : golden_names(true)) {
        const auto rows = goldens::read_lines(goldens_folder() / (name + ".jsonl"));
        const auto tokenizer = Tokenizer::from_pretrained(std::string(rows.at(0).at("tokenizer")));
        std::size_t mismatches = 0;
        for (std::size_t i = 1; i < rows.size(); ++i) {
            const Json& row = rows[i];
            const std::string text = goldens::stage_text(row.at("first"), row.at("last"), row.at("form"));
            if (row.at("hash") == goldens::stage_hash(*tokenizer, text)) continue;
            if (++mismatches <= 5) UNSCOPED_INFO(name << ": " << row.dump());
        }
        INFO(name << ": " << mismatches << " of " << rows.size() - 1 << " ranges differ");
        CHECK(mismatches == 0);
        CHECK(rows.size() > 400);
    }
}
