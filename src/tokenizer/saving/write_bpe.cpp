// BPE: the vocabulary, and the merges as pairs of tokens in order of rank. SentencePiece's model of that name has no merges;
// those that its scores bring about are written.
#include <algorithm>
#include <tuple>
#include <vector>

#include "core/error.hpp"
#include "tokenizer/saving/write_model.hpp"

namespace rag::core {
namespace {

std::vector<Merge> merges_of(const Bpe& model) {
    // The other merges into a token never happen, and would need a rank of their own.
    if (model.options().rank_by_result) return model.used_merges();
    std::vector<Merge> merges;
    merges.reserve(model.merges().size());
    model.merges().for_each(
        [&](std::int32_t left, std::int32_t right, std::uint32_t rank) { merges.push_back({left, right, -1, rank}); });
    std::sort(merges.begin(), merges.end(), [](const Merge& a, const Merge& b) {
        return std::tie(a.rank, a.left, a.right) < std::tie(b.rank, b.left, b.right);
    });
    return merges;
}

void write(const BpeOptions& options, const Vocabulary& vocabulary, const std::vector<Merge>& merges, JsonText& out) {
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
    write_vocabulary(vocabulary, out.key("vocab"));
    const auto token = [&](std::int32_t id) {
        const auto found = vocabulary.token(id);
        if (!found) fail(Code::kInternal, "a merge of token {}, which the vocabulary lacks", id);
        return *found;
    };
    out.key("merges").open('[');
    for (const Merge& merge : merges) out.open('[').text(token(merge.left)).text(token(merge.right)).close(']');
    out.close(']').close('}');
}

}  // namespace

void write_bpe(const Bpe& model, JsonText& out) {
    write(model.options(), model.vocabulary(), merges_of(model), out);
}

void write_sentence_piece_bpe(const SentencePieceBpe& model, JsonText& out) {
    BpeOptions options;
    options.unk_token = model.vocabulary().token(model.unk());
    options.fuse_unk = true;
    options.byte_fallback = model.byte_fallback();
    write(options, model.vocabulary(), model.used_merges(), out);
}

}  // namespace rag::core
