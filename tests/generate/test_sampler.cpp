// The sampler against a slow twin that sorts everything, its random numbers against the reference sequence, and hostile logits.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>

#include "core/error.hpp"
#include "generate/sampler.hpp"

using namespace rag::core;

namespace {

/// transformers' processors one after another on a full, sorted vocabulary.
std::vector<Candidate> slow_candidates(const SamplerOptions& options, std::vector<float> logits,
                                       const std::vector<std::int32_t>& recent) {
    std::vector<bool> seen(logits.size(), false);
    for (std::size_t i = recent.size() > kRepeatWindow ? recent.size() - kRepeatWindow : 0; i < recent.size(); ++i) {
        const auto id = static_cast<std::size_t>(recent[i]);
        if (!seen[id]) logits[id] = logits[id] > 0 ? logits[id] / options.repeat_penalty : logits[id] * options.repeat_penalty;
        seen[id] = true;
    }
    std::vector<Candidate> all;
    const double best = *std::max_element(logits.begin(), logits.end());
    for (std::size_t i = 0; i < logits.size(); ++i)
        all.push_back({static_cast<std::int32_t>(i), std::exp((static_cast<double>(logits[i]) - best) / options.temperature)});
    const auto normalise = [&] {
        double total = 0;
        for (const auto& one : all) total += one.probability;
        for (auto& one : all) one.probability /= total;
    };
    std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.probability > b.probability; });
    if (options.top_k > 0 && static_cast<std::size_t>(options.top_k) < all.size())
        all.resize(static_cast<std::size_t>(options.top_k));
    normalise();
    if (options.top_p < 1) {
        double sum = 0;
        std::size_t keep = 0;
        while (keep < all.size() && (keep == 0 || sum < static_cast<double>(options.top_p))) sum += all[keep++].probability;
        all.resize(keep);
        normalise();
    }
    const double least = static_cast<double>(options.min_p) * all.front().probability;
    while (all.back().probability < least) all.pop_back();
    normalise();
    return all;
}

}  // namespace

TEST_CASE("random numbers are those of xoshiro256++ seeded by splitmix64") {
    // The first outputs for seed 0, from the authors' C code.
    Random random(0);
    CHECK(random.next() == 0x53175d61490b23dfULL);
    CHECK(random.next() == 0x61da6f3dc380d507ULL);
    CHECK(random.next() == 0x5c0fdf91ec9a7bfcULL);
    Random one(7);
    double sum = 0;
    for (int i = 0; i < 10000; ++i) {
        const double value = one.uniform();
        REQUIRE((value >= 0 && value < 1));
        sum += value;
    }
    CHECK(sum / 10000 == Approx(0.5).margin(0.02));
}

TEST_CASE("candidates equal those of a full sort") {
    std::mt19937 random(3);
    std::normal_distribution<float> normal(0, 3);
    for (int round = 0; round < 300; ++round) {
        std::vector<float> logits(1 + random() % 700);
        for (float& logit : logits) logit = normal(random);
        std::vector<std::int32_t> recent(random() % 100);
        for (auto& id : recent) id = static_cast<std::int32_t>(random() % logits.size());
        SamplerOptions options;
        options.temperature = 0.2F + static_cast<float>(random() % 20) / 10;
        options.top_k = random() % 2 == 0 ? 0 : static_cast<std::int64_t>(1 + random() % 100);
        options.top_p = random() % 2 == 0 ? 1.0F : 0.05F + static_cast<float>(random() % 90) / 100;
        options.min_p = random() % 2 == 0 ? 0.0F : static_cast<float>(random() % 50) / 100;
        options.repeat_penalty = random() % 2 == 0 ? 1.0F : 1.3F;
        const auto expected = slow_candidates(options, logits, recent);
        const auto got = Sampler(options).candidates(logits, recent);
        REQUIRE(got.size() == expected.size());
        for (std::size_t i = 0; i < got.size(); ++i) {
            REQUIRE(got[i].id == expected[i].id);
            REQUIRE(got[i].probability == Approx(expected[i].probability).epsilon(1e-9));
        }
    }
}

TEST_CASE("temperature 0 takes the best, the lowest id of equals") {
    Sampler sampler({});
    CHECK(sampler.sample(std::vector<float>{1, 5, 5, 2}, {}) == 1);
    SamplerOptions options;
    options.repeat_penalty = 3;
    const std::vector<std::int32_t> recent = {1, 1};
    CHECK(Sampler(options).sample(std::vector<float>{1, 5, 4, 2}, recent) == 2);
    CHECK(Sampler(options).sample(std::vector<float>{-5, -1, -2, -4}, recent) == 2);
    std::vector<std::int32_t> long_ago(kRepeatWindow + 1, 0);
    long_ago.front() = 1;  // just outside the window
    CHECK(Sampler(options).sample(std::vector<float>{1, 5, 4, 2}, long_ago) == 1);
}

TEST_CASE("the same seed draws the same ids, as often as their probability says") {
    SamplerOptions options;
    options.temperature = 1;
    options.seed = 42;
    const std::vector<float> logits = {std::log(0.5F), std::log(0.3F), std::log(0.2F), -std::numeric_limits<float>::infinity()};
    Sampler a(options);
    Sampler b(options);
    std::vector<int> drawn(4);
    for (int i = 0; i < 20000; ++i) {
        const std::int32_t id = a.sample(logits, {});
        REQUIRE(id == b.sample(logits, {}));
        ++drawn[static_cast<std::size_t>(id)];
    }
    CHECK(drawn[0] / 20000.0 == Approx(0.5).margin(0.015));
    CHECK(drawn[1] / 20000.0 == Approx(0.3).margin(0.015));
    CHECK(drawn[3] == 0);
    options.seed = 43;
    Sampler c(options);
    Sampler d({1.0F, 0, 1.0F, 0.0F, 1.0F, 42});
    int different = 0;
    for (int i = 0; i < 100; ++i) different += c.sample(logits, {}) != d.sample(logits, {}) ? 1 : 0;
    CHECK(different > 20);
}

TEST_CASE("logits and options that are no use are refused by value") {
    Sampler sampler({});
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const float infinity = std::numeric_limits<float>::infinity();
    CHECK_THROWS_WITH(sampler.sample(std::vector<float>{0, nan}, {}), Catch::Contains("token 1") && Catch::Contains("nan"));
    CHECK_THROWS_WITH(sampler.sample(std::vector<float>{0, 0, infinity}, {}),
                      Catch::Contains("token 2") && Catch::Contains("inf"));
    CHECK_THROWS_WITH(sampler.sample(std::vector<float>{-infinity, -infinity}, {}), Catch::Contains("all -inf"));
    CHECK_THROWS_WITH(sampler.sample({}, {}), Catch::Contains("no logits"));
    SamplerOptions options;
    const auto refused = [&](const char* text) { CHECK_THROWS_WITH(Sampler(options), Catch::Contains(text)); };
    options.temperature = -1;
    refused("temperature is -1");
    options = {};
    options.temperature = nan;
    refused("temperature is nan");
    options = {};
    options.top_k = -5;
    refused("top_k is -5");
    options = {};
    options.top_p = 0;
    refused("top_p is 0");
    options = {};
    options.min_p = 1.5F;
    refused("min_p is 1.5");
    options = {};
    options.repeat_penalty = 0;
    refused("repeat_penalty is 0");
}
