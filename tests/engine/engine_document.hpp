// A document for the engine's tests and for the processes that they kill: without Catch2, which those do not link.
#pragma once

#include <string>
#include <vector>

#include "engine/engine.hpp"

namespace rag::test {

/// Owns what a DocumentInput points to.
struct Document {
    std::string id, text, title, metadata;
    std::vector<float> vector;

    core::DocumentInput input() const {
        core::DocumentInput out;
        if (!id.empty()) out.id = id;
        out.text = text;
        out.title = title;
        out.metadata = metadata;
        out.vector = vector;
        return out;
    }
};

inline std::vector<core::DocumentInput> inputs(const std::vector<Document>& documents) {
    std::vector<core::DocumentInput> out;
    for (const auto& document : documents) out.push_back(document.input());
    return out;
}

}  // namespace rag::test
