// The pre-tokenizer of a tokenizer.json; an unknown one is refused by name.
#include "tokenizer/loading/stages.hpp"
#include "tokenizer/pre_tokenizers/bert.hpp"
#include "tokenizer/pre_tokenizers/byte_level.hpp"
#include "tokenizer/pre_tokenizers/cl100k_scanner.hpp"
#include "tokenizer/pre_tokenizers/digits.hpp"
#include "tokenizer/pre_tokenizers/fixed_length.hpp"
#include "tokenizer/pre_tokenizers/metaspace.hpp"
#include "tokenizer/pre_tokenizers/punctuation.hpp"
#include "tokenizer/pre_tokenizers/sequence.hpp"
#include "tokenizer/pre_tokenizers/split.hpp"
#include "tokenizer/pre_tokenizers/unicode_scripts.hpp"
#include "tokenizer/pre_tokenizers/whitespace.hpp"

namespace rag::core {
namespace {

SplitBehavior read_behavior(const StageFields& fields, const std::string& otherwise) {
    const std::string name = fields.text("behavior", otherwise);
    if (name == "Removed") return SplitBehavior::kRemoved;
    if (name == "Isolated") return SplitBehavior::kIsolated;
    if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
    if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
    if (name == "Contiguous") return SplitBehavior::kContiguous;
    fields.wrong("behavior", "one of Removed, Isolated, MergedWithPrevious, MergedWithNext and Contiguous");
}

std::unique_ptr<PreTokenizer> read_metaspace(const StageFields& fields) {
    const MetaspaceFields read = read_metaspace_fields(fields);
    return std::make_unique<Metaspace>(read.replacement, read.scheme, fields.boolean("split", true));
}

std::unique_ptr<PreTokenizer> read_split(const StageFields& fields) {
    Regex pattern = read_pattern(fields);
    const SplitBehavior behavior = read_behavior(fields, "");
    const bool invert = fields.boolean("invert", false);
    const bool keeps_matches = behavior == SplitBehavior::kIsolated || (behavior == SplitBehavior::kRemoved && invert);
    if (const auto text = fields.object("pattern").optional_text("Regex"); text && keeps_matches) {
        if (const auto digits = Cl100kSplit::digits_of(*text)) return std::make_unique<Cl100kSplit>(*digits);
    }
    return std::make_unique<Split>(std::move(pattern), behavior, invert);
}

std::unique_ptr<PreTokenizer> read(const Json& json, const std::string& where, int depth, bool bytes);

std::unique_ptr<PreTokenizer> read_sequence(const StageFields& fields, int depth, bool bytes) {
    const std::size_t count = fields.array("pretokenizers").size();
    std::size_t seen = 0;
    return std::make_unique<PreTokenizerSequence>(
        read_stages<PreTokenizer>(fields, "pretokenizers", depth, [&](const Json& json, const std::string& where, int inner) {
            return read(json, where, inner, bytes && ++seen == count);
        }));
}

// `bytes`: what comes behind this stage takes bytes.
std::unique_ptr<PreTokenizer> read(const Json& json, const std::string& where, int depth, bool bytes) {
    const StageFields fields(json, where);
    const std::string type = fields.type();
    if (type == "BertPreTokenizer") return std::make_unique<BertPreTokenizer>();
    if (type == "ByteLevel") {
        return std::make_unique<ByteLevel>(fields.boolean("add_prefix_space", true), fields.boolean("use_regex", true), !bytes);
    }
    if (type == "CharDelimiterSplit") return std::make_unique<CharDelimiterSplit>(read_character(fields, "delimiter"));
    if (type == "Digits") return std::make_unique<Digits>(fields.boolean("individual_digits", false));
    if (type == "FixedLength") {
        return std::make_unique<FixedLength>(static_cast<std::uint32_t>(fields.integer("length", 5, 1, 0xFFFFFFFF)));
    }
    if (type == "Metaspace") return read_metaspace(fields);
    if (type == "Punctuation") return std::make_unique<Punctuation>(read_behavior(fields, "Isolated"));
    if (type == "Sequence") return read_sequence(fields, depth, bytes);
    if (type == "Split") return read_split(fields);
    if (type == "UnicodeScripts") return std::make_unique<UnicodeScripts>();
    if (type == "Whitespace") return std::make_unique<Whitespace>();
    if (type == "WhitespaceSplit") return std::make_unique<WhitespaceSplit>();
    refuse_stage(fields);
}

}  // namespace

std::unique_ptr<PreTokenizer> read_pre_tokenizer(const Json& json, const std::string& where, bool bytes) {
    return read(json, where, 0, bytes);
}

}  // namespace rag::core
