#include "tokenizer/batch.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/polled.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kBytesPerThread = std::size_t{16} << 10;  // about a millisecond's work
constexpr std::size_t kBytesAtOnce = std::size_t{256} << 10;    // well below 100 ms: nobody needs to be asked in between

}  // namespace

void BatchRunner::run(std::size_t count, std::size_t bytes, const BatchOptions& batch,
                      const std::function<void(std::size_t)>& body) {
    if (batch.threads > ThreadPool::kMaxThreads) {
        fail(Code::kInvalidArgument, "{} threads are asked for, at most {} are made", batch.threads, ThreadPool::kMaxThreads);
    }
    std::size_t threads = std::min({count, bytes / kBytesPerThread + 1, ThreadPool::kMaxThreads});
    if (threads > 1) threads = std::min(threads, batch.threads == 0 ? available_cpus() : batch.threads);
    if (bytes <= kBytesAtOnce) {
        report(batch.progress, 0, count);
        run_on(threads, count, body);
        return report(batch.progress, count, count);
    }
    run_polled(batch.progress, [&](const Progress& inner) {
        std::atomic<std::size_t> done{0};
        run_on(threads, count, [&](std::size_t i) {
            report(inner, done.load(std::memory_order_relaxed), count);
            body(i);
            done.fetch_add(1, std::memory_order_relaxed);
        });
    });
}

void BatchRunner::run_on(std::size_t threads, std::size_t count, const std::function<void(std::size_t)>& body) {
    if (threads <= 1) {
        for (std::size_t i = 0; i < count; ++i) body(i);
        return;
    }
    std::unique_ptr<Pool> mine(idle_.exchange(nullptr));
    if (!mine || mine->asked != threads || mine->fork_guard.in_child()) mine = std::make_unique<Pool>(threads);
    mine->pool.run(count, body);
    const std::unique_ptr<Pool> other(idle_.exchange(mine.release()));
}

}  // namespace rag::core
