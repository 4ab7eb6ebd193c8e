// Classification: a text, or a pair, and its label. Cross entropy of the softmax over the family's own head. Metrics: accuracy,
// macro F1, loss.
#include <algorithm>
#include <map>

#include "core/error.hpp"
#include "evaluate/labels.hpp"
#include "train/losses/losses.hpp"
#include "train/row_texts.hpp"
#include "train/vector_pass.hpp"

namespace rag::core {
namespace {

struct Labelled {
    std::vector<TokenText> texts;
    std::vector<std::uint32_t> labels;
    std::vector<std::uint64_t> lines;
    std::vector<std::uint32_t> lengths;
};

class Classification : public Task {
  public:
    explicit Classification(const TaskInput& input)
        : input_(input), width_(input.model.encoder().labels.size()), train_(read(input.train, &notes_)) {
        if (input.eval != nullptr) eval_ = read(*input.eval, &eval_notes_);
    }
    std::span<const std::uint32_t> lengths() const override { return train_.lengths; }
    std::uint64_t line(std::uint32_t example) const override { return train_.lines[example]; }
    std::string main_metric() const override { return "accuracy"; }

    double add_gradients(std::span<const std::vector<std::uint32_t>> batches, const StepContext& context) override {
        TextList texts;
        std::vector<std::uint32_t> labels;
        for (const auto& batch : batches) {
            for (const std::uint32_t example : batch) {
                texts.push_back(&train_.texts[example]);
                labels.push_back(train_.labels[example]);
            }
        }
        const double scale = 1.0 / static_cast<double>(texts.size());
        const auto loss = [&](std::size_t first, std::span<const float> scores, std::span<float> gradient) {
            return softmax_cross_entropy(scores, std::span(labels).subspan(first, scores.size() / width_), scale, gradient);
        };
        return train_on_parts(pass(context.seed, context.stop), texts, loss);
    }

    Metrics evaluate(const std::function<bool()>& stop) override {
        if (eval_.texts.empty()) return {};
        TextList texts;
        for (const TokenText& text : eval_.texts) texts.push_back(&text);
        const std::vector<float> scores = compute_vectors(pass(0, stop), texts);
        std::vector<float> unused(scores.size());
        std::vector<std::uint32_t> predicted(texts.size());
        for (std::size_t i = 0; i < texts.size(); ++i) {
            const auto row = scores.begin() + static_cast<std::ptrdiff_t>(i * width_);
            predicted[i] = static_cast<std::uint32_t>(std::max_element(row, row + static_cast<std::ptrdiff_t>(width_)) - row);
        }
        const double loss = softmax_cross_entropy(scores, eval_.labels, 1.0 / static_cast<double>(texts.size()), unused);
        const LabelReport report = evaluate_labels(eval_.labels, predicted, static_cast<std::uint32_t>(width_));
        return {{"eval_loss", loss}, {"accuracy", report.accuracy}, {"macro_f1", report.macro_f1}};
    }

  private:
    VectorPass pass(std::uint64_t seed, const std::function<bool()>& stop) const {
        return {input_.model.trainer(), width_, input_.config.micro_tokens, seed, stop};
    }

    Labelled read(const TrainingRows& rows, RowNotes* notes) const {
        std::map<std::string, std::uint32_t> numbers;
        for (const std::string& label : input_.model.encoder().labels)
            numbers.emplace(label, static_cast<std::uint32_t>(numbers.size()));
        RowTexts reader(input_, rows, notes);
        Labelled out;
        for (const TrainingRow& row : rows.rows) {
            const auto label = numbers.find(row.label);
            if (label == numbers.end())
                fail(Code::kInvalidArgument, "{}, line {}: the label {} is none of the {} that are trained",
                     quote(rows.source, 400), row.line, quote(row.label), numbers.size());
            std::optional<TokenText> text =
                row.pair.empty() ? reader.encode(row, row.text) : reader.encode_pair(row, row.text, row.pair);
            if (!text) continue;
            out.lengths.push_back(static_cast<std::uint32_t>(text->ids.size()));
            out.texts.push_back(*std::move(text));
            out.labels.push_back(label->second);
            out.lines.push_back(row.line);
        }
        return out;
    }

    TaskInput input_;
    std::size_t width_;
    Labelled train_, eval_;
};

}  // namespace

std::unique_ptr<Task> make_classification(const TaskInput& input) {
    return std::make_unique<Classification>(input);
}

}  // namespace rag::core
