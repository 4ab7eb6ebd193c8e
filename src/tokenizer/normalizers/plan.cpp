#include "tokenizer/normalizers/plan.hpp"

#include <algorithm>
#include <cstddef>

#include "tokenizer/normalized_text.hpp"
#include "tokenizer/unicode/code_points.hpp"

namespace rag::core {
namespace {

std::uint32_t find_ascii(std::string_view text, std::uint32_t from) {
    while (from < text.size() && !is_ascii(text[from])) ++from;
    return from;
}

}  // namespace

void Normalizer::add_to(NormalizerPlan& plan) const {
    plan.add(*this);
}
void LocalNormalizer::add_to(NormalizerPlan& plan) const {
    plan.add_local(*this);
}
void LocalNormalizer::normalize(NormalizedText& text) const {
    NormalizerPlan(this).run(text);
}

NormalizerPlan::NormalizerPlan(const Normalizer* normalizer) {
    if (normalizer != nullptr) normalizer->add_to(*this);
}

void NormalizerPlan::add_local(const LocalNormalizer& normalizer) {
    if (steps_.empty() || steps_.back().whole != nullptr) {
        steps_.push_back({nullptr, {}});
        AsciiMap& map = steps_.back().local.ascii;
        for (std::size_t i = 0; i < map.size(); ++i) map[i] = static_cast<std::int16_t>(i);
    }
    LocalPass& pass = steps_.back().local;
    pass.stages.push_back(&normalizer);
    normalizer.map_ascii(pass.ascii);
    pass.keeps_ascii = true;
    pass.drops_ascii = false;
    for (std::size_t i = 0; i < pass.ascii.size(); ++i) {
        pass.keeps_ascii = pass.keeps_ascii && pass.ascii[i] == static_cast<std::int16_t>(i);
        pass.drops_ascii = pass.drops_ascii || pass.ascii[i] == kDropped;
    }
}

void NormalizerPlan::run(NormalizedText& text) const {
    for (const Step& step : steps_) {
        if (text.text().empty()) return;  // no stage makes something of nothing
        if (step.whole != nullptr) {
            step.whole->normalize(text);
        } else {
            step.local.run(text);
        }
    }
}

void NormalizerPlan::LocalPass::run(NormalizedText& text) const {
    const std::string_view old = text.text();
    const auto end = static_cast<std::uint32_t>(old.size());
    if (keeps_ascii && ascii_end(old, 0) == end) return;
    if (std::all_of(stages.begin(), stages.end(), [&](const LocalNormalizer* stage) { return stage->keeps(old); })) return;
    TextRewrite rewrite(text);
    while (rewrite.at() < end) {
        const std::uint32_t special = ascii_end(old, rewrite.at());
        if (special == end) {
            map_ascii(rewrite, end);
            break;
        }
        map_ascii(rewrite, run_begin(old, rewrite.at(), special));
        rewrite_run(rewrite, text.chars(), run_end(old, special));
    }
    rewrite.finish();
}

// A run of characters that is normalized together. Marks combine with the letter before them, so the last ASCII character before
// `special` belongs to it; what is dropped does not count, since its neighbours become neighbours of each other.
std::uint32_t NormalizerPlan::LocalPass::run_begin(std::string_view text, std::uint32_t from, std::uint32_t special) const {
    for (std::uint32_t at = special; at > from; --at) {
        if (!is_dropped(text[at - 1])) return at - 1;
    }
    return from;
}

std::uint32_t NormalizerPlan::LocalPass::run_end(std::string_view text, std::uint32_t special) const {
    for (;;) {
        const std::uint32_t plain = find_ascii(text, special);
        std::uint32_t next = plain;
        while (next < text.size() && is_ascii(text[next]) && is_dropped(text[next])) ++next;
        if (next == text.size() || is_ascii(text[next])) return plain;
        special = next;
    }
}

void NormalizerPlan::LocalPass::map_ascii(TextRewrite& rewrite, std::uint32_t end) const {
    const std::string_view old = rewrite.old();
    while (rewrite.at() < end) {
        const std::uint32_t begin = rewrite.at();
        std::uint32_t kept = end;
        if (drops_ascii) {
            for (kept = begin; kept < end && !is_dropped(old[kept]);) ++kept;
        }
        char* out = rewrite.keep_places_to(kept);
        for (std::uint32_t i = begin; i < kept; ++i) *out++ = static_cast<char>(ascii[static_cast<unsigned char>(old[i])]);
        if (kept < end) rewrite.skip_to(kept + 1);
    }
}

void NormalizerPlan::LocalPass::rewrite_run(TextRewrite& rewrite, CharText& chars, std::uint32_t end) const {
    const std::string_view old = rewrite.old();
    chars.clear(rewrite.place_before(rewrite.at()));
    for (std::uint32_t at = rewrite.at(); at < end;) {
        const CodePoint point = code_point_at(old, at);
        chars.push(point.value, rewrite.place(at));
        at += point.length;
    }
    for (const LocalNormalizer* stage : stages) stage->normalize_run(chars);
    for (std::size_t i = 0; i < chars.size(); ++i) rewrite.put_character(chars.values[i], chars.places[i]);
    rewrite.skip_to(end);
}

}  // namespace rag::core
