#include "libtorch/losses/token_loss.hpp"

#include "libtorch/train/trained_layers.hpp"

namespace rag::core::libtorch {
namespace {

constexpr std::int64_t kRowGrain = 32;
constexpr std::int64_t kChunkLogits = std::int64_t{1} << 23;  // of which three copies exist: 80 MiB at a time

// The losses of a chunk's logits and their gradient by the logits, in float32 and in place.
class ChunkLoss {
  public:
    ChunkLoss(at::Tensor targets, const TokenTargets& options) : targets_(std::move(targets)), options_(options) {}

    /// Plain cross entropy; its gradient times `weight`.
    void hard(const at::Tensor& logits, double weight, at::Tensor* gradient, TokenLoss& loss) const {
        at::Tensor log_shares = at::empty(logits.sizes(), at::kFloat);
        at::_log_softmax_out(log_shares, logits, 1, false);
        const at::Tensor column = targets_.unsqueeze(1);
        loss.cross_entropy -= log_shares.gather(1, column).sum(at::kDouble).item<double>();
        loss.right += log_shares.argmax(1).eq(targets_).sum().item<std::int64_t>();
        if (gradient != nullptr) {
            log_shares.exp_().scatter_add_(1, column, at::full(column.sizes(), -1.0, at::kFloat));
            *gradient = weight == 1.0 ? log_shares : log_shares.mul_(weight);
        }
    }

    /// temperature^2 * KL(teacher || student).
    void soft(const at::Tensor& logits, const at::Tensor& teacher, at::Tensor* gradient, TokenLoss& loss) const {
        const double temperature = options_.temperature;
        const at::Tensor student = at::log_softmax(logits.div(temperature), 1);
        const at::Tensor wanted = at::log_softmax(teacher.div(temperature), 1);
        const at::Tensor shares = wanted.exp();
        loss.teacher += temperature * temperature * shares.mul(wanted.sub(student)).sum(at::kDouble).item<double>();
        if (gradient != nullptr) {
            gradient->add_(student.exp().sub_(shares), options_.teacher_weight * temperature);
        }
    }

  private:
    const at::Tensor targets_;
    const TokenTargets& options_;
};

// Of the first `count` rows.
at::Tensor output_logits(const OutputLayer& output, const at::Tensor& hidden, std::int64_t count, at::Tensor& capped) {
    const at::Tensor weight = output.weight->computed();
    at::Tensor narrow = at::empty({hidden.size(0), weight.size(0)}, weight.scalar_type());
    at::mm_out(narrow, hidden, weight.t());
    at::Tensor logits = at::empty({count, weight.size(0)}, at::kFloat);
    logits.copy_(narrow.narrow(0, 0, count));
    if (output.bias != nullptr) {
        logits.add_(output.bias->value());
    }
    if (output.softcap > 0.0) {
        capped = logits.div(output.softcap).tanh();
        logits = capped.mul(output.softcap);
    }
    return logits;
}

}  // namespace

at::Tensor token_loss(const OutputLayer& output, const at::Tensor& hidden, std::span<const std::int64_t> targets,
                      const TokenTargets& options, double scale, bool train, TokenLoss& loss) {
    const at::AutoGradMode off(false);
    const std::int64_t rows = hidden.size(0);
    const std::int64_t vocab = output.weight->computed().size(0);
    // Products have a number of rows that was there before: oneDNN makes a program for each.
    const std::int64_t step = std::max<std::int64_t>(1, kChunkLogits / vocab / kRowGrain) * kRowGrain;
    const at::Tensor wanted = index_tensor(targets);
    at::Tensor result = train ? at::empty({rows, hidden.size(1)}, at::kFloat) : at::Tensor();
    for (std::int64_t begin = 0; begin < rows; begin += step) {
        const std::int64_t count = std::min(step, rows - begin);
        const std::int64_t padded = (count + kRowGrain - 1) / kRowGrain * kRowGrain;
        at::Tensor inputs = at::empty({padded, hidden.size(1)}, output.weight->computed().scalar_type());
        inputs.narrow(0, 0, count).copy_(hidden.narrow(0, begin, count));
        inputs.narrow(0, count, padded - count).zero_();
        at::Tensor capped;
        const at::Tensor logits = output_logits(output, inputs, count, capped);
        at::Tensor gradient;
        const ChunkLoss chunk(wanted.narrow(0, begin, count), options);
        const double hard = options.teacher.empty() ? 1.0 : 1.0 - static_cast<double>(options.teacher_weight);
        chunk.hard(logits, hard, train ? &gradient : nullptr, loss);
        if (!options.teacher.empty()) {
            // from_blob takes a mutable pointer; nothing writes to it.
            auto* of_chunk = const_cast<float*>(options.teacher.data() + begin * vocab);
            chunk.soft(logits, at::from_blob(of_chunk, {count, vocab}, at::kFloat), train ? &gradient : nullptr, loss);
        }
        if (!train) {
            continue;
        }
        if (capped.defined()) {
            gradient.mul_(capped.square_().neg_().add_(1.0));
        }
        gradient.mul_(scale);
        if (output.bias != nullptr && output.bias->trained()) {
            output.bias->add_gradient(gradient.sum(0));
        }
        at::Tensor narrow = at::empty({padded, vocab}, inputs.scalar_type());
        narrow.narrow(0, 0, count).copy_(gradient);
        narrow.narrow(0, count, padded - count).zero_();
        result.narrow(0, begin, count).copy_(narrow.mm(output.weight->computed()).narrow(0, 0, count));
        if (output.weight->trained()) {
            output.weight->add_gradient(narrow.t().mm(inputs));
        }
    }
    loss.count += rows;
    return result;
}

}  // namespace rag::core::libtorch
