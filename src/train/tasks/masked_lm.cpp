// Filling in tokens (Devlin et al. 2018, https://arxiv.org/abs/1810.04805): of a text's tokens mask_ratio are asked for; of those
// 80 in 100 are replaced by the mask, 10 by any token, 10 stay. Drawn anew in each step, for held-out rows always the same. Long
// texts are cut into windows. Metrics: loss, perplexity, accuracy of the tokens asked for.
#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "train/random.hpp"
#include "train/row_texts.hpp"
#include "train/tasks/token_pass.hpp"

namespace rag::core {
namespace {

struct Window {
    std::vector<std::int32_t> ids;  // special tokens included
    std::uint64_t line = 0;
};

class MaskedLm : public Task {
  public:
    explicit MaskedLm(const TaskInput& input) : input_(input) {
        const Tokenizer& tokenizer = *input.model.tokenizer();
        const std::optional<std::int32_t> mask = tokenizer.token_to_id(tokenizer.special_token("mask_token"));
        if (!mask)
            fail(Code::kInvalidArgument, "the tokenizer of {} has no mask_token", quote(input.model.source().string(), 400));
        mask_ = *mask;
        train_ = read(input.train, &notes_);
        if (input.eval != nullptr) eval_ = read(*input.eval, &eval_notes_);
        for (const Window& window : train_) lengths_.push_back(static_cast<std::uint32_t>(window.ids.size()));
    }
    std::span<const std::uint32_t> lengths() const override { return lengths_; }
    std::uint64_t line(std::uint32_t example) const override { return train_[example].line; }
    std::string main_metric() const override { return "eval_loss"; }

    double add_gradients(std::span<const std::vector<std::uint32_t>> batches, const StepContext& context) override {
        std::vector<const Window*> windows;
        for (const auto& batch : batches) {
            for (const std::uint32_t example : batch) windows.push_back(&train_[example]);
        }
        const TokenLoss sum = run(windows, true, context);
        return sum.cross_entropy / static_cast<double>(std::max<std::int64_t>(sum.count, 1));
    }

    Metrics evaluate(const std::function<bool()>& stop) override {
        if (eval_.empty()) return {};
        std::vector<const Window*> windows;
        for (const Window& window : eval_) windows.push_back(&window);
        const TokenLoss sum = run(windows, false, {input_.config.seed, stop});
        const auto count = static_cast<double>(std::max<std::int64_t>(sum.count, 1));
        return {{"eval_loss", sum.cross_entropy / count},
                {"perplexity", std::exp(sum.cross_entropy / count)},
                {"accuracy", static_cast<double>(sum.right) / count}};
    }

  private:
    struct Masked {
        std::vector<std::int32_t> ids, targets;
        std::int64_t asked = 0;
    };

    Masked mask(const Window& window, const CounterRandom& random) const {
        const auto vocab = static_cast<std::uint64_t>(input_.model.tokenizer()->id_limit());
        Masked out{window.ids, std::vector<std::int32_t>(window.ids.size(), -1), 0};
        std::size_t fallback = window.ids.size();
        const auto ask = [&](std::size_t i) {
            out.targets[i] = window.ids[i];
            ++out.asked;
            const double kind = random.uniform(4 * i + 1);
            if (kind < 0.8) out.ids[i] = mask_;
            if (kind >= 0.9) out.ids[i] = static_cast<std::int32_t>(random.below(4 * i + 2, vocab));
        };
        double least = 2.0;
        for (std::size_t i = 0; i < window.ids.size(); ++i) {
            if (input_.model.tokenizer()->is_special(window.ids[i])) continue;
            const double draw = random.uniform(4 * i);
            if (draw < input_.config.mask_ratio) ask(i);
            if (draw < least) {
                least = draw;
                fallback = i;
            }
        }
        // A short text of which nothing was drawn is asked for one token: else it would teach nothing.
        if (out.asked == 0 && fallback < window.ids.size()) ask(fallback);
        return out;
    }

    TokenLoss run(const std::vector<const Window*>& windows, bool training, const StepContext& context) {
        std::vector<Masked> masked;
        std::int64_t asked = 0;
        for (std::size_t i = 0; i < windows.size(); ++i) {
            masked.push_back(mask(*windows[i], CounterRandom(context.seed, 2 * std::uint64_t{i})));
            asked += masked.back().asked;
        }
        std::vector<TokenPart> parts;
        for (const Masked& one : masked) parts.push_back({one.ids, one.targets});
        const double scale = 1.0 / static_cast<double>(std::max<std::int64_t>(asked, 1));
        return run_token_passes(input_, parts, {scale, training, context.stop},
                                [&](std::uint64_t pass) { return CounterRandom(context.seed, 2 * pass + 1).bits(0); });
    }

    std::vector<Window> read(const TrainingRows& rows, RowNotes* notes) const {
        const Tokenizer& tokenizer = *input_.model.tokenizer();
        std::vector<std::int32_t> empty;
        tokenizer.encode_ids("", true, empty);
        const auto limit = static_cast<std::size_t>(RowTexts::limit(input_));
        if (limit <= empty.size())
            fail(Code::kInvalidArgument, "max_tokens {} leave no room beside {} special tokens", limit, empty.size());
        const std::size_t room = limit - empty.size();
        // [CLS] in front, [SEP] behind; a tokenizer that has but one puts it in front.
        const std::size_t front = empty.size() - empty.size() / 2;
        std::vector<Window> out;
        for (const TrainingRow& row : rows.rows) {
            std::vector<std::int32_t> ids;
            tokenizer.encode_ids(row.text, false, ids);
            if (ids.empty()) RowTexts::note_skipped(notes, row, "a text without a token");
            for (std::size_t begin = 0; begin < ids.size(); begin += room) {
                const auto first = ids.begin() + static_cast<std::ptrdiff_t>(begin);
                const auto last = ids.begin() + static_cast<std::ptrdiff_t>(std::min(begin + room, ids.size()));
                Window window;
                window.line = row.line;
                window.ids.assign(empty.begin(), empty.begin() + static_cast<std::ptrdiff_t>(front));
                window.ids.insert(window.ids.end(), first, last);
                window.ids.insert(window.ids.end(), empty.begin() + static_cast<std::ptrdiff_t>(front), empty.end());
                out.push_back(std::move(window));
            }
        }
        return out;
    }

    TaskInput input_;
    std::int32_t mask_ = 0;
    std::vector<Window> train_, eval_;
    std::vector<std::uint32_t> lengths_;
};

}  // namespace

std::unique_ptr<Task> make_masked_lm(const TaskInput& input) {
    return std::make_unique<MaskedLm>(input);
}

}  // namespace rag::core
