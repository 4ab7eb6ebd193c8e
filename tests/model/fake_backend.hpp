// A backend that computes nothing of a model but something of every id, so that a test sees which ids arrived, in which batches,
// and whether results came back to the right place. Its records may be read when no call is running.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "model/backend_training.hpp"

namespace rag::test {

/// What FakeBackend saw, and what it shall do.
struct FakeRecord {
    core::EncoderConfig encoder;
    core::DecoderConfig decoder;
    core::BackendOptions options;
    std::vector<std::string> tensors;              // names
    std::vector<std::vector<std::int32_t>> texts;  // ids of every text that was encoded, in order
    std::vector<std::size_t> batches;              // texts, or sequences, a call
    std::vector<core::AdapterPair> merged;
    std::vector<std::string> kept;                 // sources of adapters kept beside the weights
    std::vector<float> weights;                    // of the adapters of the last item
    std::vector<std::vector<float>> text_weights;  // of the adapters of every text that was encoded
    std::vector<core::DecoderItem> items;          // all that came, in order; of their spans only the sizes count
    int merges = 0, unmerges = 0;
    core::BackendStatus next;         // what the next call returns
    std::function<void()> on_encode;  // before texts are encoded, or items computed, on the thread that does
};

/// Component `j` of the vector of a text: depends on every id and its place.
inline float fake_component(std::span<const std::int32_t> ids, std::size_t j) {
    double sum = 0;
    for (std::size_t i = 0; i < ids.size(); ++i) sum += std::sin(static_cast<double>(ids[i]) * static_cast<double>(i + 1 + j));
    return static_cast<float>(sum);
}

template <typename Base>
class FakeModel : public Base {
  public:
    explicit FakeModel(std::shared_ptr<FakeRecord> record) : record_(std::move(record)) {}
    core::BackendStatus merge_adapter(const core::AdapterWeights& adapter) noexcept override {
        if (auto status = take(); !status.ok()) return status;
        record_->merged = adapter.pairs;
        ++record_->merges;
        return {};
    }
    core::BackendStatus unmerge_adapter() noexcept override {
        ++record_->unmerges;
        return take();
    }
    core::BackendStatus keep_adapter(const core::AdapterWeights& adapter,
                                     std::unique_ptr<core::BackendAdapter>& out) noexcept override {
        record_->kept.push_back(adapter.source);
        out = std::make_unique<core::BackendAdapter>();
        return take();
    }
    std::uint64_t weight_bytes() const noexcept override { return 12345; }
    core::BackendStatus export_tensor(const std::string&, core::ElementType, const core::AdapterWeights*,
                                      std::vector<std::byte>&) noexcept override {
        return {static_cast<std::int32_t>(core::Code::kUnsupported), "the fake backend exports nothing"};
    }
    core::BackendStatus observe_inputs(bool) noexcept override { return take(); }

  protected:
    /// Calls come from any thread: an adapter is merged while another one encodes.
    core::BackendStatus take() {
        static std::mutex taking;
        const std::lock_guard lock(taking);
        return std::exchange(record_->next, {});
    }
    static bool stopped(const core::HostCall& call) { return call.stop != nullptr && call.stop(call.context); }
    std::shared_ptr<FakeRecord> record_;
};

class FakeEncoder : public FakeModel<core::BackendEncoder> {
  public:
    using FakeModel::FakeModel;
    core::BackendStatus encode(const core::TokenBatch& batch, std::span<float> out,
                               const core::HostCall& call) noexcept override {
        if (record_->on_encode) record_->on_encode();
        if (auto status = take(); !status.ok()) return status;
        if (stopped(call)) return {1, "stopped"};
        const std::size_t texts = batch.offsets.size() - 1;
        const std::size_t width = out.size() / texts;
        record_->batches.push_back(texts);
        for (std::size_t t = 0; t < texts; ++t) {
            auto& weights = record_->text_weights.emplace_back();
            for (const auto& share : batch.adapters.empty() ? std::span<const core::AdapterShare>() : batch.adapters[t])
                weights.push_back(share.weight);
            const auto ids = batch.ids.subspan(static_cast<std::size_t>(batch.offsets[t]),
                                               static_cast<std::size_t>(batch.offsets[t + 1] - batch.offsets[t]));
            record_->texts.emplace_back(ids.begin(), ids.end());
            for (std::size_t j = 0; j < width; ++j) out[t * width + j] = fake_component(ids, j);
        }
        return {};
    }
};

class FakeSession : public core::BackendSession {
  public:
    FakeSession(std::shared_ptr<FakeRecord> record, std::size_t vocab) : record_(std::move(record)), vocab_(vocab) {}
    std::int64_t length() const noexcept override { return static_cast<std::int64_t>(ids_.size()); }
    core::BackendStatus forward(std::span<const std::int32_t> ids, std::span<float> logits, const core::HostCall& call) {
        if (auto status = std::exchange(record_->next, {}); !status.ok()) return status;
        if (call.stop != nullptr && call.stop(call.context)) return {1, "stopped"};
        const bool every = logits.size() == ids.size() * vocab_;
        for (std::size_t i = 0; i < ids.size(); ++i) {
            ids_.push_back(ids[i]);
            if (logits.empty() || (!every && i + 1 < ids.size())) continue;
            for (std::size_t j = 0; j < vocab_; ++j) logits[(every ? i : 0) * vocab_ + j] = fake_component(ids_, j);
        }
        return {};
    }
    core::BackendStatus truncate(std::int64_t length) noexcept override {
        ids_.resize(static_cast<std::size_t>(length));
        return {};
    }
    const std::vector<std::int32_t>& ids() const { return ids_; }
    void append(const std::vector<std::int32_t>& more) { ids_.insert(ids_.end(), more.begin(), more.end()); }

