// kill -9 at random moments of adds, replacements, deletes, compactions and openings: after each, the knowledge base opens,
// verify() is clean, and every acknowledged document is found by id, by BM25 and by vector. A reader in a process of its own
// looks on all the while (crash_reader.cpp), and is killed too now and then. RAG_CRASH_ROUNDS: 50 by default.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "crash_documents.hpp"
#include "engine_fixtures.hpp"
#include "run_and_kill.hpp"

using namespace rag::core;
using namespace rag::test;

namespace {

/// What the writers said so far: the generation of each document that must be there, and what is in doubt.
struct Expected {
    std::map<std::uint32_t, std::uint32_t> present;
    std::optional<std::uint32_t> may_be_gone;
    std::optional<std::pair<std::uint32_t, std::uint32_t>> may_be_new;
    std::set<std::uint32_t> gone;
    std::uint32_t next = 0;

    void hear(const std::string& line) {
        std::istringstream words(line);
        char what = 0;
        std::uint32_t a = 0;
        std::uint32_t b = 0;
        words >> what >> a >> b;
        if (what == 'A') {
            for (std::uint32_t n = a; n < b; ++n) present[n] = 0;
            next = b;
        }
        if (what == 'U') may_be_new = {a, b};
        if (what == 'V') present[a] = b, may_be_new.reset();
        if (what == 'R') may_be_gone = a;
        if (what == 'D') present.erase(a), gone.insert(a), may_be_gone.reset();
    }
};

/// Runs the writer, kills it (see run_and_kill), and hears what it said until then.
void hear_and_kill(const std::string& folder, Expected& expected, unsigned seed, int delay_ms, bool opened) {
    const std::vector<std::string> arguments = {CRASH_WRITER, folder, std::to_string(expected.next), std::to_string(seed)};
    for (const std::string& line : run_and_kill(arguments, delay_ms, opened)) expected.hear(line);
}

/// A reader process; it must be running still when it is ended.
class Reader {
  public:
    Reader(const std::string& folder, unsigned seed) {
        REQUIRE(::pipe(ends_) == 0);
        const std::string seed_text = std::to_string(seed);
        child_ = ::fork();
        if (child_ == 0) {
            ::dup2(ends_[1], STDOUT_FILENO);
            ::close(ends_[0]);
            ::close(ends_[1]);
            ::execl(CRASH_READER, CRASH_READER, folder.c_str(), seed_text.c_str(), nullptr);
            ::_exit(127);
        }
        ::close(ends_[1]);
    }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    ~Reader() {
        if (child_ > 0) end();
    }

    /// Kills it; returns how many of its openings gave right answers.
    std::size_t end() {
        ::kill(child_, SIGKILL);
        int status = 0;
        ::waitpid(child_, &status, 0);
        child_ = 0;
        CHECK(WIFSIGNALED(status));  // by itself it ends only at a wrong answer
        std::size_t count = 0;
        char buffer[4096];
        for (ssize_t size = 0; (size = ::read(ends_[0], buffer, sizeof(buffer))) > 0;) count += static_cast<std::size_t>(size);
        ::close(ends_[0]);
        return count;
    }

  private:
    int ends_[2] = {};
    pid_t child_ = 0;
};

bool is_found(const Engine& engine, std::uint32_t n, std::uint32_t generation) {
    const CrashDocument document = crash_document(n, generation);
    const auto stored = get(engine, document.id);
    if (!stored || stored->text != document.text) return false;
    const auto words = search_text(engine, "marker" + std::to_string(n) + "x" + std::to_string(generation), 1);
    const auto near = search_vector(engine, document.vector, 1);
    return words.size() == 1 && words[0].document_id == document.id && near.size() == 1 && near[0].document_id == document.id &&
           near[0].score > 0.9999F;
}

void judge(const std::string& folder, Expected& expected) {
    auto engine = open_engine(folder);
    const auto report = engine->verify();
    INFO(report.json);
    REQUIRE(report.ok);
    if (expected.may_be_gone) {
        const std::uint32_t n = *expected.may_be_gone;
        if (!get(*engine, "doc" + std::to_string(n))) expected.present.erase(n), expected.gone.insert(n);
        expected.may_be_gone.reset();
    }
    if (expected.may_be_new) {
        const auto [n, generation] = *expected.may_be_new;
        if (expected.present.contains(n) && is_found(*engine, n, generation)) expected.present[n] = generation;
        expected.may_be_new.reset();
    }
    std::uint32_t lost = 0;
    for (const auto& [n, generation] : expected.present) lost += is_found(*engine, n, generation) ? 0 : 1;
    CHECK(lost == 0);
    for (const std::uint32_t n : expected.gone) CHECK_FALSE(get(*engine, "doc" + std::to_string(n)));
    // The batch that was under way is there as a whole or not at all, and its documents were never acknowledged.
    const auto stored = engine->count();
    CHECK(stored >= expected.present.size());
    for (std::uint32_t n = expected.next; stored > expected.present.size() && get(*engine, "doc" + std::to_string(n)); ++n) {
        CHECK(is_found(*engine, n, 0));
        expected.present[n] = 0;
        expected.next = n + 1;
    }
    CHECK(engine->count() == expected.present.size());
}

}  // namespace

TEST_CASE("killed at any moment, nothing acknowledged is lost") {
    const char* wanted = std::getenv("RAG_CRASH_ROUNDS");
    const int rounds = wanted != nullptr ? std::atoi(wanted) : 50;
    std::mt19937 random(20261123);
    std::optional<TemporaryFolder> folder;
    Expected expected;
    std::size_t acknowledged = 0;
    std::size_t looks = 0;
    std::optional<Reader> reader;
    for (int round = 0; round < rounds; ++round) {
        if (round % 10 == 0) {  // a new knowledge base now and then, so that creation is interrupted too
            if (reader) looks += reader->end();
            folder.emplace();
            expected = {};
            reader.emplace((*folder / "kb").string(), static_cast<unsigned>(random()));
        }
        INFO("round " << round);
        // The creation of the folder and its tables takes some 10 ms: the first kills aim at it.
        const bool opened = round % 10 >= 3;
        const int delay_ms = static_cast<int>(random() % (opened ? 250 : 40));
        hear_and_kill((*folder / "kb").string(), expected, static_cast<unsigned>(random()), delay_ms, opened);
        // Readers die beside writers, and come back while the log waits to be read.
        if (round % 5 == 4) {
            looks += reader->end();
            reader.emplace((*folder / "kb").string(), static_cast<unsigned>(random()));
        }
        judge((*folder / "kb").string(), expected);
        acknowledged += expected.present.size();
    }
    if (reader) looks += reader->end();
    CHECK(acknowledged > 0);
    CHECK(looks > 0);
    WARN(rounds << " kills, " << acknowledged << " acknowledged documents looked up after them, " << looks
                << " openings by a reader beside the writer");
}
