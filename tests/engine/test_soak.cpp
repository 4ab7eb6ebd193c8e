// Eight threads search while one writes, for RAG_SOAK_SECONDS (30; the long tier: 600): no wrong answer, no race (`make tsan`
// runs the same), and the knowledge base agrees with itself at the end.
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "engine_fixtures.hpp"

using namespace rag::core;
using namespace rag::test;

namespace {

constexpr std::uint32_t kKept = 400;           // documents that stay, replaced by equal ones over and over
constexpr std::uint32_t kFirstOther = 10'000;  // documents that come and go
constexpr std::size_t kReaders = 8;

std::chrono::seconds soak_time() {
    const char* text = std::getenv("RAG_SOAK_SECONDS");
    return std::chrono::seconds(text == nullptr ? 30 : std::atol(text));
}

/// One search of a random kind for a document that is there; false if it was not the best hit or something not allowed came.
bool search_is_right(const Engine& engine, std::uint32_t n, std::uint32_t kind) {
    const auto vector = vector_of(n);
    const std::string text = "marker" + std::to_string(n) + " ordinary";
    Query query;
    query.k = 1 + kind % 20;
    if (kind % 3 != 1) query.text = text;
    if (kind % 3 != 0) query.vector = vector;
    const bool filtered = kind % 4 == 0;
    if (filtered) query.where = n % 2 == 0 ? R"({"even": true})" : R"({"even": false})";
    const auto hits = engine.search(query);
    if (hits.size() != query.k || hits.front().document_id != "doc" + std::to_string(n)) return false;
    for (const Hit& hit : hits) {
        if (filtered && (std::stoul(hit.document_id.substr(3)) % 2 == 0) != (n % 2 == 0)) return false;
    }
    return true;
}

/// Adds, replaces, deletes and compacts until the time is over; returns how many documents there are then.
std::size_t write_for(Engine& engine, std::chrono::seconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    std::uint32_t first = kFirstOther;  // others alive: [first, next)
    std::uint32_t next = kFirstOther;
    for (std::uint32_t round = 0; std::chrono::steady_clock::now() < end; ++round) {
        add_numbered(engine, next, next + 500);
        next += 500;
        std::vector<Document> changed;
        for (std::uint32_t n = round % 5; n < kKept; n += 5) {
            changed.push_back(numbered(n));
            changed.back().title = "round " + std::to_string(round);
        }
        upsert(engine, changed);
        if (next - first > 20'000) {
            std::vector<std::string> gone;
            for (std::uint32_t i = 0; i < 5'000; ++i) gone.push_back("doc" + std::to_string(first++));
            remove(engine, gone);
        }
        if (round % 100 == 99) engine.compact();
    }
    return kKept + (next - first);
}

}  // namespace

TEST_CASE("eight threads search while one writes") {
    TemporaryFolder folder;
    auto engine = open_engine(folder / "kb");
    add_numbered(*engine, 0, kKept);
    std::atomic<bool> done{false};
    std::atomic<std::size_t> wrong{0};
    std::atomic<std::size_t> searches{0};
    std::vector<std::thread> readers;
    for (std::size_t t = 0; t < kReaders; ++t) {
        readers.emplace_back([&, t] {
            std::mt19937 random(static_cast<std::uint32_t>(t));
            const auto below = [&random](std::uint32_t limit) { return static_cast<std::uint32_t>(random() % limit); };
            while (!done) {
                const std::uint32_t n = below(kKept);
                const std::uint32_t kind = below(240);
                if (!search_is_right(*engine, n, kind)) ++wrong;
                ++searches;
            }
        });
    }
    const std::size_t documents = write_for(*engine, soak_time());
    done = true;
    for (auto& reader : readers) reader.join();
    CHECK(wrong == 0);
    CHECK(searches > 0);
    CHECK(engine->count() == documents);
    CHECK(engine->verify().ok);
    WARN(searches << " searches beside " << documents << " documents");
}
