// VectorIndex beside hnswlib 0.8 in one program, on the same vectors, one thread: build vectors/s, and queries/s at the smallest
// beam whose recall@10 is at least 0.99. hnswlib is compiled here with the flags of this file (its kernels are chosen at compile
// time: give -march=native, as its Python package does), in a namespace of its own, apart from the copy inside librag.
//
//   bench_hnsw [rows=50000] [dimension=384] [clustered|uniform] [seconds a measurement=1]
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <vector>

#define hnswlib hnswlib_peer
#include <hnswlib/hnswlib.h>
#undef hnswlib

#include "index/vector/kernels.hpp"
#include "index/vector/vector_index.hpp"

namespace {

using namespace rag::core;
constexpr std::size_t kQueries = 1000;
constexpr std::size_t kNeighbours = 10;
constexpr std::size_t kM = 16;
constexpr std::size_t kEfConstruction = 200;
constexpr double kRecall = 0.99;
double g_seconds = 1;

double seconds_of(const std::function<void()>& work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Unit vectors: uniform on the sphere, or around 500 centres as embeddings lie.
std::vector<float> make_vectors(std::size_t count, std::size_t dimension, bool clustered) {
    constexpr std::size_t kCentres = 500;
    std::mt19937_64 random(1);
    std::normal_distribution<float> normal;
    std::vector<float> centres(clustered ? kCentres * dimension : 0);
    for (float& value : centres) value = normal(random);
    std::vector<float> out(count * dimension);
    for (std::size_t row = 0; row < count; ++row) {
        float* to = out.data() + row * dimension;
        const std::size_t centre = random() % kCentres;
        double squared = 0;
        for (std::size_t i = 0; i < dimension; ++i) {
            to[i] = normal(random) + (clustered ? centres[centre * dimension + i] : 0.0F);
            squared += static_cast<double>(to[i]) * static_cast<double>(to[i]);
        }
        for (std::size_t i = 0; i < dimension; ++i) to[i] = static_cast<float>(static_cast<double>(to[i]) / std::sqrt(squared));
    }
    return out;
}

struct Data {
    std::size_t rows;
    std::size_t dimension;
    std::vector<float> vectors;
    std::vector<float> queries;
    std::vector<std::set<std::int64_t>> truth;
    std::span<const float> query(std::size_t i) const { return std::span(queries).subspan(i * dimension, dimension); }
};

/// Runs `search(query, ef) -> ids` at growing beams until the recall is there; prints one line; returns queries/s.
double measure(const char* name, const Data& data, double build_seconds,
               const std::function<void(std::span<const float>, std::size_t, std::vector<std::int64_t>&)>& search) {
    std::vector<std::int64_t> ids;
    for (const std::size_t ef :
         {10U, 16U, 24U, 32U, 48U, 64U, 96U, 128U, 192U, 256U, 384U, 512U, 768U, 1024U, 1536U, 2048U, 4096U}) {
        std::size_t right = 0;
        for (std::size_t i = 0; i < kQueries; ++i) {
            search(data.query(i), ef, ids);
            for (const std::int64_t id : ids) right += data.truth[i].count(id);
        }
        const double recall = static_cast<double>(right) / static_cast<double>(kQueries * kNeighbours);
        if (recall < kRecall && ef < 4096) continue;
        double best = 0;
        for (int round = 0; round < 3; ++round) {
            std::size_t done = 0;
            double spent = 0;
            while (spent < g_seconds) {
                spent += seconds_of([&] {
                    for (std::size_t i = 0; i < 100; ++i) search(data.query((done + i) % kQueries), ef, ids);
                });
                done += 100;
            }
            best = std::max(best, static_cast<double>(done) / spent);
        }
        std::printf("%-16s build %8.0f vectors/s   ef %5zu   recall@10 %.4f   %8.0f queries/s\n", name,
                    static_cast<double>(data.rows) / build_seconds, ef, recall, best);
        std::fflush(stdout);
        return best;
    }
    return 0;
}

double run_ours(const char* name, const Data& data, VectorType type, double& build) {
    VectorIndexOptions options;
    options.dimension = data.dimension;
    options.type = type;
    options.m = kM;
    options.ef_construction = kEfConstruction;
    VectorIndex index(options);
    std::vector<std::int64_t> ids(data.rows);
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int64_t>(i);
    build = seconds_of([&] {
        index.add(ids, data.vectors);
        index.seal();
    });
    return measure(name, data, build, [&](std::span<const float> query, std::size_t ef, std::vector<std::int64_t>& out) {
        out.clear();
        for (const Neighbour& hit : index.search(query, kNeighbours, ef)) out.push_back(hit.id);
    });
}

double run_peer(const Data& data, double& build) {
    hnswlib_peer::InnerProductSpace space(data.dimension);
    hnswlib_peer::HierarchicalNSW<float> graph(&space, data.rows, kM, kEfConstruction);
    build = seconds_of([&] {
        for (std::size_t i = 0; i < data.rows; ++i) graph.addPoint(data.vectors.data() + i * data.dimension, i);
    });
    return measure("hnswlib 0.8", data, build, [&](std::span<const float> query, std::size_t ef, std::vector<std::int64_t>& out) {
        graph.setEf(ef);
        out.clear();
        for (auto heap = graph.searchKnn(query.data(), kNeighbours); !heap.empty(); heap.pop()) {
            out.push_back(static_cast<std::int64_t>(heap.top().second));
        }
    });
}

void find_truth(Data& data) {
    VectorIndexOptions options;
    options.dimension = data.dimension;
    options.tail_limit = data.rows + 1;  // no graph
    VectorIndex flat(options);
    std::vector<std::int64_t> ids(data.rows);
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int64_t>(i);
    flat.add(ids, data.vectors);
    data.truth.resize(kQueries);
    const double seconds = seconds_of([&] {
        for (std::size_t i = 0; i < kQueries; ++i) {
            for (const Neighbour& hit : flat.search_exact(data.query(i), kNeighbours)) data.truth[i].insert(hit.id);
        }
    });
    std::printf("%-16s %.0f queries/s\n", "exact scan", static_cast<double>(kQueries) / seconds);
}

}  // namespace

int main(int argc, char** argv) {
    Data data;
    data.rows = argc > 1 ? static_cast<std::size_t>(std::atol(argv[1])) : 50000;
    data.dimension = argc > 2 ? static_cast<std::size_t>(std::atol(argv[2])) : 384;
    const bool clustered = argc <= 3 || std::string(argv[3]) == "clustered";
    if (argc > 4) g_seconds = std::atof(argv[4]);
    auto all = make_vectors(data.rows + kQueries, data.dimension, clustered);
    data.queries.assign(all.begin() + static_cast<std::ptrdiff_t>(data.rows * data.dimension), all.end());
    all.resize(data.rows * data.dimension);
    data.vectors = std::move(all);
    std::printf("%zu x %zu %s, cosine, M %zu, ef_construction %zu, one thread, kernels %s\n", data.rows, data.dimension,
                clustered ? "clustered" : "uniform", kM, kEfConstruction, kernels().target);
    find_truth(data);
    double peer_build = 0;
    double float_build = 0;
    double code_build = 0;
    const double peer = run_peer(data, peer_build);
    const double floats = run_ours("librag float32", data, VectorType::kFloat32, float_build);
    const double codes = run_ours("librag int8", data, VectorType::kInt8, code_build);
    std::printf("ratio to hnswlib  float32: build %.2f, queries %.2f   int8: build %.2f, queries %.2f\n",
                peer_build / float_build, floats / peer, peer_build / code_build, codes / peer);
    return 0;
}
