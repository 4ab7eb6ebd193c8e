// Distillation: a student learns what a teacher says. Encoders: the mean squared difference of their vectors (as
// sentence-transformers' MSELoss), the teacher's computed once. Decoders: temperature^2 * KL(teacher || student) of the next
// token's distribution beside the cross entropy of the data's own tokens, weighted by hard_weight (Hinton, Vinyals and Dean 2015,
// https://arxiv.org/abs/1503.02531). Metrics: loss; of encoders the mean cosine to the teacher, of decoders perplexity.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.hpp"
#include "model/decoder.hpp"
#include "model/encoder.hpp"
#include "model/host_call.hpp"
#include "train/losses/losses.hpp"
#include "train/random.hpp"
#include "train/row_texts.hpp"
#include "train/tasks/token_examples.hpp"
#include "train/tasks/token_pass.hpp"
#include "train/vector_pass.hpp"

namespace rag::core {
namespace {

constexpr std::uint64_t kMaxTeacherBytes = std::uint64_t{8} << 30;  // of vectors that are kept

/// The teacher computes its products as the student does.
ModelOptions teacher_options(const TrainerConfig& config, Backend* backend) {
    ModelOptions options;
    options.precision = read_precision(config.dtype);
    options.device = config.device;
    options.threads = static_cast<unsigned>(config.threads);
    options.backend = backend;
    return options;
}

class DistillEncoder : public Task {
  public:
    DistillEncoder(const TaskInput& input, Backend* backend)
        : input_(input), width_(static_cast<std::size_t>(input.model.encoder().config.outputs())) {
        const auto teacher = Encoder::open(input.config.teacher, teacher_options(input.config, backend));
        if (static_cast<std::size_t>(teacher->dimension()) != width_)
            fail(Code::kInvalidArgument, "the teacher's vectors have {} dimensions, the student's {}", teacher->dimension(),
                 width_);
        train_ = read(input.train, &notes_, *teacher);
        if (input.eval != nullptr) eval_ = read(*input.eval, &eval_notes_, *teacher);
    }
    std::span<const std::uint32_t> lengths() const override { return train_.lengths; }
    std::uint64_t line(std::uint32_t example) const override { return train_.lines[example]; }
    std::string main_metric() const override { return "eval_loss"; }

    double add_gradients(std::span<const std::vector<std::uint32_t>> batches, const StepContext& context) override {
        TextList texts;
        std::vector<float> targets;
        for (const auto& batch : batches) {
            for (const std::uint32_t example : batch) {
                texts.push_back(&train_.texts[example]);
                const auto row = train_.vectors.begin() + static_cast<std::ptrdiff_t>(example * width_);
                targets.insert(targets.end(), row, row + static_cast<std::ptrdiff_t>(width_));
            }
        }
        const double scale = 1.0 / static_cast<double>(targets.size());
        return train_on_parts(pass(context.seed, context.stop), texts, [&](std::size_t first, auto outputs, auto gradient) {
            return normalized_error(outputs, std::span(targets).subspan(first * width_, outputs.size()), scale, gradient);
        });
    }

    Metrics evaluate(const std::function<bool()>& stop) override {
        if (eval_.texts.empty()) return {};
        TextList texts;
        for (const TokenText& text : eval_.texts) texts.push_back(&text);
        std::vector<float> outputs = compute_vectors(pass(0, stop), texts);
        std::vector<float> unused(outputs.size());
        const double loss = normalized_error(outputs, eval_.vectors, 1.0 / static_cast<double>(outputs.size()), unused);
        double cosine = 0.0;
        for (std::size_t i = 0; i < texts.size(); ++i) {
            double product = 0.0, one = 0.0, other = 0.0;
            for (std::size_t k = i * width_; k < (i + 1) * width_; ++k) {
                product += static_cast<double>(outputs[k]) * eval_.vectors[k];
                one += static_cast<double>(outputs[k]) * outputs[k];
                other += static_cast<double>(eval_.vectors[k]) * eval_.vectors[k];
            }
            cosine += product / std::max(std::sqrt(one * other), 1e-12);
        }
        return {{"eval_loss", loss}, {"cosine", cosine / static_cast<double>(texts.size())}};
    }

