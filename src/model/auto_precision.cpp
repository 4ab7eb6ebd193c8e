#include "model/auto_precision.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <mutex>

#include "core/error.hpp"
#include "model/loader.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kRemembered = 64;
constexpr double kClearlyFaster = 1.15;
constexpr int kRounds = 3;           // the fastest counts: others were disturbed
constexpr std::int64_t kRows = 256;  // of the table of tokens
constexpr std::int64_t kTextTokens = 64, kTexts = 8, kSteps = 8;

struct Choice {
    std::string key;
    Precision precision = Precision::kFloat32;
    std::string why;
};

double milliseconds(const std::function<void()>& work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

double fastest(const std::function<void()>& work) {
    work();
    double least = milliseconds(work);
    for (int i = 1; i < kRounds; ++i) least = std::min(least, milliseconds(work));
    return least;
}

/// The weights with the first rows of the table of tokens alone, which no layer's speed depends on.
Weights with_few_tokens(const Weights& weights, std::int64_t vocab_size, std::int64_t rows) {
    Weights out = weights;
    out.identity.clear();  // what is measured is not kept
    for (TensorView& tensor : out.tensors) {
        if (tensor.shape.size() != 2 || tensor.shape[0] != vocab_size) continue;
        const bool table = tensor.name.find("embed") != std::string::npos || tensor.name == "lm_head.weight";
        if (!table) continue;
        tensor.bytes =
            tensor.bytes.first(tensor.bytes.size() / static_cast<std::size_t>(vocab_size) * static_cast<std::size_t>(rows));
        tensor.shape[0] = rows;
    }
    return out;
}

std::vector<std::int32_t> some_ids(std::int64_t count, std::int64_t vocab_size) {
    // Not the first ones, which stand for padding in some models.
    const std::int64_t first = std::min<std::int64_t>(8, vocab_size - 1);
    std::vector<std::int32_t> ids(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count; ++i)
        ids[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(first + i % (vocab_size - first));
    return ids;
}

template <typename Flags>
void keep_first(Flags& flags) {
    if (!flags.empty()) flags.resize(1);
}

DecoderConfig first_layer(DecoderConfig config) {
    config.layers = 1;
    config.vocab_size = std::min(config.vocab_size, kRows);
    keep_first(config.windowed);
    keep_first(config.sparse);
    return config;
}

double measure(Backend& backend, const EncoderConfig& config, const Weights& weights, const ModelOptions& options) {
    EncoderConfig one = config;
    one.layers = 1;
    one.vocab_size = std::min(config.vocab_size, kRows);
    keep_first(one.global_layers);
    one.stages.clear();
    one.pooling = {Pooling::kMean};
    if (one.decoder) one.decoder = first_layer(*one.decoder);
    const Weights few = with_few_tokens(weights, config.vocab_size, one.vocab_size);
    std::unique_ptr<BackendEncoder> model;
    load_with(options, [&](const BackendOptions& known) { return backend.load_encoder(one, few, known, model); });
    const std::int64_t tokens = std::min(kTextTokens, one.max_positions);
    const std::vector<std::int32_t> ids = some_ids(kTexts * tokens, one.vocab_size);
    std::vector<std::int64_t> offsets;
    for (std::int64_t i = 0; i <= kTexts; ++i) offsets.push_back(i * tokens);
    std::vector<float> out(static_cast<std::size_t>(kTexts * one.outputs()));
    return fastest([&] { check_status(model->encode({ids, {}, offsets, 0, {}}, out, {})); });
}

double measure(Backend& backend, const DecoderConfig& config, const Weights& weights, const ModelOptions& options) {
    const DecoderConfig one = first_layer(config);
    const Weights few = with_few_tokens(weights, config.vocab_size, one.vocab_size);
    std::unique_ptr<BackendDecoder> model;
    load_with(options, [&](const BackendOptions& known) { return backend.load_decoder(one, few, known, model); });
    std::unique_ptr<BackendSession> session;
    check_status(model->new_session(session));
    const std::vector<std::int32_t> ids = some_ids(std::min(kTextTokens, one.context_length - kSteps), one.vocab_size);
    std::vector<float> logits(static_cast<std::size_t>(one.vocab_size));
    const auto append = [&](std::span<const std::int32_t> more) {
        DecoderItem item;
        item.session = session.get();
        item.ids = more;
        item.logits = logits;
        check_status(model->forward({&item, 1}));
        check_status(item.status);
    };
    // A prompt and some steps behind it, as answering is.
    return fastest([&] {
        check_status(session->truncate(0));
        append(ids);
        for (std::int64_t i = 0; i < kSteps; ++i) append(std::span(ids).first(1));
    });
}

/// What most bytes of the weights are.
bool mostly(const Weights& weights, std::initializer_list<ElementType> types) {
    std::size_t those = 0, all = 0;
    for (const TensorView& tensor : weights.tensors) {
        if (tensor.name.find("embed") != std::string::npos) continue;
        all += tensor.bytes.size();
        if (std::find(types.begin(), types.end(), tensor.type) != types.end()) those += tensor.bytes.size();
    }
    return 2 * those > all;
}

template <typename Config>
Choice choose(Backend& backend, const Config& config, const Weights& weights, const ModelOptions& options) {
    const bool on_device = options.device != "cpu" && !options.device.starts_with("cpu:");  // computes neither int8 nor int4
    if (!on_device && mostly(weights, {ElementType::kInt8})) return {"", Precision::kInt8, " (auto: the weights are packed so)"};
    if (!on_device && mostly(weights, {ElementType::kInt4})) return {"", Precision::kInt4, " (auto: the weights are packed so)"};
    std::vector<Precision> candidates = {Precision::kFloat32, Precision::kBFloat16};
    if (!on_device) candidates.push_back(Precision::kInt8);
    if (!on_device && mostly(weights, {ElementType::kQ4_0, ElementType::kQ4_1})) candidates.push_back(Precision::kInt4);
    Choice choice;
    double least = 0;
    for (const Precision candidate : candidates) {
        ModelOptions one = options;
        one.exceptions.clear();  // they may name layers that are not there
        one.precision = candidate;
        const double time = measure(backend, config, weights, one);
        choice.why += fmt::format("{}{:.2f} ms in {}", choice.why.empty() ? " (auto: a layer takes " : ", ", time,
                                  precision_name(candidate));
        if (least != 0 && time * kClearlyFaster > least) continue;
        least = time;
        choice.precision = candidate;
    }
    choice.why += ')';
    return choice;
}

template <typename Config>
std::string choose_once(const Config& config, const Weights& weights, ModelOptions& options) {
    // Never destroyed: models may be opened while static objects are.
    static auto& mutex = *new std::mutex();
    static auto& remembered = *new std::deque<Choice>();
    Backend& backend = options.backend != nullptr ? *options.backend : rag::core::backend();
    const std::string key = fmt::format("{} {} {} {}", weights.identity, config.architecture, options.threads, options.device);
    const std::lock_guard lock(mutex);  // two measurements at once would disturb each other
    auto found = std::find_if(remembered.begin(), remembered.end(), [&](const Choice& choice) { return choice.key == key; });
    if (found == remembered.end() || weights.identity.empty()) {
        Choice choice = choose(backend, config, weights, options);
        choice.key = key;
        if (remembered.size() == kRemembered) remembered.pop_front();
        remembered.push_back(std::move(choice));
        found = std::prev(remembered.end());
    }
    options.precision = found->precision;
    return found->why;
}

}  // namespace

std::string choose_precision(const EncoderConfig& config, const Weights& weights, ModelOptions& options) {
    return choose_once(config, weights, options);
}

std::string choose_precision(const DecoderConfig& config, const Weights& weights, ModelOptions& options) {
    return choose_once(config, weights, options);
}

}  // namespace rag::core
