#include "libtorch/train/encoder_body.hpp"

namespace rag::core::libtorch {
namespace {

struct Known {
    std::string_view name;
    std::string_view prefix;
    std::unique_ptr<TrainedBody> (*make)(const EncoderConfig& config, ParameterSet& set);
};
constexpr Known kKnown[] = {{"bert", "bert.", &make_post_norm_body},
                            {"roberta", "roberta.", &make_post_norm_body},
                            {"distilbert", "distilbert.", &make_post_norm_body},
                            {"mpnet", "mpnet.", &make_post_norm_body},
                            {"modernbert", "model.", &make_modernbert_body}};

const Known* find(const EncoderConfig& config) {
    const auto* found =
        std::find_if(std::begin(kKnown), std::end(kKnown), [&](const Known& known) { return known.name == config.architecture; });
    return found == std::end(kKnown) ? nullptr : found;
}

}  // namespace

std::unique_ptr<TrainedBody> make_encoder_body(const EncoderConfig& config, ParameterSet& set) {
    const Known* known = find(config);
    if (known == nullptr) {
        fail(Code::kUnsupported, quote(set.source().source()), " is of encoder architecture ", quote(config.architecture),
             ", which cannot be trained");
    }
    return known->make(config, set);
}

std::string_view encoder_prefix(const EncoderConfig& config) {
    const Known* known = find(config);
    return known == nullptr ? std::string_view() : known->prefix;
}

}  // namespace rag::core::libtorch
