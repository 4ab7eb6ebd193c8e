// Texts of concurrent callers of one encoder: everybody gets the vectors of his own texts, token types and numbers of tokens left
// out included, and one who stops leaves the others alone. How passes are filled: test_step_batcher.cpp.
#include "model/text_batcher.hpp"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>
#include <thread>

#include "core/error.hpp"

using namespace rag::core;

namespace {

constexpr std::size_t kOutputs = 3;

/// A text's vector: the sums of its ids and of its token types, and the batch's `unpooled`.
class SlowEncoder : public BackendEncoder {
  public:
    BackendStatus merge_adapter(const AdapterWeights&) noexcept override { return {}; }
    BackendStatus unmerge_adapter() noexcept override { return {}; }
    BackendStatus keep_adapter(const AdapterWeights&, std::unique_ptr<BackendAdapter>&) noexcept override { return {}; }
    std::uint64_t weight_bytes() const noexcept override { return 0; }
    BackendStatus export_tensor(const std::string&, ElementType, const AdapterWeights*,
                                std::vector<std::byte>&) noexcept override {
        return {};
    }
    BackendStatus observe_inputs(bool) noexcept override { return {}; }
    BackendStatus encode(const TokenBatch& batch, std::span<float> out, const HostCall& call) noexcept override {
        ++passes;
        for (int layer = 0; layer < 3; ++layer) {
            std::this_thread::sleep_for(layer_time);
            if (call.stop != nullptr && call.stop(call.context)) return {static_cast<std::int32_t>(Code::kStopped), "stopped"};
        }
        std::fill(out.begin(), out.end(), 0.0F);
        for (std::size_t text = 0; text + 1 < batch.offsets.size(); ++text) {
            float* vector = out.data() + text * kOutputs;
            for (auto at = static_cast<std::size_t>(batch.offsets[text]); at < static_cast<std::size_t>(batch.offsets[text + 1]);
                 ++at) {
                vector[0] += static_cast<float>(batch.ids[at]);
                vector[1] += batch.type_ids.empty() ? 0.0F : static_cast<float>(batch.type_ids[at]);
            }
            vector[2] = static_cast<float>(batch.unpooled);
        }
        return whole;
    }

    std::chrono::milliseconds layer_time{1};
    BackendStatus whole;
    std::atomic<int> passes{0};
};

/// Two texts of one caller.
struct Call {
    Call(std::int32_t id, bool typed, std::int64_t unpooled) : ids{id, id, id}, types(typed ? 3 : 0, 1) {
        batch = {ids, types, offsets, unpooled, {}};
        expected = {static_cast<float>(id),     typed ? 1.0F : 0.0F, static_cast<float>(unpooled),
                    static_cast<float>(2 * id), typed ? 2.0F : 0.0F, static_cast<float>(unpooled)};
    }
    std::vector<std::int32_t> ids, types;
    std::vector<std::int64_t> offsets = {0, 1, 3};
    TokenBatch batch;
    std::vector<float> out = std::vector<float>(2 * kOutputs, -1.0F);
    std::vector<float> expected;
};

}  // namespace

TEST_CASE("texts of concurrent callers share passes and everybody gets his own vectors", "[model]") {
    SlowEncoder encoder;
    TextBatcher batcher(encoder, kOutputs, {});
    constexpr int kCallers = 16, kCalls = 20;
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int caller = 0; caller < kCallers; ++caller) {
        threads.emplace_back([&, caller] {
            const TextBatcher::UnderWay under_way(batcher);
            for (int i = 0; i < kCalls; ++i) {
                Call call(caller * 100 + i, caller % 3 == 0, caller % 2);
                if (!batcher.run(call.batch, call.out, {}).ok() || call.out != call.expected) ++wrong;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
    CHECK(batcher.counts().calls == kCallers * kCalls);
    CHECK(batcher.counts().passes == static_cast<std::uint64_t>(encoder.passes));
    CHECK(batcher.counts().passes < batcher.counts().calls / 2);
}

TEST_CASE("who stops in a shared pass leaves the others alone", "[model]") {
    SlowEncoder encoder;
    encoder.layer_time = std::chrono::milliseconds(50);
    TextBatcher batcher(encoder, kOutputs, {});
    Call first(1, false, 0), stops(2, false, 0), stays(3, true, 0);
    // The first computes alone, and the two meet behind it.
    std::thread running([&] { CHECK(batcher.run(first.batch, first.out, {}).ok()); });
    while (encoder.passes == 0) std::this_thread::yield();
    BackendStatus stopped;
    std::thread second([&] {
        // Not while it waits, but in its pass.
        const HostCall stop{[](void* context) { return static_cast<SlowEncoder*>(context)->passes == 2; }, &encoder};
        stopped = batcher.run(stops.batch, stops.out, stop);
    });
    std::thread third([&] { CHECK(batcher.run(stays.batch, stays.out, {}).ok()); });
    for (std::thread* thread : {&running, &second, &third}) thread->join();
    CHECK(first.out == first.expected);
    CHECK(stopped.code == static_cast<std::int32_t>(Code::kStopped));
    CHECK(stays.out == stays.expected);
}

TEST_CASE("a pass that fails fails for everybody in it, and the next one works", "[model]") {
    SlowEncoder encoder;
    encoder.whole = {static_cast<std::int32_t>(Code::kInternal), "nothing works"};
    TextBatcher batcher(encoder, kOutputs, {});
    std::vector<std::thread> threads;
    std::atomic<int> told{0};
    for (int caller = 0; caller < 4; ++caller) {
        threads.emplace_back([&, caller] {
            Call call(caller, false, 0);
            if (batcher.run(call.batch, call.out, {}).text == "nothing works") ++told;
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(told == 4);
    encoder.whole = {};
    Call call(5, false, 0);
    CHECK(batcher.run(call.batch, call.out, {}).ok());
    CHECK(call.out == call.expected);
}