  private:
    struct Texts {
        std::vector<TokenText> texts;
        std::vector<float> vectors;  // the teacher's, [texts, width]
        std::vector<std::uint64_t> lines;
        std::vector<std::uint32_t> lengths;
    };
    VectorPass pass(std::uint64_t seed, const std::function<bool()>& stop) const {
        return {input_.model.trainer(), width_, input_.config.micro_tokens, seed, stop};
    }

    /// The difference of what the folder gives out: where it normalises, of vectors of length 1, which the teacher's are then.
    double normalized_error(std::span<const float> outputs, std::span<const float> targets, double scale,
                            std::span<float> gradient) const {
        if (!input_.model.encoder().normalize) return squared_error(outputs, targets, scale, gradient);
        std::vector<float> unit(outputs.begin(), outputs.end()), by_unit(outputs.size());
        std::vector<double> lengths;
        for (std::size_t begin = 0; begin < unit.size(); begin += width_) {
            double sum = 0.0;
            for (std::size_t k = 0; k < width_; ++k) sum += static_cast<double>(unit[begin + k]) * unit[begin + k];
            lengths.push_back(std::max(std::sqrt(sum), 1e-12));
            for (std::size_t k = 0; k < width_; ++k) unit[begin + k] = static_cast<float>(unit[begin + k] / lengths.back());
        }
        const double loss = squared_error(unit, targets, scale, by_unit);
        for (std::size_t i = 0; i < lengths.size(); ++i) {
            double along = 0.0;
            for (std::size_t k = i * width_; k < (i + 1) * width_; ++k) along += static_cast<double>(by_unit[k]) * unit[k];
            for (std::size_t k = i * width_; k < (i + 1) * width_; ++k)
                gradient[k] += static_cast<float>((by_unit[k] - along * unit[k]) / lengths[i]);
        }
        return loss;
    }

    Texts read(const TrainingRows& rows, RowNotes* notes, const Encoder& teacher) const {
        Texts out;
        RowTexts reader(input_, rows, notes);
        std::vector<std::string_view> views;
        for (const TrainingRow& row : rows.rows) {
            if (row.kind == RowKind::kChat)
                fail(Code::kInvalidArgument, "{}: conversations are for decoders; an encoder is distilled on texts",
                     quote(rows.source, 400));
            std::optional<TokenText> text = reader.encode(row, row.text);
            if (!text) continue;
            out.lengths.push_back(static_cast<std::uint32_t>(text->ids.size()));
            out.texts.push_back(*std::move(text));
            out.lines.push_back(row.line);
            views.push_back(row.text);
        }
        const std::uint64_t bytes = views.size() * width_ * sizeof(float);
        if (bytes > kMaxTeacherBytes)
            fail(Code::kInvalidArgument, "the teacher's vectors of {} texts take {} bytes, at most {} are kept", views.size(),
                 bytes, kMaxTeacherBytes);
        out.vectors.resize(views.size() * width_);
        const Progress go_on = [this](std::uint64_t, std::uint64_t) { return !input_.stop || !input_.stop(); };
        teacher.encode(views, out.vectors, input_.model.encoder().normalize, 0, go_on,
                       {EncoderPrompt::Kind::kText, std::string()});
        return out;
    }

