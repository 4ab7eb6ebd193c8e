#include "libtorch/layers/experts.hpp"

#include <numeric>

namespace rag::core::libtorch {
namespace {

// Softmax in place.
void normalize_exponentials(std::span<float> scores) {
    const float largest = *std::max_element(scores.begin(), scores.end());
    float total = 0.0F;
    for (float& score : scores) {
        score = std::exp(score - largest);
        total += score;
    }
    for (float& score : scores) {
        score /= total;
    }
}

}  // namespace

Experts::Experts(const std::shared_ptr<const WeightSource>& source, const std::string& router,
                 const std::vector<GatedMlpNames>& names, const ExpertsSpec& spec, Activation activation,
                 const PrecisionPlan& plan)
    : spec_(spec), router_(source, {{{router, spec.experts, 0}}, spec.hidden, false}, Precision::kFloat32) {
    for (const GatedMlpNames& expert : names) {
        experts_.emplace_back(source, expert, spec.hidden, spec.size, false, activation, plan);
    }
}

std::vector<Experts::Share> Experts::route(const at::Tensor& x) const {
    const at::Tensor scores = router_.run(x).cpu();  // [rows, experts]
    float* of_row = scores.mutable_data_ptr<float>();
    const auto experts = static_cast<std::size_t>(spec_.experts);
    std::vector<Share> shares(experts);
    std::vector<std::size_t> order(experts);
    for (std::int64_t row = 0; row < x.size(0); ++row, of_row += experts) {
        const std::span<float> weights(of_row, experts);
        normalize_exponentials(weights);
        std::iota(order.begin(), order.end(), std::size_t{0});
        const auto chosen = order.begin() + spec_.chosen;
        std::partial_sort(order.begin(), chosen, order.end(), [&](std::size_t a, std::size_t b) {
            return weights[a] > weights[b] || (weights[a] == weights[b] && a < b);
        });
        float total = 1.0F;
        if (spec_.normalize) {
            total = std::accumulate(order.begin(), chosen, 0.0F,
                                    [&](float sum, std::size_t expert) { return sum + weights[expert]; });
        }
        for (auto expert = order.begin(); expert != chosen; ++expert) {
            shares[*expert].rows.push_back(row);
            shares[*expert].weights.push_back(weights[*expert] / total);
        }
    }
    return shares;
}

at::Tensor Experts::gather(const at::Tensor& x, std::span<const std::int64_t> rows) {
    if (!x.is_cpu()) {
        return at::index_select(x, 0, indices_on(x.device(), rows));
    }
    const std::int64_t columns = x.size(1);
    at::Tensor out = at::empty({static_cast<std::int64_t>(rows.size()), columns}, at::kFloat);
    const float* from = x.const_data_ptr<float>();
    float* to = out.mutable_data_ptr<float>();
    for (const std::int64_t row : rows) {
        to = std::copy_n(from + row * columns, columns, to);
    }
    return out;
}

void Experts::add_weighted(const Share& share, const at::Tensor& results, at::Tensor& out) {
    if (!out.is_cpu()) {
        const at::Tensor weights = floats_on(out.device(), share.weights, {results.size(0), 1});
        out.index_add_(0, indices_on(out.device(), share.rows), results.mul(weights));
        return;
    }
    const std::int64_t columns = out.size(1);
    const float* from = results.const_data_ptr<float>();
    for (std::size_t i = 0; i < share.rows.size(); ++i, from += columns) {
        float* to = out.mutable_data_ptr<float>() + share.rows[i] * columns;
        for (std::int64_t c = 0; c < columns; ++c) {
            to[c] += share.weights[i] * from[c];
        }
    }
}

std::vector<Linear*> Experts::linears() {
    std::vector<Linear*> all{&router_};
    for (GatedMlp& expert : experts_) {
        for (Linear* linear : expert.linears()) {
            all.push_back(linear);
        }
    }
    return all;
}

std::uint64_t Experts::size_bytes() const {
    std::uint64_t total = router_.packed().size_bytes();
    for (const GatedMlp& expert : experts_) {
        total += expert.size_bytes();
    }
    return total;
}

}  // namespace rag::core::libtorch
