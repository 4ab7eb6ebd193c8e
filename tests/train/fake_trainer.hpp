// A model small enough to differentiate by hand, behind the interface of the real one: h = x + scale * B A x over the mean x of a
// text's word vectors, and a linear classifier behind it where the model has one. Over tokens: h of each id against all words.
// It reads the tiny models' files by their names, so that everything around a trainer is the real thing.
#pragma once

#include <signal.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/backend_training.hpp"
#include "train/random.hpp"

namespace rag::test {

struct FakeFaults {
    std::int64_t nan_loss_at = -1;   // a forward pass, counted from 0
    std::int64_t blow_up_from = -1;  // outputs grow from this pass on
    std::int64_t passes = 0;
    std::vector<std::pair<std::int32_t, std::int32_t>> tokens;  // ids and targets that token_loss was asked for
    std::int64_t calls_to_live = -1;                            // the process kills itself at this call of the trainer
    void live() {
        if (calls_to_live >= 0 && calls_to_live-- == 0) ::raise(SIGKILL);
    }
};

class FakeTrainer : public core::BackendTrainer {
  public:
    FakeTrainer(std::int64_t hidden, std::int64_t outputs, const core::Weights& weights, const core::TrainerOptions& options,
                std::shared_ptr<FakeFaults> faults)
        : hidden_(static_cast<std::size_t>(hidden)),
          outputs_(static_cast<std::size_t>(outputs)),
          options_(options),
          faults_(std::move(faults)) {
        for (const core::TensorView& view : weights.tensors) {
            if (view.type == core::ElementType::kF32) {
                std::vector<float>& values = all_[view.name];
                values.resize(view.bytes.size() / sizeof(float));
                std::memcpy(values.data(), view.bytes.data(), view.bytes.size());
            }
            const bool wanted = std::find(options.tensors.begin(), options.tensors.end(), view.name) != options.tensors.end();
            if (wanted) names_.push_back({view.name, view.shape});
            if (view.name.ends_with("word_embeddings.weight") || view.name.ends_with("embed_tokens.weight")) words_ = view.name;
            for (const core::TrainedPair& pair : options.pairs) {
                if (view.name != pair.module + ".weight") continue;
                names_.push_back({pair.module + ".lora_A.weight", {pair.rank, view.shape[1]}});
                names_.push_back({pair.module + ".lora_B.weight", {view.shape[0], pair.rank}});
                if (pair_.empty() && view.shape[0] == hidden && view.shape[1] == hidden) {
                    pair_ = pair.module;
                    scale_ = pair.scale;
                    rank_ = static_cast<std::size_t>(pair.rank);
                }
            }
        }
        for (const core::TrainedTensor& tensor : names_) {
            std::size_t count = 1;
            for (const std::int64_t size : tensor.shape) count *= static_cast<std::size_t>(size);
            all_[tensor.name].resize(count);
            for (auto* part : {&first_, &second_, &gradients_}) (*part)[tensor.name].resize(count);
        }
    }

    std::vector<core::TrainedTensor> tensors() const override { return names_; }
    core::BackendStatus read(std::size_t index, core::TrainedPart part, std::span<float> out) noexcept override {
        faults_->live();
        const std::vector<float>& values = part_of(part)[names_[index].name];
        std::copy(values.begin(), values.end(), out.begin());
        return {};
    }
    core::BackendStatus write(std::size_t index, core::TrainedPart part, std::span<const float> values) noexcept override {
        part_of(part)[names_[index].name].assign(values.begin(), values.end());
        return {};
    }
    std::uint64_t state_bytes() const noexcept override { return 0; }

    core::BackendStatus forward(const core::TokenBatch& batch, const core::ForwardOptions& options, std::span<float> out,
                                const core::HostCall& call) noexcept override {
        faults_->live();
        if (call.stop != nullptr && call.stop(call.context)) return {1, "stopped"};
        const std::size_t texts = batch.offsets.size() - 1;
        std::vector<Text> passes(texts);
        for (std::size_t t = 0; t < texts; ++t) {
            Text& text = passes[t];
            text.ids.assign(batch.ids.begin() + batch.offsets[t], batch.ids.begin() + batch.offsets[t + 1]);
            run(text, options, options_.dropout, t);
            for (std::size_t o = 0; o < outputs_; ++o) {
                float value = classifier() ? all_["classifier.bias"][o] : text.h[o];
                for (std::size_t i = 0; classifier() && i < hidden_; ++i)
                    value += all_["classifier.weight"][o * hidden_ + i] * text.h[i];
                out[t * outputs_ + o] = fault(value);
            }
        }
        ++faults_->passes;
        if (options.keep) kept_ = std::move(passes);
        return {};
    }

