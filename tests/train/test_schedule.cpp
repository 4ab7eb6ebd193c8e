// Learning rates as transformers computes them, and batches: every row once, within limits, the same for the same seed and epoch.
#include <catch2/catch.hpp>
#include <numeric>
#include <set>

#include "require_error.hpp"
#include "train/batches.hpp"
#include "train/random.hpp"
#include "train/schedule.hpp"

using namespace rag::core;

TEST_CASE("schedules are those of transformers' get_scheduler") {
    // python: get_scheduler(name, SGD, num_warmup_steps=2, num_training_steps=10); the rate of each step, highest 1.
    const std::vector<double> linear = {0, 0.5, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125};
    const std::vector<double> cosine = {0, 0.5, 1, 0.96193977, 0.85355339, 0.69134172, 0.5, 0.30865828, 0.14644661, 0.03806023};
    for (std::uint64_t step = 0; step < 10; ++step) {
        INFO(step);
        CHECK(schedule_factor(Schedule::kLinear, step, 2, 10) == Approx(linear[step]));
        CHECK(schedule_factor(Schedule::kCosine, step, 2, 10) == Approx(cosine[step]));
        CHECK(schedule_factor(Schedule::kConstant, step, 2, 10) == Approx(step == 0 ? 0.0 : step == 1 ? 0.5 : 1.0));
    }
    CHECK(schedule_factor(Schedule::kLinear, 12, 2, 10) == 0.0);
    CHECK(schedule_factor(Schedule::kLinear, 0, 0, 1) == 1.0);
    CHECK(warmup_length(0, 0.1, 25) == 3);
    CHECK(warmup_length(7, 0.1, 25) == 7);
    rag::test::require_error(Code::kInvalidArgument, {"polynomial", "cosine"}, [] { parse_schedule("polynomial"); });
}

TEST_CASE("batches hold every example once, within their limits, and are a function of seed and epoch") {
    std::vector<std::uint32_t> lengths(5000);
    const CounterRandom random(1, std::uint64_t{0});
    for (std::size_t i = 0; i < lengths.size(); ++i) lengths[i] = 1 + static_cast<std::uint32_t>(random.below(i, 200));
    for (const BatchLimit limit : {BatchLimit{32, 0}, BatchLimit{0, 1000}, BatchLimit{16, 1500}, BatchLimit{0, 5}}) {
        const Batches batches = order_batches(lengths, limit, 3, 1);
        std::set<std::uint32_t> seen;
        std::uint64_t spread = 0;
        for (const auto& batch : batches) {
            REQUIRE_FALSE(batch.empty());
            std::uint64_t tokens = 0;
            for (const std::uint32_t example : batch) {
                CHECK(seen.insert(example).second);
                tokens += lengths[example];
            }
            if (limit.examples != 0) CHECK(batch.size() <= limit.examples);
            if (limit.tokens != 0 && batch.size() > 1) CHECK(tokens <= limit.tokens);
            spread += lengths[batch.back()] - lengths[batch.front()];
        }
        CHECK(seen.size() == lengths.size());
        CHECK(spread / batches.size() < 20);  // of lengths to 200: those of a batch are alike
        CHECK(order_batches(lengths, limit, 3, 1) == batches);
        CHECK(order_batches(lengths, limit, 3, 2) != batches);
        CHECK(order_batches(lengths, limit, 4, 1) != batches);
    }
    CHECK(order_batches({}, {8, 0}, 1, 1).empty());
}

TEST_CASE("batches in the order of the data begin where the one before is full") {
    const std::vector<std::uint32_t> lengths = {5, 1, 9, 3, 3, 2};
    CHECK(keep_order(lengths, {4, 0}) == Batches{{0, 1, 2, 3}, {4, 5}});
    CHECK(keep_order(lengths, {0, 8}) == Batches{{0, 1}, {2}, {3, 4, 5}});
    CHECK(keep_order(lengths, {2, 8}) == Batches{{0, 1}, {2}, {3, 4}, {5}});
    CHECK(keep_order({}, {2, 0}).empty());
}

TEST_CASE("random numbers by counter are even, and bell-shaped where they should be") {
    const CounterRandom random(5, "a name");
    double sum = 0, square = 0, uniform = 0;
    std::vector<int> counts(7);
    for (std::uint64_t i = 0; i < 20000; ++i) {
        sum += random.normal(i);
        square += random.normal(i) * random.normal(i);
        uniform += random.uniform(i);
        ++counts[random.below(i, 7)];
    }
    CHECK(sum / 20000 == Approx(0).margin(0.03));
    CHECK(square / 20000 == Approx(1).margin(0.05));
    CHECK(uniform / 20000 == Approx(0.5).margin(0.01));
    for (const int count : counts) CHECK(count == Approx(20000 / 7.0).margin(250));
    CHECK(CounterRandom(5, "another name").bits(0) != random.bits(0));
    CHECK(CounterRandom(6, "a name").bits(0) != random.bits(0));
}
