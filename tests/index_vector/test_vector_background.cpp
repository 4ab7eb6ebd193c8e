// Building beside writers and readers: what one thread maintains while others add, remove and search is what a fresh index of the
// same rows would be.
#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <thread>

#include "index/vector/vector_index.hpp"
#include "vectors.hpp"

using namespace rag::core;

namespace {

VectorIndexOptions background_options(std::size_t dimension, std::size_t tail_limit) {
    VectorIndexOptions options;
    options.dimension = dimension;
    options.tail_limit = tail_limit;
    options.ef_construction = 40;
    options.background = true;
    return options;
}

}  // namespace

TEST_CASE("in the background mode nothing is built until maintain, and all is found before and after") {
    constexpr std::size_t kRows = 1000;
    VectorIndex index(background_options(16, 100));
    const auto vectors = rag::test::random_vectors(kRows, 16, 7);
    index.add(rag::test::consecutive_ids(kRows), vectors);
    CHECK(index.stats().segments == 0);
    CHECK(index.stats().tail_rows == kRows);
    const auto all_found = [&] {
        for (std::size_t row = 0; row < kRows; ++row) {
            const auto hits = index.search(rag::test::row_of(vectors, 16, row), 1);
            if (hits.size() != 1 || hits.front().id != static_cast<std::int64_t>(row)) return false;
        }
        return true;
    };
    CHECK(all_found());
    CHECK(index.maintain());
    CHECK_FALSE(index.maintain());
    CHECK(index.stats().segments == 1);
    CHECK(index.stats().tail_rows == 0);
    CHECK(all_found());
    const auto few = rag::test::consecutive_ids(50, 5000);
    index.add(few, rag::test::random_vectors(50, 16, 8));
    CHECK_FALSE(index.maintain());
    CHECK(index.stats().tail_rows == 50);
}

TEST_CASE("a build that is stopped changes nothing") {
    VectorIndex index(background_options(16, 100));
    index.add(rag::test::consecutive_ids(500), rag::test::random_vectors(500, 16, 7));
    const auto before = index.serialize();
    int polls = 0;
    const Progress stop_late = [&](std::uint64_t, std::uint64_t) { return ++polls < 4; };
    CHECK_THROWS_AS(index.maintain(stop_late), Stopped);
    CHECK(polls == 4);
    CHECK(index.serialize() == before);
    // The next rows do not go into what the stopped build took for its own.
    index.add(rag::test::consecutive_ids(10, 1000), rag::test::random_vectors(10, 16, 9));
    CHECK(index.maintain());
    CHECK(index.stats().tail_rows == 10);
    index.seal();
    CHECK(index.stats().tail_rows == 0);
    CHECK(index.size() == 510);
    std::string why;
    CHECK(index.verify(why));
}

TEST_CASE("rows removed and replaced while a graph is built are gone from it, and new ones stay in the tail") {
    const VectorType type = GENERATE(VectorType::kFloat32, VectorType::kInt8);
    constexpr std::size_t kRows = 600;
    auto options = background_options(16, 500);
    options.type = type;
    VectorIndex index(options);
    const auto vectors = rag::test::random_vectors(2 * kRows, 16, 3);
    index.add(rag::test::consecutive_ids(kRows), std::span(vectors).first(kRows * 16));
    bool changed = false;
    const Progress change = [&](std::uint64_t done, std::uint64_t) {
        if (done < kRows / 2 || changed) return true;
        changed = true;  // in the middle of the graph, on the thread that builds it: no lock may be held
        CHECK(index.remove(rag::test::consecutive_ids(100)) == 100);
        index.add(rag::test::consecutive_ids(50), std::span(vectors).subspan(kRows * 16, 50 * 16));
        index.add(rag::test::consecutive_ids(30, 5000), std::span(vectors).last(30 * 16));
        return true;
    };
    CHECK(index.maintain(change));
    REQUIRE(changed);
    CHECK(index.size() == kRows - 100 + 50 + 30);
    CHECK(index.stats().segments == 1);
    CHECK(index.stats().tail_rows == 80);
    CHECK(index.stats().dead == 100);
    std::string why;
    CHECK(index.verify(why));
    std::vector<float> out(16);
    CHECK(index.get(7, out));
    CHECK(out.front() == Approx(vectors[(kRows + 7) * 16]).epsilon(1e-5));
    CHECK_FALSE(index.contains(70));
    const auto old = index.search(rag::test::row_of(vectors, 16, 70), kRows);
    CHECK(std::none_of(old.begin(), old.end(), [](const Neighbour& hit) { return hit.id >= 50 && hit.id < 100; }));
    CHECK(old.size() == index.size());
    const auto copy = VectorIndex::parse(index.serialize(), nullptr, "copy");
    CHECK(copy->ids() == index.ids());
}

