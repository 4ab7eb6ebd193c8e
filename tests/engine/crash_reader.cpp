// A reader beside the crash test's writer: opens the knowledge base read-only, again and again, and checks that each answer is
// one that the writer has given. Runs until it is killed; ends with 1 and a line on standard error at the first wrong answer.
// Usage: crash_reader FOLDER SEED. Says "S" on standard output, unbuffered, for each opening whose searches were all right.
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <random>
#include <stdexcept>
#include <string>

#include "core/error.hpp"
#include "crash_documents.hpp"
#include "engine/engine.hpp"

using namespace rag::core;
using namespace rag::test;

namespace {

/// The document that a hit's text is of; the text says its number and its generation.
CrashDocument document_of(const Hit& hit) {
    constexpr std::string_view kBefore = "A document with marker";
    if (!hit.text.starts_with(kBefore)) throw std::runtime_error("a hit begins with " + hit.text.substr(0, 40));
    const char* at = hit.text.data() + kBefore.size();
    const char* const end = hit.text.data() + hit.text.size();
    std::uint32_t number = 0;
    std::uint32_t generation = 0;
    at = std::from_chars(at, end, number).ptr;
    std::from_chars(at + 1, end, generation);
    return crash_document(number, generation);
}

void check(const Hit& hit) {
    const CrashDocument wanted = document_of(hit);
    if (hit.document_id != wanted.id) throw std::runtime_error(hit.document_id + " has the text of " + wanted.id);
    if (wanted.text.substr(hit.start, hit.end - hit.start) != hit.text) throw std::runtime_error(wanted.id + " has a torn text");
}

/// Everything that is found has the text and the vector that were stored together.
void look(const Engine& engine, std::mt19937& random) {
    Query words;
    words.text = "document in the middle of words";
    words.k = 200;
    words.mode = SearchMode::kBm25;
    const auto hits = engine.search(words);
    for (const Hit& hit : hits) check(hit);
    if (hits.empty()) return;
    const CrashDocument some = document_of(hits[random() % hits.size()]);
    Query near;
    near.vector = some.vector;
    near.k = 3;
    for (const Hit& hit : engine.search(near)) {
        check(hit);
        const CrashDocument found = document_of(hit);
        float cosine = 0;
        for (std::size_t i = 0; i < found.vector.size(); ++i) cosine += found.vector[i] * some.vector[i];
        if (std::abs(cosine - hit.vector_score) > 1e-3F)
            throw std::runtime_error(fmt::format("{} has score {}, its vector says {}", hit.id, hit.vector_score, cosine));
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    std::mt19937 random(static_cast<std::uint32_t>(std::stoul(argv[2])));
    EngineOptions options;
    options.path = argv[1];
    options.read_only = true;
    for (;;) {
        try {
            const auto engine = Engine::open(options);
            for (int i = 0; i < 5; ++i) look(*engine, random);
        } catch (const Error& error) {
            // Not made yet, or being made.
            if (error.code() == Code::kNotFound || error.code() == Code::kBusy) continue;
            std::fprintf(stderr, "crash_reader: %s\n", error.what());
            return 1;
        } catch (const std::exception& error) {
            std::fprintf(stderr, "crash_reader: %s\n", error.what());
            return 1;
        }
        if (::write(STDOUT_FILENO, "S", 1) != 1) return 3;
    }
}
