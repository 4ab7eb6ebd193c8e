// Documents in, hits and a cited answer out.
//   quickstart                     searches by words alone
//   quickstart ENCODER GENERATOR   a sentence-transformers folder and a GGUF file: vectors, and an answer with citations
#include <rag/rag.hpp>

#include <iostream>
#include <optional>

int main(int argc, char** argv) try {
    std::optional<rag::Encoder> encoder;
    std::optional<rag::Generator> generator;
    rag::EngineOptions options;
    if (argc == 3) {
        options.embedder = &encoder.emplace(argv[1]);
        options.generator = &generator.emplace(argv[2]);
    }
    rag::Engine engine("", options);  // "": in memory; a folder's name keeps it

    engine.add({{"returns", "Goods can be returned within 30 days of delivery.", "", R"({"lang": "en"})", {}},
                {"shipping", "Shipping takes two working days and costs 4 euros.", "", R"({"lang": "en"})", {}}});
    for (const rag::Hit& hit : engine.search("when can goods be returned?", 2)) {
        std::cout << hit.score << ' ' << hit.doc_id << ": " << hit.text << '\n';
    }
    if (generator) {
        const rag::Answer answer = engine.ask("Within how many days can goods be returned?");
        std::cout << answer.text << '\n';
        for (const rag::Citation& citation : answer.citations) {
            const rag::Hit& hit = answer.hits[citation.hit];
            std::cout << "  supported by " << hit.doc_id << ": "
                      << hit.text.substr(citation.hit_start, citation.hit_end - citation.hit_start) << '\n';
        }
        for (const auto& [start, end] : answer.unsupported) {
            std::cout << "  nothing supports: " << answer.text.substr(start, end - start) << '\n';
        }
    }
    return 0;
} catch (const rag::Error& error) {
    std::cerr << "quickstart: " << error.what() << '\n';
    return 1;
}
