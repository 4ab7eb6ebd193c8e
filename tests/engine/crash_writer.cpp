// The victim of the crash test: writes to a knowledge base until it is killed, and says on standard output, unbuffered, what was
// acknowledged. Usage: crash_writer FOLDER FIRST_NUMBER SEED
//   A n m      documents n to m - 1 were added
//   R n        document n is about to be removed: it may be there or not
//   D n        document n was removed
//   U n g      document n is about to be replaced by its generation g
//   V n g      it was
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "crash_documents.hpp"
#include "engine/engine.hpp"
#include "say.hpp"

int main(int argc, char** argv) {
    using namespace rag::core;
    using namespace rag::test;
    if (argc != 4) return 2;
    std::uint32_t next = static_cast<std::uint32_t>(std::stoul(argv[2]));
    std::mt19937 random(static_cast<std::uint32_t>(std::stoul(argv[3])));
    try {
        EngineOptions options;
        options.path = argv[1];
        auto engine = Engine::open(options);
        say("O");
        std::vector<std::string> ids;
        for (std::uint32_t round = 1;; ++round) {
            const std::uint32_t first = next;
            std::vector<CrashDocument> documents;
            for (std::uint32_t i = 0; i < 1 + random() % 40; ++i) documents.push_back(crash_document(next++, 0));
            engine->add(inputs_of(documents), {}, ids);
            say("A " + std::to_string(first) + " " + std::to_string(next));
            if (random() % 3 == 0) {
                const std::uint32_t n = first + static_cast<std::uint32_t>(random() % documents.size());
                say("U " + std::to_string(n) + " " + std::to_string(round));
                const std::vector<CrashDocument> changed = {crash_document(n, round)};
                engine->upsert(inputs_of(changed), {}, ids);
                say("V " + std::to_string(n) + " " + std::to_string(round));
            }
            if (random() % 3 == 0) {
                const std::string id = "doc" + std::to_string(first);
                say("R " + std::to_string(first));
                engine->remove(std::vector<std::string_view>{id}, std::nullopt);
                say("D " + std::to_string(first));
            }
            // The derived files are written and swapped in the middle of it all, too.
            if (random() % 8 == 0) engine->compact();
            if (random() % 8 == 0) {
                engine->close();
                engine = Engine::open(options);
            }
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "crash_writer: %s\n", error.what());
        return 1;
    }
}