TEST_CASE("one thread writes, one maintains, others search: the end is what was written") {
    constexpr std::size_t kDimension = 12;
    VectorIndex index(background_options(kDimension, 64));
    std::atomic<bool> done{false};
    std::atomic<std::size_t> wrong{0};
    const auto kept = rag::test::random_vectors(50, kDimension, 1);
    index.add(rag::test::consecutive_ids(50), kept);
    std::thread builder([&] {
        while (!done) {
            if (!index.maintain()) std::this_thread::yield();
        }
    });
    std::vector<std::thread> readers;
    for (std::size_t t = 0; t < 2; ++t) {
        readers.emplace_back([&, t] {
            std::vector<float> out(kDimension);
            for (std::size_t i = t; !done; ++i) {
                const std::size_t row = i % 50;
                const auto hits = index.search(rag::test::row_of(kept, kDimension, row), 3);
                if (hits.empty() || hits.front().id != static_cast<std::int64_t>(row)) ++wrong;
                if (!index.get(static_cast<std::int64_t>(row), out)) ++wrong;
            }
        });
    }
    std::map<std::int64_t, std::vector<float>> written;
    for (std::size_t row = 0; row < 50; ++row) {
        const auto vector = rag::test::row_of(kept, kDimension, row);
        written[static_cast<std::int64_t>(row)] = {vector.begin(), vector.end()};
    }
    std::mt19937_64 random(5);
    for (std::int64_t step = 0; step < 300; ++step) {
        const auto fresh = rag::test::random_vectors(8, kDimension, random());
        std::vector<std::int64_t> ids;
        // Ids come back: removed here, added again below.
        while (ids.size() < 8) {
            const auto id = static_cast<std::int64_t>(50 + random() % 900);
            if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
        }
        index.remove(ids);
        index.add(ids, fresh);
        for (std::size_t i = 0; i < ids.size(); ++i) {
            const auto vector = rag::test::row_of(fresh, kDimension, i);
            written[ids[i]] = {vector.begin(), vector.end()};
        }
        if (step % 50 == 20) CHECK(VectorIndex::parse(index.serialize(), nullptr, "copy")->ids() == index.ids());
    }
    done = true;
    builder.join();
    for (auto& reader : readers) reader.join();
    while (index.maintain()) {
    }
    CHECK(wrong == 0);
    CHECK(index.size() == written.size());
    std::string why;
    CHECK(index.verify(why));
    for (const auto& [id, vector] : written) {
        const auto hits = index.search(vector, 1);
        REQUIRE(hits.size() == 1);
        CHECK(hits.front().id == id);
    }
}

TEST_CASE("without the background mode equal calls give equal bytes") {
    auto options = background_options(16, 100);
    options.background = false;
    std::vector<std::byte> first;
    for (int run = 0; run < 2; ++run) {
        VectorIndex index(options);
        for (std::int64_t i = 0; i < 12; ++i) {
            index.add(rag::test::consecutive_ids(60, 1000 - 60 * i), rag::test::random_vectors(60, 16, 20 + i));
            index.remove(rag::test::consecutive_ids(25, 1000 - 60 * i));
        }
        if (run == 0) first = index.serialize();
        CHECK(index.serialize() == first);
        CHECK(index.stats().segments >= 1);
    }
}

TEST_CASE("verify does not wait for a graph that is being built, and can be stopped") {
    constexpr std::size_t kRows = 3000;
    VectorIndex index(background_options(16, 100));
    index.add(rag::test::consecutive_ids(kRows), rag::test::random_vectors(kRows, 16, 9));
    std::atomic<bool> building{false};
    std::atomic<bool> go_on{false};
    std::thread builder([&] {
        index.seal([&](std::uint64_t, std::uint64_t) {
            building = true;
            while (!go_on) std::this_thread::yield();
            return true;
        });
    });
    while (!building) std::this_thread::yield();
    std::string why;
    CHECK(index.verify(why));
    CHECK(index.stats().segments == 0);
    go_on = true;
    builder.join();
    CHECK(index.stats().segments == 1);
    CHECK(index.verify(why));
    CHECK_THROWS_AS(index.verify(why, [](std::uint64_t, std::uint64_t) { return false; }), Stopped);
    index.add(std::vector<std::int64_t>{1'000'000}, rag::test::random_vectors(1, 16, 10));  // no lock was left
}
