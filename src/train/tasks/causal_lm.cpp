// The next token: conversations (loss on answers only) and plain texts (continued pre-training). Short examples lie end to end in
// one pass without seeing each other. Metrics: loss, perplexity, accuracy of the next token.
#include <cmath>

#include "train/random.hpp"
#include "train/tasks/token_examples.hpp"
#include "train/tasks/token_pass.hpp"

namespace rag::core {
namespace {

class CausalLm : public Task {
  public:
    explicit CausalLm(const TaskInput& input) : input_(input), train_(read_token_examples(input, input.train, &notes_)) {
        if (input.eval != nullptr) eval_ = read_token_examples(input, *input.eval, &eval_notes_);
        for (const TokenExample& example : train_) lengths_.push_back(static_cast<std::uint32_t>(example.ids.size()));
    }
    std::span<const std::uint32_t> lengths() const override { return lengths_; }
    std::uint64_t line(std::uint32_t example) const override { return train_[example].line; }
    std::string main_metric() const override { return "eval_loss"; }

    double add_gradients(std::span<const std::vector<std::uint32_t>> batches, const StepContext& context) override {
        const ChosenExamples chosen = choose_examples(train_, batches);
        const TokenLoss sum = run(chosen.examples, 1.0 / static_cast<double>(chosen.asked), true, context);
        return sum.cross_entropy / static_cast<double>(sum.count);
    }

    Metrics evaluate(const std::function<bool()>& stop) override {
        if (eval_.empty()) return {};
        const TokenLoss sum = run(every_example(eval_), 1.0, false, {0, stop});
        const auto count = static_cast<double>(sum.count);
        return {{"eval_loss", sum.cross_entropy / count},
                {"perplexity", std::exp(sum.cross_entropy / count)},
                {"accuracy", static_cast<double>(sum.right) / count}};
    }

  private:
    TokenLoss run(const std::vector<const TokenExample*>& examples, double scale, bool training, const StepContext& context) {
        std::vector<TokenPart> parts;
        for (const TokenExample* example : examples) parts.push_back({example->ids, example->targets});
        return run_token_passes(input_, parts, {scale, training, context.stop},
                                [&](std::uint64_t pass) { return CounterRandom(context.seed, pass).bits(0); });
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
