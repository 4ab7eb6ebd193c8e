#include "train/observer.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <future>
#include <mutex>

namespace rag::core {
namespace {

constexpr std::chrono::milliseconds kPollInterval{50};

/// Where the run's thread leaves a report and waits for the answer.
class Mailbox {
  public:
    bool post(const StepReport& report) {
        std::unique_lock lock(mutex_);
        report_ = &report;
        changed_.notify_all();
        changed_.wait(lock, [&] { return report_ == nullptr; });
        return answer_;
    }
    void finish() {
        const std::lock_guard lock(mutex_);
        finished_ = true;
        changed_.notify_all();
    }
    /// Serves until finish(). `serve` never throws; `idle` is called when nothing came for an interval.
    void serve(const std::function<bool(const StepReport&)>& serve, const std::function<void()>& idle) {
        std::unique_lock lock(mutex_);
        auto asked = std::chrono::steady_clock::now();
        while (!finished_ || report_ != nullptr) {
            changed_.wait_for(lock, kPollInterval, [&] { return finished_ || report_ != nullptr; });
            const StepReport* report = report_;
            lock.unlock();
            bool answer = true;
            if (report != nullptr) answer = serve(*report);
            if (std::chrono::steady_clock::now() - asked >= kPollInterval) {
                idle();
                asked = std::chrono::steady_clock::now();
            }
            lock.lock();
            if (report == nullptr) continue;
            answer_ = answer;
            report_ = nullptr;
            changed_.notify_all();
        }
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    const StepReport* report_ = nullptr;
    bool answer_ = true;
    bool finished_ = false;
};

}  // namespace

void run_observed(const TrainObserver& observer, const std::function<void(const TrainObserver& inner)>& work) {
    if (!observer.on_step && !observer.poll) {
        work({[](const StepReport&) { return true; }, [] { return true; }});
        return;
    }
    Mailbox mailbox;
    std::atomic<bool> go_on{true};
    std::exception_ptr thrown;
    const auto ask = [&](const std::function<bool()>& question) {
        if (!go_on) return false;
        try {
            if (!question()) go_on = false;
        } catch (...) {
            thrown = std::current_exception();
            go_on = false;
        }
        return go_on.load();
    };
    const TrainObserver inner = {[&](const StepReport& report) { return mailbox.post(report); }, [&] { return go_on.load(); }};
    std::future<void> result = std::async(std::launch::async, [&] {
        try {
            work(inner);
        } catch (...) {
            mailbox.finish();
            throw;
        }
        mailbox.finish();
    });
    mailbox.serve([&](const StepReport& report) { return ask([&] { return !observer.on_step || observer.on_step(report); }); },
                  [&] { ask([&] { return !observer.poll || observer.poll(); }); });
    if (!thrown) return result.get();
    result.wait();
    std::rethrow_exception(thrown);
}

}  // namespace rag::core