    core::BackendStatus backward(std::span<const float> gradient, const core::HostCall&) noexcept override {
        faults_->live();
        if (kept_.empty()) return {-12, "no pass is kept"};
        for (std::size_t t = 0; t < kept_.size(); ++t) {
            std::vector<float> back(hidden_);
            for (std::size_t o = 0; o < outputs_; ++o) {
                const float g = gradient[t * outputs_ + o];
                if (!classifier()) {
                    back[o] = g;
                    continue;
                }
                add("classifier.bias", o, g);
                for (std::size_t i = 0; i < hidden_; ++i) {
                    back[i] += g * all_["classifier.weight"][o * hidden_ + i];
                    add("classifier.weight", o * hidden_ + i, g * kept_[t].h[i]);
                }
            }
            run_back(kept_[t], back);
        }
        kept_.clear();
        return {};
    }

    core::BackendStatus token_loss(const core::TokenBatch& batch, const core::TokenTargets& targets, double scale,
                                   const core::ForwardOptions& options, core::TokenLoss& loss,
                                   const core::HostCall& call) noexcept override {
        if (call.stop != nullptr && call.stop(call.context)) return {1, "stopped"};
        for (std::size_t i = 0; i < batch.ids.size(); ++i) faults_->tokens.emplace_back(batch.ids[i], targets.targets[i]);
        const std::vector<float>& words = all_[words_];
        const std::size_t vocab = words.size() / hidden_;
        for (std::size_t i = 0; i < batch.ids.size(); ++i) {
            if (targets.targets[i] < 0) continue;
            Text token;
            token.ids = {batch.ids[i]};
            run(token, options, options_.dropout, i);
            std::vector<double> logits(vocab);
            for (std::size_t v = 0; v < vocab; ++v)
                for (std::size_t k = 0; k < hidden_; ++k) logits[v] += words[v * hidden_ + k] * token.h[k];
            const double most = *std::max_element(logits.begin(), logits.end());
            double sum = 0;
            for (const double logit : logits) sum += std::exp(logit - most);
            const auto target = static_cast<std::size_t>(targets.targets[i]);
            loss.cross_entropy += most + std::log(sum) - logits[target];
            ++loss.count;
            loss.right += logits[target] == most ? 1 : 0;
            if (!options.keep) continue;
            std::vector<float> back(hidden_);
            for (std::size_t v = 0; v < vocab; ++v) {
                const auto g = static_cast<float>(scale * (std::exp(logits[v] - most) / sum - (v == target ? 1.0 : 0.0)));
                for (std::size_t k = 0; k < hidden_; ++k) {
                    back[k] += g * words[v * hidden_ + k];
                    add(words_, v * hidden_ + k, g * token.h[k]);
                }
            }
            run_back(token, back);
        }
        return {};
    }

    core::BackendStatus clear_gradients() noexcept override {
        for (auto& [name, values] : gradients_) std::fill(values.begin(), values.end(), 0.0F);
        return {};
    }

    core::BackendStatus step(const core::OptimizerStep& s, double& norm) noexcept override {
        faults_->live();
        double sum = 0;
        for (const auto& [name, values] : gradients_)
            for (const float g : values) sum += static_cast<double>(g) * g;
        norm = std::sqrt(sum);
        if (!std::isfinite(norm)) return {};
        const double clip = s.max_gradient_norm > 0 && norm > s.max_gradient_norm ? s.max_gradient_norm / (norm + 1e-6) : 1.0;
        const double one = 1 - std::pow(s.beta1, s.number), two = 1 - std::pow(s.beta2, s.number);
        for (const core::TrainedTensor& tensor : names_) {
            std::vector<float>&w = all_[tensor.name], &m = first_[tensor.name], &v = second_[tensor.name];
            const double decay = tensor.shape.size() > 1 ? s.learning_rate * s.weight_decay : 0.0;
            for (std::size_t i = 0; i < w.size(); ++i) {
                const double g = clip * gradients_[tensor.name][i];
                m[i] = static_cast<float>(s.beta1 * m[i] + (1 - s.beta1) * g);
                v[i] = static_cast<float>(s.beta2 * v[i] + (1 - s.beta2) * g * g);
                w[i] =
                    static_cast<float>(w[i] * (1 - decay) - s.learning_rate * (m[i] / one) / (std::sqrt(v[i] / two) + s.epsilon));
            }
        }
        clear_gradients();
        return {};
    }

