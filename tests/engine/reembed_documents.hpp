// Documents and fake embedders that the tests of re-embedding and the process that they kill make alike.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "../model/fake_backend.hpp"
#include "engine/engine.hpp"
#include "engine_document.hpp"
#include "model/encoder.hpp"

namespace rag::test {

inline std::shared_ptr<core::Encoder> open_fake(const std::filesystem::path& path, FakeBackend& backend,
                                                std::int64_t truncate_dim = 0) {
    core::ModelOptions options;
    options.backend = &backend;
    return core::Encoder::open(path, options, truncate_dim);
}

/// "p3": every third one short, the others of several chunks.
inline std::vector<Document> reembed_prose(int from, int to) {
    std::vector<Document> out;
    for (int n = from; n < to; ++n) {
        Document document;
        document.id = "p" + std::to_string(n);
        document.text = "The river number " + std::to_string(n) + " runs past mill " + std::to_string(n % 7) + ".";
        for (int i = 0; i < n % 3 * 4; ++i)
            document.text += " The old boat " + std::to_string(n + i) + " waits at the mill for river " + std::to_string(i) + ".";
        if (n % 5 == 0) document.title = "boat " + std::to_string(n);
        document.metadata = "{\"n\":" + std::to_string(n) + "}";
        out.push_back(document);
    }
    return out;
}

inline std::vector<Document> reembed_markdown(int from, int to) {
    std::vector<Document> out;
    for (int n = from; n < to; ++n) {
        Document document;
        document.id = "m" + std::to_string(n);
        for (int i = 0; i < 1 + n % 3; ++i) {
            document.text += "# Mill " + std::to_string(i) + "\n\nA river of number " + std::to_string(n) +
                             " and a heading.\n\n## Boat\n\nThe old boat " + std::to_string(n * i) + " of the mill.\n\n";
        }
        out.push_back(document);
    }
    return out;
}

}  // namespace rag::test
