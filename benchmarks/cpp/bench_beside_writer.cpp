// Latency of hybrid searches beside a writer, and where it goes. As many threads search as the process may use cores, one more
// adds documents without a pause; the same threads without the writer are the measure. Each search's time is parted into what its
// thread computed, what it waited for a core (the kernel's run queue) and the rest, which is waiting for locks, files and memory.
//
//   bench_beside_writer [chunks=100000] [seconds=10] [threads=0: as many as cores] [folder: a temporary one]
//
// threads may be a list, such as 2,1: each is measured on a copy of the same knowledge base. One that is in the folder with as
// many chunks is taken, and nothing is written to it.
// Prints tab-separated rows for each: "threads" and their number, then what, searches, and for p50, p99 and the slowest
// hundredth milliseconds, then the ratio in words.
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "core/thread_pool.hpp"
#include "engine/engine.hpp"

namespace {

using namespace rag::core;
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr std::size_t kDimension = 384;
constexpr std::size_t kCentres = 500;
constexpr std::size_t kWords = 50'000;
constexpr std::size_t kBatch = 100;
constexpr std::size_t kNew = 65'536;  // documents ready for the writer, so that making them takes no core

/// Texts of words with Zipf's frequencies and vectors around 500 centres.
class Data {
  public:
    explicit Data(std::uint64_t seed) : random_(seed), frequency_(kWords) {
        std::mt19937_64 fixed(1);
        centres_.resize(kCentres * kDimension);
        for (float& value : centres_) value = normal_(fixed);
        double sum = 0;
        for (std::size_t rank = 0; rank < kWords; ++rank) {
            sum += std::pow(static_cast<double>(rank + 1), -1.2);
            frequency_[rank] = sum;
        }
    }
    std::string text(std::size_t words) {
        std::uniform_real_distribution<double> uniform(0, frequency_.back());
        std::string out;
        for (std::size_t i = 0; i < words; ++i) {
            const auto place = std::lower_bound(frequency_.begin(), frequency_.end(), uniform(random_));
            out += (i == 0 ? "w" : " w") + std::to_string(place - frequency_.begin());
        }
        return out;
    }
    std::vector<float> vector() {
        const std::size_t centre = random_() % kCentres;
        std::vector<float> out(kDimension);
        for (std::size_t i = 0; i < kDimension; ++i) out[i] = centres_[centre * kDimension + i] + 0.7F * normal_(random_);
        return out;
    }

  private:
    std::mt19937_64 random_;
    std::normal_distribution<float> normal_;
    std::vector<float> centres_;
    std::vector<double> frequency_;  // cumulative
};

struct Documents {
    std::vector<std::string> texts;
    std::vector<std::vector<float>> vectors;
    Documents(Data& data, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            texts.push_back(data.text(60));
            vectors.push_back(data.vector());
        }
    }
};

/// Adds the documents from `first` on, under ids of their number; after the last the texts begin again.
void add(Engine& engine, const Documents& documents, std::size_t first, std::size_t count) {
    std::vector<std::string> names(count);
    std::vector<DocumentInput> batch(count);
    for (std::size_t i = 0; i < count; ++i) {
        names[i] = std::to_string(first + i);
        batch[i].id = names[i];
        batch[i].text = documents.texts[(first + i) % documents.texts.size()];
        batch[i].vector = documents.vectors[(first + i) % documents.vectors.size()];
    }
    std::vector<std::string> ids;
    engine.add(batch, {}, ids);
}

struct Sample {
    double wall = 0;  // milliseconds
    double computing = 0;
    double core = 0;  // waiting for one
    double rest() const { return std::max(0.0, wall - computing - core); }
};

double cpu_ms() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

/// What the calling thread waited in the run queue so far; 0 where the kernel does not tell.
double core_ms() {
    std::ifstream file("/proc/thread-self/schedstat");
    double running = 0;
    double waiting = 0;
    file >> running >> waiting;
    return waiting / 1e6;
}

std::vector<Sample> search(const Engine& engine, const Documents& queries, std::size_t threads, double seconds) {
    std::vector<std::vector<Sample>> samples(threads);
    std::vector<std::thread> searchers;
    const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    for (std::size_t number = 0; number < threads; ++number) {
        searchers.emplace_back([&, number] {
            pthread_setname_np(pthread_self(), "search");  // for perf
            for (std::size_t i = number; Clock::now() < end; i += threads) {
                Query query;
                query.text = std::string_view(queries.texts[i % queries.texts.size()]).substr(0, 30);
                query.vector = queries.vectors[i % queries.vectors.size()];
                query.mode = SearchMode::kHybrid;
                const double core = core_ms();
                const double cpu = cpu_ms();
                const auto begin = Clock::now();
                const std::size_t found = engine.search(query).size();
                if (found != 10) {
                    std::fprintf(stderr, "a search found %zu chunks, not 10\n", found);
                    std::abort();
                }
                Sample sample;
                sample.wall = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
                sample.computing = cpu_ms() - cpu;
                sample.core = core_ms() - core;
                samples[number].push_back(sample);
            }
        });
    }
    for (std::thread& searcher : searchers) searcher.join();
    std::vector<Sample> all;
    for (const auto& part : samples) all.insert(all.end(), part.begin(), part.end());
    std::sort(all.begin(), all.end(), [](const Sample& a, const Sample& b) { return a.wall < b.wall; });
    return all;
}

