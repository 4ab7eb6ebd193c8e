// Searches on several threads while one writes: no wrong row, no missing row that nobody touches, no data race (run under TSan).
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "index/vector/vector_index.hpp"
#include "vectors.hpp"

using namespace rag::core;

#ifdef __SANITIZE_THREAD__
// hnswlib takes its locks of rows and its global one in both orders, always with a row that is not linked yet, so that no other
// thread can want it: its inversions are no deadlocks, and their stacks are too often lost to be matched one by one. With
// several building threads it reads its entry point and draws levels without a lock (documented: not deterministic).
extern "C" __attribute__((visibility("default"))) const char* __tsan_default_options() {
    return "detect_deadlocks=0";
}
extern "C" __attribute__((visibility("default"))) const char* __tsan_default_suppressions() {
    return "race:hnswlib::HierarchicalNSW<float>::getRandomLevel\nrace:hnswlib::HierarchicalNSW<float>::addPoint\n";
}
#endif

TEST_CASE("searches go on while one thread adds, removes, seals and compacts") {
    constexpr std::size_t kDimension = 16;
    constexpr std::size_t kKept = 300;
    VectorIndexOptions options;
    options.dimension = kDimension;
    options.tail_limit = 128;
    options.ef_construction = 40;
    VectorIndex index(options);
    const auto kept = rag::test::random_vectors(kKept, kDimension, 1);
    index.add(rag::test::consecutive_ids(kKept), kept);

    std::atomic<bool> done{false};
    std::atomic<std::size_t> wrong{0};
    std::atomic<std::size_t> searches{0};
    const auto reader = [&](std::size_t seed) {
        std::mt19937_64 random(seed);
        const IdSet filter = IdSet::range(0, static_cast<std::int64_t>(kKept) - 1);
        std::vector<float> out(kDimension);
        while (!done) {
            const std::size_t row = random() % kKept;
            const auto query = rag::test::row_of(kept, kDimension, row);
            const auto id = static_cast<std::int64_t>(row);
            const auto hits = random() % 2 == 0 ? index.search(query, 5) : index.search(query, 5, 0, &filter);
            if (hits.empty() || hits.front().id != id) ++wrong;
            if (!index.contains(id) || !index.get(id, out)) ++wrong;
            if (index.stats().live < kKept) ++wrong;
            ++searches;
        }
    };
    std::vector<std::thread> readers;
    for (std::size_t i = 0; i < 3; ++i) readers.emplace_back(reader, i);
    std::mt19937_64 random(99);
    std::int64_t next_id = 10'000;
    for (int step = 0; step < 120; ++step) {
        const std::size_t count = 1 + random() % 60;
        index.add(rag::test::consecutive_ids(count, next_id), rag::test::random_vectors(count, kDimension, random()));
        next_id += static_cast<std::int64_t>(count);
        std::vector<std::int64_t> gone;
        for (int i = 0; i < 25; ++i)
            gone.push_back(10'000 + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(next_id - 10'000)));
        index.remove(gone);
        if (step % 20 == 7) index.seal();
        if (step % 30 == 11) index.compact();
        if (step % 40 == 13) CHECK(index.serialize().size() > 0);
    }
    while (searches < 50) std::this_thread::yield();
    done = true;
    for (auto& thread : readers) thread.join();
    CHECK(wrong == 0);
    std::string why;
    CHECK(index.verify(why));
}

TEST_CASE("two writers wait for one another") {
    VectorIndexOptions options;
    options.dimension = 8;
    options.tail_limit = 100;
    VectorIndex index(options);
    std::vector<std::thread> writers;
    for (std::int64_t writer = 0; writer < 2; ++writer) {
        writers.emplace_back([&index, writer] {
            for (std::int64_t i = 0; i < 30; ++i) {
                index.add(rag::test::consecutive_ids(10, writer * 1'000'000 + i * 10),
                          rag::test::random_vectors(10, 8, static_cast<std::uint64_t>(i)));
            }
        });
    }
    for (auto& thread : writers) thread.join();
    CHECK(index.size() == 600);
    std::string why;
    CHECK(index.verify(why));
}
