#include "train/vector_pass.hpp"

#include "model/host_call.hpp"
#include "train/random.hpp"

namespace rag::core {
namespace {

struct Part {
    std::size_t first = 0, count = 0;
    std::uint64_t seed = 0;
    PackedTexts packed;
};

std::vector<Part> cut(const VectorPass& pass, const TextList& texts) {
    std::vector<Part> parts;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const TokenText& text = *texts[i];
        const bool next = parts.empty() || parts.back().packed.tokens() + text.ids.size() > pass.micro_tokens ||
                          texts[i - 1]->unpooled != text.unpooled;
        if (next) {
            parts.emplace_back();
            parts.back().first = i;
            parts.back().seed = CounterRandom(pass.seed, std::uint64_t{parts.size()}).bits(0);
        }
        ++parts.back().count;
        parts.back().packed.add(text);
    }
    return parts;
}

void forward(const VectorPass& pass, const Part& part, bool training, bool keep, std::span<float> out) {
    StopCheck stop(pass.stop);
    stop.finish(pass.trainer.forward(part.packed.view(), {training, keep, part.seed}, out, stop.call()));
}

void backward(const VectorPass& pass, std::span<const float> gradient) {
    StopCheck stop(pass.stop);
    stop.finish(pass.trainer.backward(gradient, stop.call()));
}

template <typename Floats>
auto rows(Floats& all, const Part& part, std::size_t width) {
    return std::span(all).subspan(part.first * width, part.count * width);
}

}  // namespace

double train_on_vectors(const VectorPass& pass, const TextList& texts, const VectorLoss& loss) {
    if (texts.empty()) return 0.0;
    const std::vector<Part> parts = cut(pass, texts);
    std::vector<float> outputs(texts.size() * pass.width), gradient(outputs.size());
    // The last part is kept: it goes back first, and is computed once.
    for (const Part& part : parts) forward(pass, part, true, &part == &parts.back(), rows(outputs, part, pass.width));
    const double value = loss(outputs, gradient);
    backward(pass, rows(gradient, parts.back(), pass.width));
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        forward(pass, parts[i], true, true, rows(outputs, parts[i], pass.width));
        backward(pass, rows(gradient, parts[i], pass.width));
    }
    return value;
}

double train_on_parts(const VectorPass& pass, const TextList& texts, const PartLoss& loss) {
    double sum = 0.0;
    for (const Part& part : cut(pass, texts)) {
        std::vector<float> outputs(part.count * pass.width), gradient(outputs.size());
        forward(pass, part, true, true, outputs);
        sum += loss(part.first, outputs, gradient);
        backward(pass, gradient);
    }
    return sum;
}

std::vector<float> compute_vectors(const VectorPass& pass, const TextList& texts) {
    std::vector<float> outputs(texts.size() * pass.width);
    for (const Part& part : cut(pass, texts)) forward(pass, part, false, false, rows(outputs, part, pass.width));
    return outputs;
}

}  // namespace rag::core
