// Losses over few numbers: values worked out by hand or by torch, gradients against differences, and that what is given is added.
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <vector>

#include "train/losses/losses.hpp"
#include "train/random.hpp"

using namespace rag::core;

namespace {

std::vector<float> random_floats(std::size_t count, std::uint64_t stream) {
    std::vector<float> out(count);
    const CounterRandom random(7, stream);
    for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<float>(random.normal(i));
    return out;
}

/// `gradient` against central differences of `loss` by each of `values`.
void check_gradient(std::vector<float>& values, const std::vector<float>& gradient, const std::function<double()>& loss) {
    for (std::size_t i = 0; i < values.size(); ++i) {
        const float before = values[i];
        const float h = 1e-2F;
        values[i] = before + h;
        const double above = loss();
        values[i] = before - h;
        const double below = loss();
        values[i] = before;
        INFO(i);
        CHECK(gradient[i] == Approx((above - below) / (2.0 * h)).epsilon(0.01).margin(2e-3));
    }
}

}  // namespace

TEST_CASE("cross entropy of softmax: its value, its gradient, no overflow") {
    std::vector<float> scores = {1.0F, 2.0F, 3.0F, 0.5F, -1.0F, 4.0F};
    const std::vector<std::uint32_t> labels = {2, 0};
    std::vector<float> gradient(6);
    // torch.nn.functional.cross_entropy(..., reduction="sum")
    CHECK(softmax_cross_entropy(scores, labels, 1.0, gradient) == Approx(3.9438755).epsilon(1e-6));
    check_gradient(scores, gradient, [&] {
        std::vector<float> unused(6);
        return softmax_cross_entropy(scores, labels, 1.0, unused);
    });
    const std::vector<float> once = gradient;
    softmax_cross_entropy(scores, labels, 0.5, gradient);
    for (std::size_t i = 0; i < 6; ++i) CHECK(gradient[i] == Approx(1.5 * once[i]));
    std::vector<float> huge = {3e38F, -3e38F}, to(2);
    const std::vector<std::uint32_t> second = {1};
    CHECK(std::isfinite(softmax_cross_entropy(huge, second, 1.0, to)));
    CHECK(to[0] == 1.0F);
}

TEST_CASE("cross entropy of sigmoid: its value, its gradient, no overflow") {
    std::vector<float> scores = {0.3F, -2.0F, 1.5F};
    const std::vector<float> targets = {1.0F, 0.0F, 0.25F};
    std::vector<float> gradient(3);
    // binary_cross_entropy_with_logits(..., reduction="sum")
    CHECK(sigmoid_cross_entropy(scores, targets, 1.0, gradient) == Approx(2.0076972).epsilon(1e-6));
    check_gradient(scores, gradient, [&] {
        std::vector<float> unused(3);
        return sigmoid_cross_entropy(scores, targets, 1.0, unused);
    });
    const std::vector<float> far = {1000.0F, -1000.0F}, wrong = {0.0F, 1.0F};
    std::vector<float> to(2);
    CHECK(sigmoid_cross_entropy(far, wrong, 1.0, to) == Approx(2000.0));
}

TEST_CASE("squared error: its value and its gradient") {
    std::vector<float> values = {1.0F, -2.0F}, gradient(2);
    const std::vector<float> targets = {0.5F, 1.0F};
    CHECK(squared_error(values, targets, 0.5, gradient) == Approx(4.625));
    CHECK(gradient == std::vector<float>{0.5F, -3.0F});
}

TEST_CASE("ranking over a batch: equal to the sum over rows, gradients through the vectors' lengths, documents masked") {
    const RankingShape shape = {3, 5, 4};
    std::vector<float> queries = random_floats(12, 1), documents = random_floats(20, 2);
    std::vector<float> to_queries(12), to_documents(20);
    const auto value = [&](std::span<const std::uint8_t> masked) {
        std::vector<float> one(12), two(20);
        return ranking_loss(queries, documents, shape, 5.0, masked, 1.0, one, two);
    };
    // The same by softmax_cross_entropy over cosines computed here.
    const auto cosine = [&](std::size_t q, std::size_t d) {
        double product = 0, one = 0, two = 0;
        for (std::size_t k = 0; k < 4; ++k) {
            product += static_cast<double>(queries[q * 4 + k]) * documents[d * 4 + k];
            one += static_cast<double>(queries[q * 4 + k]) * queries[q * 4 + k];
            two += static_cast<double>(documents[d * 4 + k]) * documents[d * 4 + k];
        }
        return static_cast<float>(5.0 * product / std::sqrt(one * two));
    };
    std::vector<float> scores, unused(15);
    for (std::size_t q = 0; q < 3; ++q)
        for (std::size_t d = 0; d < 5; ++d) scores.push_back(cosine(q, d));
    const std::vector<std::uint32_t> right = {0, 1, 2};
    CHECK(value({}) == Approx(softmax_cross_entropy(scores, right, 1.0, unused)).epsilon(1e-5));
    ranking_loss(queries, documents, shape, 5.0, {}, 1.0, to_queries, to_documents);
    check_gradient(queries, to_queries, [&] { return value({}); });
    check_gradient(documents, to_documents, [&] { return value({}); });
    std::vector<std::uint8_t> masked(15);
    masked[0 * 5 + 4] = 1;
    masked[1 * 5 + 1] = 1;  // a query's own document counts whatever is said
    scores[4] = -1e30F;
    CHECK(value(masked) == Approx(softmax_cross_entropy(scores, right, 1.0, unused)).epsilon(1e-5));
    std::fill(to_queries.begin(), to_queries.end(), 0.0F);
    std::fill(to_documents.begin(), to_documents.end(), 0.0F);
    ranking_loss(queries, documents, shape, 5.0, masked, 1.0, to_queries, to_documents);
    check_gradient(queries, to_queries, [&] { return value(masked); });
    check_gradient(documents, to_documents, [&] { return value(masked); });
}