  private:
    std::shared_ptr<FakeRecord> record_;
    std::size_t vocab_;
    std::vector<std::int32_t> ids_;
};

struct FakePiece : core::BackendPiece {
    explicit FakePiece(std::vector<std::int32_t> of) : ids(std::move(of)) {}
    std::int64_t length() const noexcept override { return static_cast<std::int64_t>(ids.size()); }
    std::uint64_t size_bytes() const noexcept override { return 10 * ids.size(); }
    std::vector<std::int32_t> ids;
};

class FakeDecoder : public FakeModel<core::BackendDecoder> {
  public:
    using FakeModel::FakeModel;
    core::BackendStatus new_session(std::unique_ptr<core::BackendSession>& out) noexcept override {
        out = std::make_unique<FakeSession>(record_, static_cast<std::size_t>(record_->decoder.vocab_size));
        return take();
    }
    core::BackendStatus copy_piece(const core::BackendSession& session,
                                   std::unique_ptr<core::BackendPiece>& out) noexcept override {
        out = std::make_unique<FakePiece>(static_cast<const FakeSession&>(session).ids());
        return take();
    }
    core::BackendStatus append_piece(core::BackendSession& session, const core::BackendPiece& piece) noexcept override {
        if (auto status = take(); !status.ok()) return status;
        static_cast<FakeSession&>(session).append(static_cast<const FakePiece&>(piece).ids);
        return {};
    }
    core::BackendStatus forward(std::span<core::DecoderItem> items) noexcept override {
        for (const core::DecoderItem& item : items) {
            record_->items.push_back(item);
            record_->weights.clear();
            for (const core::AdapterShare& share : item.adapters) record_->weights.push_back(share.weight);
        }
        record_->batches.push_back(items.size());
        if (record_->on_encode) record_->on_encode();
        for (core::DecoderItem& item : items)
            item.status = static_cast<FakeSession*>(item.session)->forward(item.ids, item.logits, item.call);
        return {};
    }
};

class FakeBackend : public core::Backend {
  public:
    std::shared_ptr<FakeRecord> record = std::make_shared<FakeRecord>();
    std::string describe() const override { return "the fake backend"; }
    void end() noexcept override {}
    core::BackendStatus load_encoder(const core::EncoderConfig& config, const core::Weights& weights,
                                     const core::BackendOptions& options,
                                     std::unique_ptr<core::BackendEncoder>& out) noexcept override {
        keep(weights, options);
        record->encoder = config;
        out = std::make_unique<FakeEncoder>(record);
        return std::exchange(record->next, {});
    }
    core::BackendStatus load_decoder(const core::DecoderConfig& config, const core::Weights& weights,
                                     const core::BackendOptions& options,
                                     std::unique_ptr<core::BackendDecoder>& out) noexcept override {
        keep(weights, options);
        record->decoder = config;
        out = std::make_unique<FakeDecoder>(record);
        return std::exchange(record->next, {});
    }
    core::BackendStatus train_encoder(const core::EncoderConfig&, const core::Weights&, const core::TrainerOptions&,
                                      std::unique_ptr<core::BackendTrainer>&) noexcept override {
        return {static_cast<std::int32_t>(core::Code::kUnsupported), "the fake backend trains nothing"};
    }
    core::BackendStatus train_decoder(const core::DecoderConfig&, const core::Weights&, const core::TrainerOptions&,
                                      std::unique_ptr<core::BackendTrainer>&) noexcept override {
        return {static_cast<std::int32_t>(core::Code::kUnsupported), "the fake backend trains nothing"};
    }

  private:
    void keep(const core::Weights& weights, const core::BackendOptions& options) {
        record->options = options;
        record->tensors.clear();
        for (const auto& tensor : weights.tensors) record->tensors.push_back(tensor.name);
    }
};

}  // namespace rag::test
