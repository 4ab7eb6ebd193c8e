// Every kind of vocabulary that can be loaded gives the ids that its own program gives. What is compared is laid out by
// tests/parity/make_vocabularies.py in the folder that RAG_VOCABULARIES names.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>

#include "core/error.hpp"
#include "goldens.hpp"
#include "test_files.hpp"

namespace {

using goldens::Json;
using rag::core::Tokenizer;

std::string differs(const char* what, const Json& ours, const Json& row) {
    if (!row.contains(what) || row.at(what) == ours) return {};
    const auto show = [](const Json& json) { return json.dump(-1, ' ', true, Json::error_handler_t::replace).substr(0, 400); };
    return std::string(what) + ": ours " + show(ours) + ", theirs " + show(row.at(what)) + ", text " + show(row.at("text"));
}

std::string compare(const Tokenizer& tokenizer, const Json& row) {
    const std::string text = row.at("text");
    const auto encoding = tokenizer.encode(text, std::nullopt, false);
    std::string found = differs("ids", encoding.ids, row);
    if (found.empty() && row.contains("offsets")) {
        found = differs("offsets", goldens::character_offsets(encoding, text, {}), row);
    }
    if (found.empty()) found = differs("ids_special", tokenizer.encode(text).ids, row);
    if (found.empty()) found = differs("decoded", tokenizer.decode(encoding.ids, false), row);
    if (!found.empty()) return found;
    std::vector<std::int32_t> quick;
    tokenizer.encode_ids(text, false, quick);
    return quick == encoding.ids ? "" : "encode_ids differs from encode: " + text;
}

}  // namespace

TEST_CASE("every vocabulary gives the ids of its own program") {
    const auto index = rag::test::find_below("RAG_VOCABULARIES", "index.json");
    RAG_NEEDS(index);
    RAG_NEEDS(rag::test::shared_data("tokenizers"));
    std::ifstream stream(index.path);
    const Json entries = Json::parse(stream);
    std::set<std::string> seen;
    for (const Json& entry : entries) {
        const std::string name = entry.at("name");
        seen.insert(name);
        const auto rows = goldens::read_lines(std::string(entry.at("rows")));
        INFO(name << ", " << rows.size() << " texts");
        CHECK(!rows.empty());
        std::shared_ptr<const Tokenizer> tokenizer;
        try {
            tokenizer = Tokenizer::from_pretrained(std::string(entry.at("path")));
        } catch (const rag::core::Error& error) {
            FAIL_CHECK(error.what());
            continue;
        }
        std::size_t mismatches = 0;
        for (const Json& row : rows) {
            const std::string difference = compare(*tokenizer, row);
            if (difference.empty()) continue;
            if (++mismatches <= 3) UNSCOPED_INFO(difference);
        }
        CHECK(mismatches == 0);
    }
    for (const char* wanted :
         {"bert-base-cased", "bert-base-uncased", "cl100k_base", "clip", "deepseek-coder", "gpt2", "phi-3-mini", "refact",
          "roberta-base", "rwkv_world", "spm_bpemb_en_100k", "t5-small", "whisper-tiny"}) {
        INFO(wanted);
        CHECK(seen.contains(wanted));
    }
}
