// Damage to each file of a knowledge base, at many places: it opens and gives what was stored, or says what is damaged; derived
// files are made again; of a damaged log, what is missing is told, and what was committed before the damage is there.
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "engine_fixtures.hpp"

using namespace rag::core;
using namespace rag::test;
namespace fs = std::filesystem;

namespace {

constexpr const char* kDatabase = "knowledge.sqlite3";

void flip_bit(const fs::path& file, std::uint64_t at, unsigned bit) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(at));
    const char byte = static_cast<char>(stream.get() ^ (1 << bit));
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(byte);
    stream.close();
    REQUIRE(stream.good());
}

/// True if all that the engine gives of documents 0 to count - 1 is what was stored.
bool is_whole(Engine& engine, std::uint32_t count) {
    if (engine.count() != count) return false;
    for (std::uint32_t n = 0; n < count; ++n) {
        const Document wanted = numbered(n);
        const auto stored = get(engine, wanted.id);
        if (!stored || stored->text != wanted.text || !found_everywhere(engine, n)) return false;
        if (nlohmann::json::parse(stored->metadata) != nlohmann::json::parse(wanted.metadata)) return false;
    }
    return true;
}

/// Opens a damaged knowledge base of `count` documents. True: damage was named, by an error or by verify().
bool is_noticed(const fs::path& folder, std::uint32_t count, bool read_only) {
    try {
        auto engine = open_engine(folder, read_only);
        const auto report = engine->verify();
        INFO(report.json);
        if (!report.ok) return true;
        CHECK(is_whole(*engine, count));
        return false;
    } catch (const Error& error) {
        INFO(error.what());
        CHECK((error.code() == Code::kCorrupt || error.code() == Code::kVersion || error.code() == Code::kInvalidArgument));
        return true;
    }
}

/// The files as kill -9 leaves them: a database, and a log with commits that are not in it. Each document is a commit.
void make_killed(const fs::path& folder, std::uint32_t checkpointed, std::uint32_t count) {
    TemporaryFolder made;
    {
        auto engine = open_engine(made / "kb");
        add_numbered(*engine, 0, checkpointed);
    }
    auto engine = open_engine(made / "kb");
    for (std::uint32_t n = checkpointed; n < count; ++n) add_numbered(*engine, n, n + 1);
    fs::copy(made / "kb", folder);
    REQUIRE(fs::file_size(folder / "knowledge.sqlite3-wal") > 4096);
}

/// What remains of a base whose log was damaged: the documents up to some number, whole; at least `least` of them.
std::uint32_t check_beginning(const fs::path& folder, std::uint32_t least, bool read_only) {
    auto engine = open_engine(folder, read_only);
    const auto count = static_cast<std::uint32_t>(engine->count());
    CHECK(count >= least);
    CHECK(is_whole(*engine, count));
    const auto report = engine->verify();
    INFO(report.json);
    CHECK(report.ok);
    return count;
}

void accept_loss(const fs::path& folder) {
    EngineOptions options;
    options.path = folder;
    options.accept_loss = true;
    Engine::open(options)->close();
}

}  // namespace

TEST_CASE("one bit anywhere in a derived file costs nothing but time") {
    TemporaryFolder folder;
    {
        auto engine = open_engine(folder / "kb");
        add_numbered(*engine, 0, 12);
    }
    std::mt19937 random(41);
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder / "kb")) {
        if (entry.path().extension() == ".seg") names.push_back(entry.path().filename().string());
    }
    REQUIRE(names.size() == 2);
    for (const std::string& name : names) {
        const std::string whole = read_file(folder / "kb" / name);
        constexpr std::uint64_t kPlaces = 60;
        for (std::uint64_t i = 0; i < kPlaces; ++i) {
            const fs::path file = folder / "kb" / name;
            // Evenly over the file, its first and its last byte among them.
            const std::uint64_t at = i * (whole.size() - 1) / (kPlaces - 1);
            INFO(name << ", byte " << at << " of " << whole.size());
            write_file(file, whole);
            flip_bit(file, at, random() % 8);
            CHECK_FALSE(is_noticed(folder / "kb", 12, true));
            if (i % 3 == 0) fs::resize_file(file, at);
            CHECK_FALSE(is_noticed(folder / "kb", 12, true));
        }
        write_file(folder / "kb" / name, whole);
    }
}

