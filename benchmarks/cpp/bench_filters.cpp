// Filtered vector search: recall@10 against an exact scan, and time beside that of the same search without a filter, for filters
// that allow 100, 10, 2, 0.1 and 0.01% of the rows at random. The filter is made before the clock starts. One thread; medians.
//
//   bench_filters [rows=100000] [dimension=384] [clustered|uniform] [float32|int8] [ef=0: the default]
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/id_set.hpp"
#include "index/vector/vector_index.hpp"

namespace {

using namespace rag::core;
constexpr std::size_t kQueries = 200;
constexpr std::size_t kNeighbours = 10;

/// Around 500 centres, as embeddings lie, or on the whole sphere.
std::vector<float> make_vectors(std::size_t count, std::size_t dimension, bool clustered) {
    constexpr std::size_t kCentres = 500;
    std::mt19937_64 random(1);
    std::normal_distribution<float> normal;
    std::vector<float> centres(kCentres * dimension);
    for (float& value : centres) value = normal(random);
    std::vector<float> out(count * dimension);
    for (std::size_t row = 0; row < count; ++row) {
        const std::size_t centre = random() % kCentres;
        for (std::size_t i = 0; i < dimension; ++i) {
            out[row * dimension + i] = normal(random) + (clustered ? centres[centre * dimension + i] : 0.0F);
        }
    }
    return out;
}

double microseconds(const VectorIndex& index, const std::vector<float>& queries, std::size_t ef, const IdSet* filter) {
    const std::size_t dimension = index.options().dimension;
    std::vector<double> times;
    for (std::size_t i = 0; i < kQueries; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        index.search(std::span(queries).subspan(i * dimension, dimension), kNeighbours, ef, filter);
        times.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count());
    }
    std::nth_element(times.begin(), times.begin() + kQueries / 2, times.end());
    return times[kQueries / 2];
}

double recall(const VectorIndex& index, const std::vector<float>& queries, std::size_t ef, const IdSet* filter) {
    const std::size_t dimension = index.options().dimension;
    std::size_t right = 0;
    std::size_t all = 0;
    for (std::size_t i = 0; i < kQueries; ++i) {
        const auto query = std::span(queries).subspan(i * dimension, dimension);
        std::set<std::int64_t> truth;
        for (const Neighbour& hit : index.search_exact(query, kNeighbours, filter)) truth.insert(hit.id);
        for (const Neighbour& hit : index.search(query, kNeighbours, ef, filter)) right += truth.count(hit.id);
        all += truth.size();
    }
    return all == 0 ? 1.0 : static_cast<double>(right) / static_cast<double>(all);
}

}  // namespace

int main(int argc, char** argv) {
    VectorIndexOptions options;
    const auto rows = static_cast<std::size_t>(argc > 1 ? std::atol(argv[1]) : 100'000);
    options.dimension = static_cast<std::size_t>(argc > 2 ? std::atol(argv[2]) : 384);
    const bool clustered = argc <= 3 || std::string(argv[3]) == "clustered";
    options.type = argc > 4 && std::string(argv[4]) == "float32" ? VectorType::kFloat32 : VectorType::kInt8;
    const auto ef = static_cast<std::size_t>(argc > 5 ? std::atol(argv[5]) : 0);
    auto vectors = make_vectors(rows + kQueries, options.dimension, clustered);
    const std::vector<float> queries(vectors.end() - static_cast<std::ptrdiff_t>(kQueries * options.dimension), vectors.end());
    vectors.resize(rows * options.dimension);
    VectorIndex index(options);
    std::vector<std::int64_t> ids(rows);
    for (std::size_t i = 0; i < rows; ++i) ids[i] = static_cast<std::int64_t>(i + 1);
    index.add(ids, vectors);
    index.seal();
    std::printf("%zu x %zu %s, %s\n", rows, options.dimension, clustered ? "clustered" : "uniform",
                options.type == VectorType::kInt8 ? "int8" : "float32");
    const double plain_recall = recall(index, queries, ef, nullptr);
    for (const double share : {1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.001, 0.0001}) {
        std::mt19937_64 random(7);
        std::vector<std::int64_t> allowed;
        for (const std::int64_t id : ids) {
            if (std::uniform_real_distribution<double>()(random) < share) allowed.push_back(id);
        }
        const IdSet filter(allowed);
        const double found = recall(index, queries, ef, &filter);
        const double plain = microseconds(index, queries, ef, nullptr);
        const double filtered = microseconds(index, queries, ef, &filter);
        std::printf("%8.2f%%  recall@10 %.4f (without a filter %.4f)   %8.1f us, %5.2f times the %.1f us without a filter\n",
                    share * 100, found, plain_recall, filtered, filtered / plain, plain);
    }
    return 0;
}
