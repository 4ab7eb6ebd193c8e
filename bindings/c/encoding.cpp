// rag_encoding_*: what a text became, over C.
#include "arguments.hpp"
#include "guard.hpp"
#include "handles.hpp"
#include "tokenizer/encoding_bytes.hpp"

namespace core = rag::core;
using rag::capi::Code;
using rag::capi::fail;
using rag::capi::guard;
using rag::capi::require;

namespace {

using Overflow = std::vector<std::unique_ptr<rag_encoding>>;

// With what overflows already made. `tokenizer` may be null where the encodings have the texts of all their tokens.
std::unique_ptr<rag_encoding> wrap_whole(const std::shared_ptr<const core::Tokenizer>& tokenizer,  // NOLINT(misc-no-recursion)
                                         core::OverflowingEncoding whole) {
    auto out = rag::capi::wrap_encoding(tokenizer, std::move(whole.encoding));
    std::call_once(out->overflow_once, [&] {
        for (auto& one : whole.overflowing) out->overflow.push_back(wrap_whole(tokenizer, std::move(one)));
    });
    return out;
}

const Overflow& overflow_of(const rag_encoding& encoding) {
    std::call_once(encoding.overflow_once, [&] {
        for (auto& one : encoding.tokenizer->overflowing(encoding.encoding)) {
            encoding.overflow.push_back(wrap_whole(encoding.tokenizer, std::move(one)));
        }
    });
    return encoding.overflow;
}

std::string_view token_of(const rag_encoding& encoding, size_t index) {
    if (encoding.tokenizer == nullptr) return encoding.encoding.texts[index].second;
    return encoding.tokenizer->token(encoding.encoding, index);
}

// A copy that has the texts of all its tokens.
core::OverflowingEncoding whole_of(const rag_encoding& encoding) {  // NOLINT(misc-no-recursion): as deep as overflow is
    core::OverflowingEncoding out;
    out.encoding = encoding.encoding;
    out.encoding.texts.clear();
    for (size_t i = 0; i < out.encoding.size(); ++i) out.encoding.texts.emplace_back(i, token_of(encoding, i));
    for (const auto& one : overflow_of(encoding)) out.overflowing.push_back(whole_of(*one));
    return out;
}

}  // namespace

std::unique_ptr<rag_encoding> rag::capi::wrap_encoding(std::shared_ptr<const core::Tokenizer> tokenizer,
                                                       core::Encoding encoding) {
    auto out = std::make_unique<rag_encoding>();
    out->tokenizer = std::move(tokenizer);
    out->encoding.swap(encoding);
    return out;
}

extern "C" {

rag_status rag_encoding_get(const rag_encoding* encoding, rag_encoding_view* view) noexcept {
    return guard([&] {
        const core::Encoding& source = require(encoding, "encoding").encoding;
        using Offset = decltype(source.offsets)::value_type;
        static_assert(sizeof(Offset) == 2 * sizeof(std::uint32_t) && std::is_standard_layout_v<Offset>);
        rag_encoding_view out = RAG_ENCODING_VIEW_INIT;
        out.count = source.ids.size();
        out.ids = source.ids.data();
        out.offsets = source.offsets.empty() ? nullptr : &source.offsets.data()->first;
        out.type_ids = source.type_ids.data();
        out.attention_mask = source.attention_mask.data();
        out.special_tokens_mask = source.special_tokens_mask.data();
        out.sequence_ids = source.sequence_ids.data();
        out.word_ids = source.words.data();
        rag::capi::write_struct(view, out, "rag_encoding_view");
    });
}

rag_text rag_encoding_token(const rag_encoding* encoding, size_t index) noexcept {
    if (encoding == nullptr || index >= encoding->encoding.size()) return {nullptr, 0};
    const std::string_view token = token_of(*encoding, index);
    return {token.data() == nullptr ? "" : token.data(), token.size()};
}

rag_status rag_encoding_overflow_count(const rag_encoding* encoding, size_t* count) noexcept {
    return guard([&] {
        require(count, "count") = 0;
        *count = overflow_of(require(encoding, "encoding")).size();
    });
}

rag_status rag_encoding_overflow_at(const rag_encoding* encoding, size_t index, const rag_encoding** overflow) noexcept {
    return guard([&] {
        require(overflow, "overflow") = nullptr;
        const Overflow& all = overflow_of(require(encoding, "encoding"));
        if (index >= all.size()) fail(Code::kInvalidArgument, "index is {}, {} encodings overflow", index, all.size());
        *overflow = all[index].get();
    });
}

void rag_encoding_free(rag_encoding* encoding) noexcept {
    delete encoding;
}

rag_status rag_encoding_to_bytes(const rag_encoding* encoding, rag_string** bytes) noexcept {
    return guard([&] {
        require(bytes, "bytes") = nullptr;
        *bytes = new rag_string{core::encoding_to_bytes(whole_of(require(encoding, "encoding")))};
    });
}

rag_status rag_encoding_from_bytes(rag_text bytes, rag_encoding** encoding) noexcept {
    return guard([&] {
        require(encoding, "encoding") = nullptr;
        *encoding = wrap_whole(nullptr, core::encoding_from_bytes(rag::capi::bytes_of(bytes, "bytes"))).release();
    });
}

}  // extern "C"
