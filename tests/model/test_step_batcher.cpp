// Steps of concurrent callers: every result goes to its caller, passes are shared, limits hold, a lone caller does not wait, and
// one that stops or fails leaves the others alone.
#include "model/step_batcher.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>
#include <thread>
#include <vector>

#include "core/error.hpp"
#include "require_error.hpp"

using namespace rag::core;
using namespace rag::test;

namespace {

/// Writes the first id into the logits, keeps the sizes of passes, and can be made to wait inside one.
class SlowDecoder : public BackendDecoder {
  public:
    BackendStatus merge_adapter(const AdapterWeights&) noexcept override { return {}; }
    BackendStatus unmerge_adapter() noexcept override { return {}; }
    std::uint64_t weight_bytes() const noexcept override { return 0; }
    BackendStatus export_tensor(const std::string&, ElementType, const AdapterWeights*,
                                std::vector<std::byte>&) noexcept override {
        return {};
    }
    BackendStatus observe_inputs(bool) noexcept override { return {}; }
    BackendStatus new_session(std::unique_ptr<BackendSession>&) noexcept override { return {}; }
    BackendStatus keep_adapter(const AdapterWeights&, std::unique_ptr<BackendAdapter>&) noexcept override { return {}; }
    BackendStatus copy_piece(const BackendSession&, std::unique_ptr<BackendPiece>&) noexcept override { return {}; }
    BackendStatus append_piece(BackendSession&, const BackendPiece&) noexcept override { return {}; }
    BackendStatus forward(std::span<DecoderItem> items) noexcept override {
        {
            const std::lock_guard lock(mutex);
            passes.push_back(items.size());
            std::size_t tokens = 0;
            for (const DecoderItem& item : items) tokens += item.ids.size();
            most_tokens = std::max(most_tokens, items.size() == 1 ? 0 : tokens);
        }
        std::this_thread::sleep_for(pass_time);
        for (DecoderItem& item : items) {
            if (item.ids[0] == kBad) {
                item.status = {-4, "a bad item"};
            } else {
                item.logits[0] = static_cast<float>(item.ids[0]);
            }
        }
        return whole;
    }

    static constexpr std::int32_t kBad = -7;
    std::chrono::milliseconds pass_time{1};
    BackendStatus whole;
    std::mutex mutex;
    std::vector<std::size_t> passes;
    std::size_t most_tokens = 0;
};

struct Step {
    explicit Step(std::int32_t id, std::size_t count = 1) : ids(count, id) { item.ids = ids, item.logits = {&logit, 1}; }
    std::vector<std::int32_t> ids;
    float logit = 0;
    DecoderItem item;
};

}  // namespace

TEST_CASE("concurrent callers share passes and get their own results", "[model]") {
    SlowDecoder decoder;
    StepBatcher batcher(decoder, {});
    constexpr int kCallers = 16, kSteps = 40;
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int caller = 0; caller < kCallers; ++caller) batcher.add_caller();
    for (int caller = 0; caller < kCallers; ++caller) {
        threads.emplace_back([&, caller] {
            for (int step = 0; step < kSteps; ++step) {
                Step one(caller * 1000 + step);
                batcher.run(one.item);
                if (!one.item.status.ok() || one.logit != static_cast<float>(caller * 1000 + step)) ++wrong;
            }
            batcher.remove_caller();
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
    const auto counts = batcher.counts();
    CHECK(counts.steps == kCallers * kSteps);
    CHECK(counts.passes == decoder.passes.size());
    // However the threads are scheduled, most steps find company.
    CHECK(counts.passes < counts.steps / 2);
}

TEST_CASE("passes keep to their limits", "[model]") {
    SlowDecoder decoder;
    StepBatcher batcher(decoder, {4, 10, std::chrono::milliseconds(3)});
    std::vector<std::thread> threads;
    for (int caller = 0; caller < 12; ++caller) {
        batcher.add_caller();
        threads.emplace_back([&, caller] {
            for (int step = 0; step < 20; ++step) {
                Step one(caller, caller == 0 ? 25 : static_cast<std::size_t>(1 + caller % 5));
                batcher.run(one.item);
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(*std::max_element(decoder.passes.begin(), decoder.passes.end()) <= 4);
    CHECK(decoder.most_tokens <= 10);
    require_error(Code::kInvalidArgument, {"0 requests"}, [&] { StepBatcher(decoder, {0, 1, {}}); });
    require_error(Code::kInvalidArgument, {"0 tokens"}, [&] { StepBatcher(decoder, {1, 0, {}}); });
}

TEST_CASE("a caller that is alone computes at once", "[model]") {
    SlowDecoder decoder;
    decoder.pass_time = std::chrono::milliseconds(0);
    // Ten steps with one wait among them would take a minute.
    StepBatcher batcher(decoder, {32, 2048, std::chrono::minutes(1)});
    batcher.add_caller();
    for (int step = 0; step < 10; ++step) {
        Step one(step);
        batcher.run(one.item);
        CHECK(one.logit == static_cast<float>(step));
    }
    CHECK(batcher.counts().passes == 10);
}

TEST_CASE("a step that fails or is given up leaves the others alone", "[model]") {
    SlowDecoder decoder;
    decoder.pass_time = std::chrono::milliseconds(100);
    StepBatcher batcher(decoder, {1, 2048, std::chrono::milliseconds(0)});
    Step running(1), waiting(2), bad(SlowDecoder::kBad), good(3);
    std::atomic<bool> asked{false};
    waiting.item.call = {[](void* context) {
                             static_cast<std::atomic<bool>*>(context)->store(true);
                             return true;
                         },
                         &asked};
    std::thread first([&] { batcher.run(running.item); });
    while (batcher.counts().passes == 0) std::this_thread::yield();
    std::thread second([&] { batcher.run(waiting.item); });
    while (!asked) std::this_thread::yield();
    std::thread third([&] { batcher.run(bad.item); });
    std::thread fourth([&] { batcher.run(good.item); });
    for (std::thread* thread : {&first, &second, &third, &fourth}) thread->join();
    CHECK(running.logit == 1.0F);
    CHECK(waiting.item.status.code == static_cast<std::int32_t>(Code::kStopped));
    CHECK(bad.item.status.text == "a bad item");
    CHECK(good.item.status.ok());
    CHECK(good.logit == 3.0F);
    CHECK(batcher.counts().steps == 3);
    decoder.whole = {-10, "nothing works"};
    Step last(4);
    batcher.run(last.item);
    CHECK(last.item.status.text == "nothing works");
}
