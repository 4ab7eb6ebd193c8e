// Which layers the names in exceptions of precision mean, to the backend and to saving alike.
#include "model/layer_name.hpp"

#include <catch2/catch.hpp>

using namespace rag::core;

TEST_CASE("a star in a pattern stands for anything", "[model]") {
    CHECK(fits_pattern("lm_head", "lm_head"));
    CHECK_FALSE(fits_pattern("lm_head", "lm_head2"));
    CHECK_FALSE(fits_pattern("lm_head2", "lm_head"));
    CHECK(fits_pattern("*", ""));
    CHECK_FALSE(fits_pattern("", "lm_head"));
    CHECK(fits_pattern("model.layers.*.mlp.*", "model.layers.12.mlp.down_proj"));
    CHECK_FALSE(fits_pattern("model.layers.*.mlp.*", "model.layers.12.self_attn.q_proj"));
    CHECK(fits_pattern("*a*b", "aabab"));
    CHECK_FALSE(fits_pattern("*a*b", "aaba"));
}

TEST_CASE("a pattern means a layer by the architecture's name or the file's", "[model]") {
    CHECK(means_layer("encoder.layer.0.*", "encoder.layer.0.output.dense", "bert."));
    CHECK(means_layer("bert.encoder.layer.0.*", "encoder.layer.0.output.dense", "bert."));
    CHECK_FALSE(means_layer("bert.encoder.layer.0.*", "encoder.layer.0.output.dense", ""));
    CHECK_FALSE(means_layer("roberta.encoder.layer.0.*", "encoder.layer.0.output.dense", "bert."));
    CHECK_FALSE(means_layer("encoder.layer.1.*", "encoder.layer.0.output.dense", "bert."));
}
