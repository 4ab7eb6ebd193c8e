// The victim of the crash test of re-embedding: adds documents and goes from one embedder to another and back until it is killed.
// Usage: crash_reembedder FOLDER MODEL OTHER_MODEL FIRST_NUMBER SEED. On standard output, unbuffered:
//   O          the knowledge base is open
//   A n m      documents n to m - 1 were added
//   E          it is re-embedded
#include <cstdio>
#include <nlohmann/json.hpp>
#include <random>

#include "reembed_documents.hpp"
#include "say.hpp"

int main(int argc, char** argv) {
    using namespace rag::core;
    using namespace rag::test;
    if (argc != 6) return 2;
    int next = std::stoi(argv[4]);
    std::mt19937 random(static_cast<std::uint32_t>(std::stoul(argv[5])));
    FakeBackend backend;
    const auto one = open_fake(argv[2], backend);
    const auto other = open_fake(argv[3], backend, 16);
    try {
        EngineOptions options;
        options.path = argv[1];
        auto engine = Engine::open(options);
        const auto made_by = nlohmann::json::parse(engine->stats())["vectors_made_by"];
        bool second = made_by == other->describe();
        if (!made_by.is_null()) engine->set_embedder(second ? other : one);
        if (made_by.is_null()) engine->set_embedder(one);
        say("O");
        std::vector<std::string> ids;
        while (true) {
            const int first = next;
            next += 1 + static_cast<int>(random() % 20);
            engine->add(inputs(reembed_prose(first, next)), {}, ids);
            say("A " + std::to_string(first) + " " + std::to_string(next));
            if (random() % 2 == 0) continue;
            engine->reembed(second ? one : other);
            second = !second;
            say("E");
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "crash_reembedder: %s\n", error.what());
        return 1;
    }
}
