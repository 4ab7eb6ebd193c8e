#include "model/text_batcher.hpp"

#include <algorithm>
#include <new>

#include "core/error.hpp"

namespace rag::core {

TextBatcher::TextBatcher(BackendEncoder& encoder, std::int64_t outputs, const BatchLimits& limits)
    : encoder_(encoder),
      outputs_(static_cast<std::size_t>(outputs)),
      batcher_([this](std::span<BatchedCall* const> calls) { compute(calls); }, limits) {}

BackendStatus TextBatcher::run(const TokenBatch& batch, std::span<float> out, const HostCall& stop) {
    Texts texts;
    texts.tokens = batch.ids.size();
    texts.kind = batch.unpooled;  // one number for all texts of a pass
    texts.stop = stop;
    texts.batch = &batch;
    texts.out = out;
    batcher_.run(texts);
    return std::move(texts.status);
}

void TextBatcher::compute(std::span<BatchedCall* const> calls) {
    BackendStatus status;
    if (calls.size() == 1) {
        const auto& texts = *static_cast<const Texts*>(calls[0]);
        calls[0]->status = encoder_.encode(*texts.batch, texts.out, texts.stop);
        return;
    }
    try {
        status = compute_together(calls);
    } catch (const std::bad_alloc&) {
        status = {static_cast<std::int32_t>(Code::kOutOfMemory), "no memory for the texts of several callers"};
    }
    for (BatchedCall* call : calls) {
        const bool stopped = static_cast<const Texts*>(call)->stopped;
        call->status = stopped ? BackendStatus{static_cast<std::int32_t>(Code::kStopped), "stopped"} : status;
    }
}

BackendStatus TextBatcher::compute_together(std::span<BatchedCall* const> calls) {
    std::vector<std::int32_t> ids, type_ids;
    std::vector<std::int64_t> offsets = {0};
    std::vector<std::span<const AdapterShare>> adapters;
    const auto batch_of = [](const BatchedCall* call) -> const TokenBatch& { return *static_cast<const Texts*>(call)->batch; };
    const bool typed =
        std::any_of(calls.begin(), calls.end(), [&](const auto* call) { return !batch_of(call).type_ids.empty(); });
    const bool adapted =
        std::any_of(calls.begin(), calls.end(), [&](const auto* call) { return !batch_of(call).adapters.empty(); });
    for (const BatchedCall* call : calls) {
        const TokenBatch& batch = batch_of(call);
        const auto before = static_cast<std::int64_t>(ids.size());
        for (const std::int64_t offset : batch.offsets.subspan(1)) offsets.push_back(before + offset);
        ids.insert(ids.end(), batch.ids.begin(), batch.ids.end());
        type_ids.insert(type_ids.end(), batch.type_ids.begin(), batch.type_ids.end());
        if (typed) type_ids.resize(ids.size(), 0);
        adapters.insert(adapters.end(), batch.adapters.begin(), batch.adapters.end());
        if (adapted) adapters.resize(offsets.size() - 1);
    }
    std::vector<float> rows((offsets.size() - 1) * outputs_);
    const BackendStatus status =
        encoder_.encode({ids, type_ids, offsets, calls[0]->kind, adapters}, rows, {&TextBatcher::all_stopped, &calls});
    if (!status.ok()) return status;
    auto from = rows.begin();
    for (BatchedCall* call : calls) {
        const std::span<float> out = static_cast<Texts*>(call)->out;
        std::copy_n(from, out.size(), out.begin());
        from += static_cast<std::ptrdiff_t>(out.size());
    }
    return status;
}

/// Every caller is asked until he has said yes; the pass ends when nobody wants it any more.
bool TextBatcher::all_stopped(void* context) {
    bool all = true;
    for (BatchedCall* call : *static_cast<std::span<BatchedCall* const>*>(context)) {
        auto& texts = *static_cast<Texts*>(call);
        texts.stopped = texts.stopped || (texts.stop.stop != nullptr && texts.stop.stop(texts.stop.context));
        all = all && texts.stopped;
    }
    return all;
}

}  // namespace rag::core
