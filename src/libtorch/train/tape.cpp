#include "libtorch/train/tape.hpp"

namespace rag::core::libtorch {
namespace {

class RecordedStep : public torch::autograd::Node {
  public:
    explicit RecordedStep(BackwardOfMany backward) : backward_(std::move(backward)) {}

    std::vector<at::Tensor> apply(std::vector<at::Tensor>&& gradients) override { return backward_(gradients); }
    void release_variables() override { backward_ = nullptr; }

  private:
    BackwardOfMany backward_;
};

}  // namespace

bool recorded(at::ArrayRef<at::Tensor> inputs) {
    return at::GradMode::is_enabled() &&
           std::any_of(inputs.begin(), inputs.end(), [](const at::Tensor& x) { return x.defined() && x.requires_grad(); });
}

at::Tensor record(at::Tensor out, at::ArrayRef<at::Tensor> inputs, Backward backward) {
    record_many({out}, inputs, [backward = std::move(backward)](const std::vector<at::Tensor>& gradients) {
        return backward(gradients.front());
    });
    return out;
}

void record_many(at::ArrayRef<at::Tensor> outs, at::ArrayRef<at::Tensor> inputs, BackwardOfMany backward) {
    if (recorded(inputs)) {
        const auto step = c10::make_intrusive<RecordedStep>(std::move(backward));
        step->set_next_edges(torch::autograd::collect_next_edges(inputs));
        for (const at::Tensor& out : outs) {
            torch::autograd::set_history(out, step);
        }
    }
}

void run_backward(const at::Tensor& out, const at::Tensor& gradient) {
    torch::autograd::backward({out}, {gradient});
}

at::Tensor recompute(const std::function<at::Tensor(const at::Tensor&)>& function, const at::Tensor& x) {
    if (!recorded({x})) {
        return function(x);
    }
    const at::Tensor input = x.detach();
    at::Tensor out;
    {
        const at::AutoGradMode off(false);
        out = function(input);
    }
    return record(std::move(out), {x}, [function, input](const at::Tensor& gradient) -> std::vector<at::Tensor> {
        const at::AutoGradMode on(true);
        const at::Tensor again = input.detach().requires_grad_(true);
        run_backward(function(again), gradient);
        return {again.grad()};
    });
}

}  // namespace rag::core::libtorch
