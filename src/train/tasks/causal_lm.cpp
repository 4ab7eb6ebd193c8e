// The next token: conversations (loss on answers only) and plain texts (continued pre-training). Short examples lie end to end in
// one pass without seeing each other. Metrics: loss, perplexity, accuracy of the next token.
#include <cmath>

#include "core/error.hpp"
#include "model/host_call.hpp"
#include "train/random.hpp"
#include "train/tasks/token_examples.hpp"
#include "train/token_text.hpp"

namespace rag::core {
namespace {

class CausalLm : public Task {
  public:
    explicit CausalLm(const TaskInput& input) : input_(input), train_(read_token_examples(input, input.train, &notes_)) {
        if (input.eval != nullptr) eval_ = read_token_examples(input, *input.eval, nullptr);
        for (const TokenExample& example : train_) lengths_.push_back(static_cast<std::uint32_t>(example.ids.size()));
    }
    std::span<const std::uint32_t> lengths() const override { return lengths_; }
    std::uint64_t line(std::uint32_t example) const override { return train_[example].line; }
    std::string main_metric() const override { return "eval_loss"; }

    double add_gradients(std::span<const std::vector<std::uint32_t>> batches, const StepContext& context) override {
        std::vector<const TokenExample*> examples;
        std::uint64_t asked = 0;
        for (const auto& batch : batches) {
            for (const std::uint32_t number : batch) {
                examples.push_back(&train_[number]);
                asked += train_[number].asked;
            }
        }
        const TokenLoss sum = run(examples, 1.0 / static_cast<double>(asked), true, context);
        return sum.cross_entropy / static_cast<double>(sum.count);
    }

    Metrics evaluate(const std::function<bool()>& stop) override {
        if (eval_.empty()) return {};
        std::vector<const TokenExample*> examples;
        for (const TokenExample& example : eval_) examples.push_back(&example);
        const TokenLoss sum = run(examples, 1.0, false, {0, stop});
        const auto count = static_cast<double>(sum.count);
        return {{"eval_loss", sum.cross_entropy / count},
                {"perplexity", std::exp(sum.cross_entropy / count)},
                {"accuracy", static_cast<double>(sum.right) / count}};
    }

  private:
    TokenLoss run(const std::vector<const TokenExample*>& examples, double scale, bool training, const StepContext& context) {
        TokenLoss sum;
        std::uint64_t part = 0;
        for (std::size_t begin = 0; begin < examples.size();) {
            PackedTexts packed;
            std::vector<std::int32_t> targets;
            std::size_t end = begin;
            while (end < examples.size() &&
                   (end == begin || packed.tokens() + examples[end]->ids.size() <= input_.config.micro_tokens)) {
                packed.add(examples[end]->ids);
                targets.insert(targets.end(), examples[end]->targets.begin(), examples[end]->targets.end());
                ++end;
            }
            TokenLoss loss;
            StopCheck stop(context.stop);
            const std::uint64_t seed = CounterRandom(context.seed, part++).bits(0);
            stop.finish(input_.model.trainer().token_loss(packed.view(), {targets, {}, 1.0F, 0.0F}, scale,
                                                          {training, training, seed}, loss, stop.call()));
            sum.cross_entropy += loss.cross_entropy;
            sum.count += loss.count;
            sum.right += loss.right;
            begin = end;
        }
        return sum;
    }

    TaskInput input_;
    std::vector<TokenExample> train_, eval_;
    std::vector<std::uint32_t> lengths_;
};

}  // namespace

std::unique_ptr<Task> make_causal_lm(const TaskInput& input) {
    return std::make_unique<CausalLm>(input);
}

}  // namespace rag::core
