// Documents that the crash test's writer and its judge make alike from a number and a generation.
#pragma once

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "engine/engine.hpp"

namespace rag::test {

struct CrashDocument {
    std::string id, text, metadata;
    std::vector<float> vector;
};

inline CrashDocument crash_document(std::uint32_t n, std::uint32_t generation) {
    CrashDocument document;
    const std::string mark = "marker" + std::to_string(n) + "x" + std::to_string(generation);
    document.id = "doc" + std::to_string(n);
    document.text = "A document with " + mark + " in the middle of words. " + std::string(n % 7 * 300, 'z');
    document.metadata = "{\"n\":" + std::to_string(n) + "}";
    std::mt19937 random(n * 7919 + generation);
    std::normal_distribution<float> normal;
    document.vector.resize(32);
    float square = 0;
    for (auto& value : document.vector) {
        value = normal(random);
        square += value * value;
    }
    for (auto& value : document.vector) value /= std::sqrt(square);
    return document;
}

inline std::vector<core::DocumentInput> inputs_of(const std::vector<CrashDocument>& documents) {
    std::vector<core::DocumentInput> inputs;
    for (const auto& document : documents) {
        core::DocumentInput input;
        input.id = document.id;
        input.text = document.text;
        input.metadata = document.metadata;
        input.vector = document.vector;
        inputs.push_back(input);
    }
    return inputs;
}

}  // namespace rag::test
