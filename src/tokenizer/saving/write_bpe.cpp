// BPE: the vocabulary, and the merges as pairs of tokens in order of rank.
#include <algorithm>
#include <tuple>
#include <vector>

#include "core/error.hpp"
#include "tokenizer/saving/write_model.hpp"

namespace rag::core {
namespace {

void write_merges(const Bpe& model, JsonText& out) {
    std::vector<std::tuple<std::uint32_t, std::int32_t, std::int32_t>> merges;
    merges.reserve(model.merges().size());
    if (model.options().rank_by_result) {  // the other merges into a token never happen, and would need a rank of their own
        for (const Merge& merge : model.used_merges()) merges.emplace_back(merge.rank, merge.left, merge.right);
    } else {
        model.merges().for_each(
            [&](std::int32_t left, std::int32_t right, std::uint32_t rank) { merges.emplace_back(rank, left, right); });
    }
    std::sort(merges.begin(), merges.end());
    const auto token = [&](std::int32_t id) {
        const auto found = model.id_to_token(id);
        if (!found) fail(Code::kInternal, "a merge of token {}, which the vocabulary lacks", id);
        return *found;
    };
    out.open('[');
    for (const auto& [rank, left, right] : merges) out.open('[').text(token(left)).text(token(right)).close(']');
    out.close(']');
}

}  // namespace

void write_bpe(const Bpe& model, JsonText& out) {
    const BpeOptions& options = model.options();
    const auto text_or_null = [&](const char* key, std::string_view text) {
        out.key(key);
        text.empty() ? out.null() : out.text(text);
    };
    out.open('{').key("type").text("BPE").key("dropout").null().key("unk_token");
    options.unk_token ? out.text(*options.unk_token) : out.null();
    text_or_null("continuing_subword_prefix", options.continuing_subword_prefix);
    text_or_null("end_of_word_suffix", options.end_of_word_suffix);
    out.key("fuse_unk").boolean(options.fuse_unk).key("byte_fallback").boolean(options.byte_fallback);
    out.key("ignore_merges").boolean(options.ignore_merges);
    write_vocabulary(model.vocabulary(), out.key("vocab"));
    write_merges(model, out.key("merges"));
    out.close('}');
}

}  // namespace rag::core
