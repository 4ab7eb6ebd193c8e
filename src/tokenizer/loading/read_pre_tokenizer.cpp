// The pre-tokenizer of a tokenizer.json; an unknown one is refused by name.
#include "tokenizer/loading/stages.hpp"
#include "tokenizer/pre_tokenizers/bert.hpp"
#include "tokenizer/pre_tokenizers/byte_level.hpp"
#include "tokenizer/pre_tokenizers/cl100k_scanner.hpp"
#include "tokenizer/pre_tokenizers/digits.hpp"
#include "tokenizer/pre_tokenizers/metaspace.hpp"
#include "tokenizer/pre_tokenizers/sequence.hpp"
#include "tokenizer/pre_tokenizers/split.hpp"

namespace rag::core {
namespace {

SplitBehavior read_behavior(const StageFields& fields) {
    const std::string name = checked_text(fields.required("behavior"), fields.inside("behavior"));
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
    const SplitBehavior behavior = read_behavior(fields);
    const bool invert = fields.boolean("invert", false);
    const bool keeps_matches = behavior == SplitBehavior::kIsolated || (behavior == SplitBehavior::kRemoved && invert);
    if (const auto text = fields.object("pattern").optional_text("Regex"); text && keeps_matches) {
        if (const auto digits = Cl100kSplit::digits_of(*text)) return std::make_unique<Cl100kSplit>(*digits);
    }
    return std::make_unique<Split>(std::move(pattern), behavior, invert);
}

std::unique_ptr<PreTokenizer> read(const Json& json, const std::string& where, int depth) {
    const StageFields fields(json, where);
    const std::string type = fields.type();
    if (type == "BertPreTokenizer") return std::make_unique<BertPreTokenizer>();
    if (type == "ByteLevel") {
        return std::make_unique<ByteLevel>(fields.boolean("add_prefix_space", true), fields.boolean("use_regex", true));
    }
    if (type == "Digits") return std::make_unique<Digits>(fields.boolean("individual_digits", false));
    if (type == "Metaspace") return read_metaspace(fields);
    if (type == "Split") return read_split(fields);
    if (type == "Sequence") {
        auto stages = read_stages<PreTokenizer>(fields, "pretokenizers", depth, read);
        for (std::size_t i = 0; i + 1 < stages.size(); ++i) {
            if (stages[i]->makes_bytes()) {
                fail(Code::kUnsupported, "{}: ByteLevel at place {} of {}, with stages behind it", where, i, stages.size());
            }
        }
        return std::make_unique<PreTokenizerSequence>(std::move(stages));
    }
    refuse_stage(fields);
}

}  // namespace

std::unique_ptr<PreTokenizer> read_pre_tokenizer(const Json& json, const std::string& where) {
    return read(json, where, 0);
}

}  // namespace rag::core