  private:
    struct Text {
        std::vector<std::int32_t> ids;
        std::vector<float> kept, x, ax, h;  // kept: 1 / (1 - p) or 0 of each component of x
    };
    bool classifier() const { return all_.contains("classifier.weight"); }
    float fault(float value) const {
        if (faults_->passes == faults_->nan_loss_at) return std::nanf("");
        if (faults_->blow_up_from >= 0 && faults_->passes >= faults_->blow_up_from) return 50.0F * (value > 0 ? -1.0F : 1.0F);
        return value;
    }
    std::map<std::string, std::vector<float>>& part_of(core::TrainedPart part) {
        switch (part) {
            case core::TrainedPart::kValue:
                return all_;
            case core::TrainedPart::kFirstMoment:
                return first_;
            case core::TrainedPart::kSecondMoment:
                return second_;
            default:
                return gradients_;
        }
    }
    void add(const std::string& name, std::size_t i, float g) {
        if (const auto found = gradients_.find(name); found != gradients_.end()) found->second[i] += g;
    }
    void run(Text& text, const core::ForwardOptions& options, float dropout, std::size_t place) {
        const std::vector<float>& words = all_[words_];
        text.x.assign(hidden_, 0.0F);
        text.kept.assign(hidden_, 1.0F);
        const core::CounterRandom random(options.seed, std::uint64_t{place});
        for (std::size_t k = 0; options.training && k < hidden_; ++k)
            text.kept[k] = random.uniform(k) < dropout ? 0.0F : 1.0F / (1.0F - dropout);
        for (const std::int32_t id : text.ids)
            for (std::size_t k = 0; k < hidden_; ++k)
                text.x[k] +=
                    text.kept[k] * words[static_cast<std::size_t>(id) * hidden_ + k] / static_cast<float>(text.ids.size());
        text.h = text.x;
        if (pair_.empty()) return;
        const std::vector<float>&a = all_[pair_ + ".lora_A.weight"], &b = all_[pair_ + ".lora_B.weight"];
        text.ax.assign(rank_, 0.0F);
        for (std::size_t r = 0; r < rank_; ++r)
            for (std::size_t k = 0; k < hidden_; ++k) text.ax[r] += a[r * hidden_ + k] * text.x[k];
        for (std::size_t k = 0; k < hidden_; ++k)
            for (std::size_t r = 0; r < rank_; ++r) text.h[k] += scale_ * b[k * rank_ + r] * text.ax[r];
    }
    void run_back(const Text& text, std::vector<float> back) {
        if (!pair_.empty()) {
            const std::vector<float>&a = all_[pair_ + ".lora_A.weight"], &b = all_[pair_ + ".lora_B.weight"];
            std::vector<float> through(rank_);
            for (std::size_t k = 0; k < hidden_; ++k)
                for (std::size_t r = 0; r < rank_; ++r) {
                    add(pair_ + ".lora_B.weight", k * rank_ + r, scale_ * back[k] * text.ax[r]);
                    through[r] += scale_ * b[k * rank_ + r] * back[k];
                }
            for (std::size_t r = 0; r < rank_; ++r)
                for (std::size_t k = 0; k < hidden_; ++k) {
                    add(pair_ + ".lora_A.weight", r * hidden_ + k, through[r] * text.x[k]);
                    back[k] += through[r] * a[r * hidden_ + k];
                }
        }
        for (const std::int32_t id : text.ids)
            for (std::size_t k = 0; k < hidden_; ++k)
                add(words_, static_cast<std::size_t>(id) * hidden_ + k,
                    text.kept[k] * back[k] / static_cast<float>(text.ids.size()));
    }

    std::size_t hidden_, outputs_;
    core::TrainerOptions options_;
    std::shared_ptr<FakeFaults> faults_;
    std::vector<core::TrainedTensor> names_;
    std::map<std::string, std::vector<float>> all_, first_, second_, gradients_;
    std::string words_, pair_;
    float scale_ = 0.0F;
    std::size_t rank_ = 0;
    std::vector<Text> kept_;
};

class FakeTrainingBackend : public core::Backend {
  public:
    std::shared_ptr<FakeFaults> faults = std::make_shared<FakeFaults>();
    core::TrainerOptions options;  // of the last trainer
    std::string describe() const override { return "a model differentiated by hand"; }
    void end() noexcept override {}
    core::BackendStatus load_encoder(const core::EncoderConfig&, const core::Weights&, const core::BackendOptions&,
                                     std::unique_ptr<core::BackendEncoder>&) noexcept override {
        return {-6, "trains only"};
    }
    core::BackendStatus load_decoder(const core::DecoderConfig&, const core::Weights&, const core::BackendOptions&,
                                     std::unique_ptr<core::BackendDecoder>&) noexcept override {
        return {-6, "trains only"};
    }
    core::BackendStatus train_encoder(const core::EncoderConfig& config, const core::Weights& weights,
                                      const core::TrainerOptions& given,
                                      std::unique_ptr<core::BackendTrainer>& out) noexcept override {
        options = given;
        out = std::make_unique<FakeTrainer>(config.hidden_size, config.outputs(), weights, given, faults);
        return {};
    }
    core::BackendStatus train_decoder(const core::DecoderConfig& config, const core::Weights& weights,
                                      const core::TrainerOptions& given,
                                      std::unique_ptr<core::BackendTrainer>& out) noexcept override {
        options = given;
        out = std::make_unique<FakeTrainer>(config.hidden_size, config.hidden_size, weights, given, faults);
        return {};
    }
};

}  // namespace rag::test