TEST_CASE("one bit in any page of the database is noticed, or changes nothing that is given") {
    TemporaryFolder folder;
    {
        auto engine = open_engine(folder / "original");
        add_numbered(*engine, 0, 60);
    }
    const auto pages = fs::file_size(folder / "original" / kDatabase) / 4096;
    std::mt19937 random(43);
    std::size_t noticed = 0;
    constexpr std::uint64_t kPlaces = 5;  // in each page
    for (std::uint64_t i = 0; i < pages * kPlaces; ++i) {
        const fs::path copy = folder / "copy";
        fs::remove_all(copy);
        fs::copy(folder / "original", copy);
        const std::uint64_t at = i / kPlaces * 4096 + random() % 4096;
        INFO("byte " << at);
        flip_bit(copy / kDatabase, at, random() % 8);
        noticed += is_noticed(copy, 60, i % 2 == 0) ? 1 : 0;
    }
    // Much of a page may be free space, which means nothing.
    CHECK(noticed > pages * kPlaces / 8);
}

TEST_CASE("without the log's index nothing is lost, whatever is in its place") {
    TemporaryFolder folder;
    make_killed(folder / "original", 5, 25);
    std::mt19937 random(47);
    for (int round = 0; round < 8; ++round) {
        const fs::path copy = folder / "copy";
        fs::remove_all(copy);
        fs::copy(folder / "original", copy);
        const fs::path index = copy / "knowledge.sqlite3-shm";
        if (round == 0) fs::remove(index);
        if (round == 1) fs::resize_file(index, 0);
        if (round >= 2) {
            std::string noise(fs::file_size(index), '\0');
            for (char& byte : noise) byte = static_cast<char>(random());
            write_file(index, noise);
        }
        INFO("round " << round);
        CHECK(check_beginning(copy, 25, round % 2 == 0) == 25);
        CHECK(check_beginning(copy, 25, false) == 25);
    }
}

TEST_CASE("of a log that is lost, cut or damaged, all commits before the damage are there, and writing goes on") {
    TemporaryFolder folder;
    make_killed(folder / "original", 5, 25);
    const auto size = fs::file_size(folder / "original" / "knowledge.sqlite3-wal");
    std::mt19937 random(53);
    std::set<std::uint32_t> counts;
    std::size_t refused = 0;
    for (int round = 0; round < 40; ++round) {
        const fs::path copy = folder / "copy";
        fs::remove_all(copy);
        fs::copy(folder / "original", copy);
        const fs::path log = copy / "knowledge.sqlite3-wal";
        if (round == 0) {
            fs::remove(log);
        } else if (round % 2 == 0) {
            fs::resize_file(log, random() % size);
        } else {
            flip_bit(log, random() % size, random() % 8);
        }
        INFO("round " << round);
        // What is missing is told, to writers and readers, until the loss is accepted.
        const Failure failure = failure_of([&] { open_engine(copy, round % 3 == 0); });
        if (failure.code != Code::kOk) {
            ++refused;
            CHECK(failure.code == Code::kCorrupt);
            CHECK(failure.text.find("were acknowledged") != std::string::npos);
            accept_loss(copy);
        }
        const std::uint32_t count = check_beginning(copy, 6, false);
        CHECK((count == 25) == (failure.code == Code::kOk));
        counts.insert(count);
        // Documents that take the keys of those that went are found as themselves.
        {
            auto engine = open_engine(copy);
            add_numbered(*engine, count, count + 3);
        }
        CHECK(check_beginning(copy, count + 3, round % 4 < 2) == count + 3);
    }
    CHECK(counts.size() > 5);
    CHECK(counts.contains(6));  // the writer's first commit went into the database itself
    CHECK(refused > 20);
}