    TaskInput input_;
    std::size_t width_;
    Texts train_, eval_;
};

class DistillDecoder : public Task {
  public:
    DistillDecoder(const TaskInput& input, Backend* backend)
        : input_(input), teacher_(Decoder::open(input.config.teacher, teacher_options(input.config, backend))) {
        const std::int64_t vocab = input.model.decoder().config.vocab_size;
        if (teacher_->vocab_size() != vocab)
            fail(Code::kInvalidArgument, "the teacher has {} tokens, the student {}: they must share a tokenizer",
                 teacher_->vocab_size(), vocab);
        train_ = read_token_examples(input_, input.train, &notes_);
        if (input.eval != nullptr) eval_ = read_token_examples(input_, *input.eval, &eval_notes_);
        for (const TokenExample& example : train_) lengths_.push_back(static_cast<std::uint32_t>(example.ids.size()));
    }
    std::span<const std::uint32_t> lengths() const override { return lengths_; }
    std::uint64_t line(std::uint32_t example) const override { return train_[example].line; }
    std::string main_metric() const override { return "eval_loss"; }

    double add_gradients(std::span<const std::vector<std::uint32_t>> batches, const StepContext& context) override {
        const ChosenExamples chosen = choose_examples(train_, batches);
        return mean_loss(run(chosen.examples, 1.0 / static_cast<double>(chosen.asked), true, context));
    }

    Metrics evaluate(const std::function<bool()>& stop) override {
        if (eval_.empty()) return {};
        const TokenLoss sum = run(every_example(eval_), 1.0, false, {0, stop});
        return {{"eval_loss", mean_loss(sum)},
                {"perplexity", std::exp(sum.cross_entropy / static_cast<double>(sum.count))},
                {"accuracy", static_cast<double>(sum.right) / static_cast<double>(sum.count)}};
    }

  private:
    double mean_loss(const TokenLoss& sum) const {
        const double hard = input_.config.hard_weight;
        return (hard * sum.cross_entropy + (1.0 - hard) * sum.teacher) / static_cast<double>(sum.count);
    }

    /// The teacher's logits for the positions that `example` asks, behind `out`.
    void ask_teacher(const TokenExample& example, const std::function<bool()>& stop, std::vector<float>& out) const {
        const auto vocab = static_cast<std::size_t>(teacher_->vocab_size());
        std::vector<float> all(example.ids.size() * vocab);
        teacher_->new_session()->forward(example.ids, all, stop);
        for (std::size_t i = 0; i < example.targets.size(); ++i) {
            if (example.targets[i] < 0) continue;
            const auto row = all.begin() + static_cast<std::ptrdiff_t>(i * vocab);
            out.insert(out.end(), row, row + static_cast<std::ptrdiff_t>(vocab));
        }
    }

    /// One example a pass: logits of a whole vocabulary are large.
    TokenLoss run(const std::vector<const TokenExample*>& examples, double scale, bool training, const StepContext& context) {
        TokenLoss sum;
        for (std::size_t i = 0; i < examples.size(); ++i) {
            std::vector<float> logits;
            ask_teacher(*examples[i], context.stop, logits);
            PackedTexts packed;
            packed.add(examples[i]->ids);
            const TokenTargets targets = {examples[i]->targets, logits, static_cast<float>(input_.config.temperature),
                                          static_cast<float>(1.0 - input_.config.hard_weight)};
            const std::uint64_t seed = CounterRandom(context.seed, std::uint64_t{i}).bits(0);
            add_loss(run_token_pass(input_, packed, targets, {scale, training, context.stop}, seed), sum);
        }
        return sum;
    }

    TaskInput input_;
    std::shared_ptr<Decoder> teacher_;
    std::vector<TokenExample> train_, eval_;
    std::vector<std::uint32_t> lengths_;
};

}  // namespace

std::unique_ptr<Task> make_distill(const TaskInput& input, Backend* backend) {
    if (input.config.teacher.empty())
        fail(Code::kInvalidArgument, "distill needs a teacher: the folder or file of the model to learn from");
    if (input.model.is_encoder()) return std::make_unique<DistillEncoder>(input, backend);
    return std::make_unique<DistillDecoder>(input, backend);
}

}  // namespace rag::core