/// Returns p99.
double print(const char* what, const std::vector<Sample>& samples) {
    const auto at = [&](double share) {
        return samples[static_cast<std::size_t>(share * static_cast<double>(samples.size() - 1))];
    };
    const auto mean = [&](double from, double to, double (*part)(const Sample&)) {
        const auto begin = static_cast<std::size_t>(from * static_cast<double>(samples.size()));
        const auto end = std::max(begin + 1, static_cast<std::size_t>(to * static_cast<double>(samples.size())));
        double sum = 0;
        for (std::size_t i = begin; i < end; ++i) sum += part(samples[i]);
        return sum / static_cast<double>(end - begin);
    };
    std::printf("%s\tsearches\t%zu\tp50\t%.3f\tp99\t%.3f\tlongest\t%.3f\n", what, samples.size(), at(0.5).wall, at(0.99).wall,
                samples.back().wall);
    for (const auto& [name, from, to] : {std::tuple("all", 0.0, 1.0), std::tuple("slowest hundredth", 0.99, 1.0)}) {
        std::printf("%s\t%s\tcomputing\t%.3f\twaiting for a core\t%.3f\twaiting for else\t%.3f\n", what, name,
                    mean(from, to, [](const Sample& s) { return s.computing; }),
                    mean(from, to, [](const Sample& s) { return s.core; }),
                    mean(from, to, [](const Sample& s) { return s.rest(); }));
    }
    std::fflush(stdout);
    return at(0.99).wall;
}

std::size_t tail_of(const Engine& engine) {
    const std::string stats = engine.stats();
    const auto place = stats.find("\"tail\":", stats.find("\"vector\""));
    return place == std::string::npos ? 0 : static_cast<std::size_t>(std::atoll(stats.c_str() + place + 7));
}

/// The knowledge base to be copied: made if the folder has none, its graph built, closed.
void prepare(const fs::path& folder, std::size_t chunks) {
    EngineOptions options;
    options.path = folder;
    const auto engine = Engine::open(options);
    Data data(3);
    std::size_t stored = engine->count();
    for (; stored < chunks; stored += 1000) add(*engine, Documents(data, 1000), stored, 1000);
    static_cast<void>(search(*engine, Documents(data, 1), 1, 0.1));  // loads what was stored before
    while (tail_of(*engine) > std::max<std::size_t>(16'384, stored / 32))
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    engine->close();
}

void measure(const fs::path& folder, std::size_t threads, double seconds, const Documents& queries, const Documents& fresh) {
    std::printf("threads\t%zu\n", threads);
    EngineOptions options;
    options.path = folder;
    const auto engine = Engine::open(options);
    const std::size_t stored = engine->count();
    static_cast<void>(search(*engine, queries, threads, 1));
    const double idle = print("alone", search(*engine, queries, threads, seconds));
    std::atomic<bool> done{false};
    std::atomic<std::size_t> written{0};
    std::size_t longest_tail = 0;
    std::thread writer([&] {
        pthread_setname_np(pthread_self(), "write");
        while (!done) {
            add(*engine, fresh, stored + written, kBatch);
            written += kBatch;
        }
    });
    std::thread watcher([&] {
        while (!done) {
            longest_tail = std::max(longest_tail, tail_of(*engine));
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
        }
    });
    const double beside = print("beside a writer", search(*engine, queries, threads, seconds));
    done = true;
    writer.join();
    watcher.join();
    std::printf("p99 beside a writer is %.2f times that without; %.0f documents/s were written, the longest tail had %zu rows\n",
                beside / idle, static_cast<double>(written) / seconds, longest_tail);
    std::fflush(stdout);
}

std::vector<std::size_t> numbers_of(const char* list) {
    std::vector<std::size_t> out;
    std::istringstream stream(list);
    for (std::string word; std::getline(stream, word, ',');) {
        const auto number = static_cast<std::size_t>(std::atol(word.c_str()));
        out.push_back(number == 0 ? available_cpus() : number);
    }
    return out;
}

}  // namespace

int main(int argc, char** argv) {
    const auto chunks = static_cast<std::size_t>(argc > 1 ? std::atol(argv[1]) : 100'000);
    const double seconds = argc > 2 ? std::atof(argv[2]) : 10;
    const auto threads = numbers_of(argc > 3 ? argv[3] : "0");
    std::string temporary = "/tmp/rag_beside_writer_XXXXXX";
    if (mkdtemp(temporary.data()) == nullptr) return 1;
    const fs::path base = fs::path(argc > 4 ? argv[4] : temporary.c_str()) / "kb";
    prepare(base, chunks);
    Data data(2);
    const Documents queries(data, 1000);
    const Documents fresh(data, kNew);
    for (const std::size_t number : threads) {
        const fs::path copy = fs::path(temporary) / "copy";
        fs::copy(base, copy);
        measure(copy, number, seconds, queries, fresh);
        fs::remove_all(copy);
    }
    fs::remove_all(temporary);
    return 0;
}
