#include "engine/rerank.hpp"

#include <algorithm>
#include <string>

#include "engine/indexes.hpp"
#include "model/classifier.hpp"

namespace rag::core {

std::vector<Ranked> rerank(const SearchRun& run, std::vector<Ranked> ranking, std::size_t count, Store& store,
                           std::vector<std::int64_t>& missing) {
    if (ranking.size() > count) ranking.resize(count);
    std::vector<std::string> texts;
    texts.reserve(ranking.size());
    {
        auto view = store.read();
        std::erase_if(ranking, [&](const Ranked& ranked) {
            const auto chunk = view.find_chunk(ranked.id);
            // What the embedder sees of a chunk: its heading says what a paragraph is about.
            if (chunk) texts.push_back(indexed_text(heading_of(chunk->title, chunk->title_path), chunk->text));
            if (!chunk) missing.push_back(ranked.id);
            return !chunk;
        });
    }
    std::vector<TextPair> pairs(texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) pairs[i] = {run.model_text(), std::string_view(texts[i]), {}, {}};
    std::vector<float> scores(texts.size());
    run.reranker->predict(pairs, scores, ClassifierScores::kCrossEncoder, 0, run.asked());
    for (std::size_t i = 0; i < ranking.size(); ++i) ranking[i].set_reranked(scores[i]);
    std::sort(ranking.begin(), ranking.end(), [](const Ranked& a, const Ranked& b) { return better(a, b); });
    return ranking;
}

}  // namespace rag::core
