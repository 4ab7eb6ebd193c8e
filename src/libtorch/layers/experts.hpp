// A mixture of experts in the place of a feed-forward part (Shazeer et al. 2017, https://arxiv.org/abs/1701.06538; as in Mixtral,
// https://arxiv.org/abs/2401.04088): the router gives every row a softmax over the experts, the likeliest few compute it, and
// their results are added with its weights. Rows are gathered by expert, and an expert that no row chose computes nothing. The
// router is float32 in every precision: it is small, and a rounded one sends rows to other experts. In and out: [rows, hidden]
// float32. Thread rule: run() on the model's worker.
#pragma once

#include "libtorch/layers/gated_mlp.hpp"

namespace rag::core::libtorch {

struct ExpertsSpec {
    std::int64_t experts = 0;
    std::int64_t chosen = 0;  // experts that compute a row
    std::int64_t hidden = 0;
    std::int64_t size = 0;   // of an expert
    bool normalize = false;  // the weights of the chosen ones are made to add up to 1
};

class Experts {
  public:
    Experts() = default;
    /// `router`: module name of the [experts, hidden] matrix; `names` of every expert.
    Experts(const std::shared_ptr<const WeightSource>& source, const std::string& router, const std::vector<GatedMlpNames>& names,
            const ExpertsSpec& spec, Activation activation, const PrecisionPlan& plan);

    /// apply(linear, x, rows): the product for the rows of the pass that `rows` numbers, which x holds in that order.
    template <typename Apply>
    at::Tensor run(const at::Tensor& x, Apply&& apply) const {
        at::Tensor out = at::zeros(x.sizes(), x.options());
        const std::vector<Share> shares = route(x);
        for (std::size_t expert = 0; expert < shares.size(); ++expert) {
            const Share& share = shares[expert];
            if (share.rows.empty()) {
                continue;
            }
            const auto apply_rows = [&](const Linear& linear, const at::Tensor& in) { return apply(linear, in, share.rows); };
            add_weighted(share, experts_[expert].run(gather(x, share.rows), apply_rows), out);
        }
        return out;
    }

    std::vector<Linear*> linears();
    std::uint64_t size_bytes() const;

  private:
    // The rows that one expert computes.
    struct Share {
        std::vector<std::int64_t> rows;
        std::vector<float> weights;
    };
    std::vector<Share> route(const at::Tensor& x) const;
    static at::Tensor gather(const at::Tensor& x, std::span<const std::int64_t> rows);
    static void add_weighted(const Share& share, const at::Tensor& results, at::Tensor& out);

    ExpertsSpec spec_;
    Linear router_;
    std::vector<GatedMlp> experts_;
};

}  // namespace rag::core::libtorch
