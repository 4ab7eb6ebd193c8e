#include "generate/generate.hpp"

#include <algorithm>
#include <chrono>

#include "core/cancel.hpp"
#include "core/error.hpp"
#include "generate/stop_strings.hpp"

namespace rag::core {

namespace {

using Clock = std::chrono::steady_clock;

/// Writes the time until stop() or its end, so that a cancelled phase has a time too.
class Stopwatch {
  public:
    explicit Stopwatch(double& out) : out_(&out), begin_(Clock::now()) {}
    ~Stopwatch() { stop(); }
    Stopwatch(const Stopwatch&) = delete;
    Stopwatch& operator=(const Stopwatch&) = delete;
    void stop() {
        if (out_ != nullptr) *out_ = std::chrono::duration<double, std::milli>(Clock::now() - begin_).count();
        out_ = nullptr;
    }

  private:
    double* out_;
    Clock::time_point begin_;
};

void check(const GenerationModel& model, std::span<const std::int32_t> prompt) {
    if (prompt.empty()) fail(Code::kInvalidArgument, "the prompt has no tokens");
    if (static_cast<std::int64_t>(prompt.size()) >= model.context_left)
        fail(Code::kInvalidArgument, "the prompt has {} tokens, the model's context has room for {} and the answer needs some",
             prompt.size(), std::max<std::int64_t>(model.context_left, 0));
    for (std::size_t i = 0; i < prompt.size(); ++i) {
        if (prompt[i] < 0 || prompt[i] >= model.vocab_size)
            fail(Code::kInvalidArgument, "token {} of the prompt is {}, the vocabulary has {}", i, prompt[i], model.vocab_size);
    }
}

class Loop {
  public:
    Loop(const GenerationModel& model, std::span<const std::int32_t> prompt, const GenerateOptions& options)
        : model_(model),
          options_(options),
          sampler_(options.sampler),
          stops_(options.stop),
          ids_(model.past),
          prompt_(prompt.size()),
          logits_(static_cast<std::size_t>(model.vocab_size)) {
        ids_.insert(ids_.end(), prompt.begin(), prompt.end());
        out_.prompt_tokens = ids_.size();
    }

    Generation run() {
        try {
            Stopwatch prefill(out_.prefill_ms);
            forward(std::span(ids_).last(prompt_));
            prefill.stop();
            const Stopwatch decoding(out_.decode_ms);
            decode();
        } catch (const Stopped&) {
            out_.finish = FinishReason::kCancelled;
        }
        out_.new_tokens = out_.ids.size();
        return std::move(out_);
    }

  private:
    void forward(std::span<const std::int32_t> ids) { model_.forward(ids, logits_, options_.cancelled); }

    void decode() {
        const auto room = static_cast<std::size_t>(model_.context_left) - prompt_;
        const std::size_t limit = std::min(options_.max_tokens, room);
        while (out_.ids.size() < limit) {
            if (options_.cancelled && options_.cancelled()) throw Stopped();
            const std::int32_t id = sampler_.sample(logits_, ids_);
            if (std::find(model_.end_ids.begin(), model_.end_ids.end(), id) != model_.end_ids.end()) {
                out_.finish = FinishReason::kStop;
                break;
            }
            ids_.push_back(id);
            out_.ids.push_back(id);
            emit(stops_.push(model_.push(id)));
            if (stops_.found()) break;
            // The last token's logits are of no use, and in a full context they could not be computed.
            if (out_.ids.size() < limit) forward({&ids_.back(), 1});
        }
        if (!stops_.found()) emit_rest(stops_.push(model_.finish()));
        if (!stops_.found()) emit_rest(stops_.finish());
        if (stops_.found()) {
            out_.finish = FinishReason::kStop;
            out_.stop_string = stops_.which();
        }
    }

    void emit(const std::string& piece) {
        out_.text += piece;
        if (options_.on_token && !options_.on_token(ids_.back(), piece)) throw Stopped();
    }

    /// What was held back until the end: no token of its own, so nothing is said when it is empty.
    void emit_rest(const std::string& piece) {
        if (!piece.empty()) emit(piece);
    }

    const GenerationModel& model_;
    const GenerateOptions& options_;
    Sampler sampler_;
    StopStrings stops_;
    std::vector<std::int32_t> ids_;  // past, prompt and new ones
    std::size_t prompt_;
    std::vector<float> logits_;
    Generation out_;
};

}  // namespace

std::string_view finish_name(FinishReason reason) noexcept {
    return reason == FinishReason::kStop ? "stop" : reason == FinishReason::kLength ? "length" : "cancelled";
}

Generation generate(const GenerationModel& model, std::span<const std::int32_t> prompt, const GenerateOptions& options) {
    check(model, prompt);
    if (options.max_tokens == 0) fail(Code::kInvalidArgument, "max_tokens is 0");
    return Loop(model, prompt, options).run();
}

}  // namespace rag::core
