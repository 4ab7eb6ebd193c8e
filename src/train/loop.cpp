#include "train/loop.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <limits>

#include "core/error.hpp"
#include "model/model.hpp"
#include "train/random.hpp"
#include "train/schedule.hpp"

namespace rag::core {
namespace {

using Clock = std::chrono::steady_clock;

// A loss runs away when its running mean is kAway times the least that it was, and one nat more, for kAwaySteps steps.
constexpr double kMeanShare = 0.9;
constexpr double kAway = 3.0;
constexpr std::uint64_t kAwaySteps = 20;
constexpr std::uint64_t kSettledSteps = 5;  // before the least counts; what runs away does it in the first ten
constexpr std::size_t kNamedRows = 8;       // in a message
constexpr std::uint64_t kStillSteps = 20;   // in a row without a gradient

std::uint64_t resident_bytes() {
    std::ifstream file("/proc/self/statm");
    std::uint64_t pages = 0, resident = 0;
    file >> pages >> resident;
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

BatchLimit batch_limit(const TrainerConfig& config) {
    return {config.batch_size, config.batch_tokens};
}

Batches batches_of(const Task& task, const TrainerConfig& config, std::uint64_t epoch) {
    return config.shuffle ? order_batches(task.lengths(), batch_limit(config), config.seed, epoch)
                          : keep_order(task.lengths(), batch_limit(config));
}

std::uint64_t steps_of(std::uint64_t batches, std::uint64_t accumulation) {
    return (batches + accumulation - 1) / accumulation;
}

class Loop {
  public:
    Loop(const LoopInput& input, const RunState& state)
        : in_(input), config_(input.identity.config), state_(state), seconds_before_(state.seconds) {
        result_.steps = planned_steps(input.task, config_);
        warmup_ = warmup_length(config_.warmup_steps, config_.warmup_ratio, result_.steps);
        rate_ = config_.learning_rate;
        schedule_ = parse_schedule(config_.schedule);
        metric_ = config_.metric.empty() ? in_.task.main_metric() : config_.metric;
    }

    LoopResult run() {
        check_status(in_.model.trainer().clear_gradients());
        load_epoch();
        if (state_.epoch >= config_.epochs + 1 || state_.position >= batches_.size() || state_.step > result_.steps)
            fail(Code::kCorrupt, "the checkpoint stands at step {} of {}, batch {} of {} in epoch {}", state_.step, result_.steps,
                 state_.position, batches_.size(), state_.epoch);
        try {
            while (between_steps()) step();
        } catch (const Stopped&) {
            save();
            throw;
        }
        result_.state = state_;
        return std::move(result_);
    }

  private:
    void load_epoch() { batches_ = batches_of(in_.task, config_, state_.epoch); }
    double seconds() const { return seconds_before_ + std::chrono::duration<double>(Clock::now() - begun_).count(); }
    double epochs_done() const {
        return static_cast<double>(state_.epoch) + static_cast<double>(state_.position) / static_cast<double>(batches_.size());
    }
    bool epoch_ended() const { return state_.position == 0 && state_.step > 0; }
    bool last() const { return state_.step >= result_.steps; }
    std::function<bool()> stop() const {
        return [this] { return !in_.observer.poll(); };
    }

    /// Evaluation, checkpoint, reasons to end; false ends the run.
    bool between_steps() {
        const bool slow = config_.max_minutes > 0 && seconds() >= config_.max_minutes * 60.0;
        if (slow && state_.step == 0)
            fail(Code::kInvalidArgument, "max_minutes is {}, and the time was over before the first step ({:.3g} s): give more",
                 config_.max_minutes, seconds());
        const bool end = last() || slow;
        const bool evaluate_now =
            in_.evaluates &&
            (end || state_.step == 0 || (config_.eval_steps > 0 ? state_.step % config_.eval_steps == 0 : epoch_ended()));
        const bool evaluated = evaluate_now && state_.evaluated != static_cast<std::int64_t>(state_.step);
        if (evaluated) evaluate();
        const bool patient = config_.patience == 0 || state_.worse < config_.patience;
        const bool save_now =
            config_.save_steps > 0 ? state_.step % config_.save_steps == 0 : (in_.evaluates ? evaluated : epoch_ended());
        if (state_.step > 0 && (save_now || evaluated || end || !patient)) save();
        if (!in_.observer.poll()) throw Stopped();
        if (last()) {
            result_.ended = "done";
        } else if (slow) {
            result_.ended = "max_minutes";
        } else if (!patient) {
            result_.ended = "patience";
        }
        return result_.ended.empty();
    }

    void evaluate() {
        const Metrics metrics = in_.task.evaluate(stop());
        const auto found = metrics.find(metric_);
        if (found == metrics.end()) {
            const RowNotes& notes = in_.task.eval_notes();
            fail(Code::kInvalidArgument, "none of the rows held out can be evaluated; the first (line {}) because: {}",
                 notes.skipped.empty() ? 0 : notes.skipped.front().line,
                 notes.skipped.empty() ? "it gives no example" : notes.skipped.front().reason);
        }
        state_.evaluated = static_cast<std::int64_t>(state_.step);
        state_.seconds = seconds();
        if (state_.step == 0) {
            result_.before = metrics;
        } else {
            const double value = found->second;
            const bool better = remember(is_loss(metric_) ? -value : value);
            state_.worse = better ? 0 : state_.worse + 1;
        }
        result_.last = metrics;
        StepReport report = describe();
        report.loss = std::numeric_limits<double>::quiet_NaN();
        report.metrics = &metrics;
        tell(report);
    }

    StepReport describe() const {
        StepReport report;
        report.step = state_.step;
        report.steps = result_.steps;
        report.epoch = epochs_done();
        report.seconds = state_.seconds;
        report.rss_bytes = resident_bytes();
        return report;
    }

    /// The state is whole here: a stop is caught between steps.
    void tell(const StepReport& report) {
        in_.log.add(report);
        if (!in_.observer.on_step(report)) throw Stopped();
    }

    void step() {
        const auto begun = Clock::now();
        const std::size_t count = std::min<std::size_t>(config_.accumulation, batches_.size() - state_.position);
        const auto batches = std::span(batches_).subspan(state_.position, count);
        const CounterRandom random(config_.seed, "steps");
        const double loss = in_.task.add_gradients(batches, {random.bits(state_.step), stop()});
        if (!std::isfinite(loss)) refuse(fmt::format("the loss is {}", loss), batches);
        OptimizerStep optimizer;
        optimizer.number = static_cast<std::int64_t>(state_.step) + 1;
        optimizer.learning_rate = rate_ * schedule_factor(schedule_, state_.step, warmup_, result_.steps);
        optimizer.weight_decay = config_.weight_decay;
        optimizer.beta1 = config_.beta1;
        optimizer.beta2 = config_.beta2;
        optimizer.epsilon = config_.epsilon;
        optimizer.max_gradient_norm = config_.max_grad_norm;
        double norm = 0.0;
        check_status(in_.model.trainer().step(optimizer, norm));
        if (!std::isfinite(norm)) refuse(fmt::format("the norm of the gradients is {}", norm), batches);
        require_gradient(norm, batches);
        watch(loss, batches);
        std::uint64_t tokens = 0;
        for (const auto& batch : batches) {
            for (const std::uint32_t example : batch) tokens += in_.task.lengths()[example];
        }
        ++state_.step;
        state_.tokens += tokens;
        state_.position += count;
        state_.seconds = seconds();
        const double took = std::chrono::duration<double>(Clock::now() - begun).count();
        StepReport report = describe();
        report.loss = loss;
        report.learning_rate = optimizer.learning_rate;
        report.gradient_norm = norm;
        report.tokens_per_second = static_cast<double>(tokens) / std::max(took, 1e-9);
        if (state_.position == batches_.size()) {
            ++state_.epoch;
            state_.position = 0;
            load_epoch();
        }
        tell(report);
    }

    /// Rows that have taught nothing for long, since nothing is wrong with any answer (such as queries without a wrong document),
    /// go on teaching nothing.
    void require_gradient(double norm, std::span<const std::vector<std::uint32_t>> batches) {
        still_ = norm > 0.0 ? 0 : still_ + 1;
        if (still_ >= kStillSteps || (still_ > 0 && still_ == result_.steps))
            refuse(fmt::format("the gradients of the last {} steps are 0: these rows and settings teach nothing", still_),
                   batches);
    }

    /// Throws when the loss has been far above what it was for long.
    void watch(double loss, std::span<const std::vector<std::uint32_t>> batches) {
        ++state_.losses;
        const double share = std::max(1.0 - kMeanShare, 1.0 / static_cast<double>(state_.losses));
        state_.mean_loss += share * (loss - state_.mean_loss);
        if (state_.losses < kSettledSteps) return;
        if (state_.losses == kSettledSteps || state_.mean_loss < state_.least_loss) state_.least_loss = state_.mean_loss;
        state_.above = state_.mean_loss > kAway * state_.least_loss + 1.0 ? state_.above + 1 : 0;
        if (state_.above >= kAwaySteps)
            refuse(fmt::format("the loss runs away: its mean is {:.4g}, it was {:.4g}; a lower learning_rate may help",
                               state_.mean_loss, state_.least_loss),
                   batches);
    }

    [[noreturn]] void refuse(const std::string& what, std::span<const std::vector<std::uint32_t>> batches) const {
        std::vector<std::uint64_t> lines;
        std::size_t count = 0;
        for (const auto& batch : batches) {
            for (const std::uint32_t example : batch) {
                ++count;
                if (lines.size() < kNamedRows) lines.push_back(in_.task.line(example));
            }
        }
        fail(Code::kInvalidState, "step {}: {}; its {} rows are {}, lines {}{}", state_.step + 1, what, count,
             quote(in_.source, 400), fmt::join(lines, ", "), count > lines.size() ? ", ..." : "");
    }

    void save() {
        if (state_.step == 0) return;
        if (saved_ != static_cast<std::int64_t>(state_.step)) {
            RunState state = state_;
            state.seconds = seconds();
            write_checkpoint(in_.checkpoints, in_.model, state, in_.identity);
            saved_ = static_cast<std::int64_t>(state_.step);
        }
        std::vector<std::uint64_t> kept = {state_.step};
        for (const BestStep& best : state_.best) kept.push_back(best.step);
        prune_checkpoints(in_.checkpoints, kept);
    }

    /// Puts this step among the best ones; true if none was better or as good.
    bool remember(double goodness) {
        auto& best = state_.best;
        const auto place =
            std::find_if(best.begin(), best.end(), [&](const BestStep& other) { return goodness > other.goodness; });
        const bool first = place == best.begin();
        best.insert(place, {state_.step, goodness});
        if (best.size() > config_.keep) best.resize(config_.keep);
        return first;
    }

    const LoopInput& in_;
    const TrainerConfig& config_;
    RunState state_;
    LoopResult result_;
    Batches batches_;
    Schedule schedule_ = Schedule::kLinear;
    std::uint64_t warmup_ = 0;
    double rate_ = 0.0;
    std::string metric_;
    double seconds_before_ = 0.0;
    Clock::time_point begun_ = Clock::now();
    std::int64_t saved_ = -1;
    std::uint64_t still_ = 0;  // steps in a row that had no gradient
};

}  // namespace

std::uint64_t planned_steps(const Task& task, const TrainerConfig& config) {
    std::uint64_t steps = 0;
    const bool even = config.batch_tokens == 0 || !config.shuffle;  // every epoch has as many batches then
    for (std::uint64_t epoch = 0; epoch < config.epochs; ++epoch) {
        const Batches batches = batches_of(task, config, epoch);
        const std::uint64_t here = steps_of(batches.size(), config.accumulation);
        steps += even ? here * config.epochs : here;
        if (even || (config.max_steps > 0 && steps >= config.max_steps)) break;
    }
    return config.max_steps > 0 ? std::min(steps, config.max_steps) : steps;
}

LoopResult run_loop(const LoopInput& input, const RunState& state) {
    return Loop(input, state).run();
}

}  // namespace rag::core
