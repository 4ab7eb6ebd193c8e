// The derived files of the indexes: when they are written, how they are swapped, and how all is compared for verify().
#include <algorithm>
#include <cmath>
#include <iterator>
#include <random>

#include "core/error.hpp"
#include "core/log.hpp"
#include "core/utf8.hpp"
#include "engine/indexes.hpp"

namespace rag::core {
namespace {

// Reading an index of this many chunks again from the database takes longer than writing its file.
constexpr std::uint64_t kSmallChange = 32;
// During long additions a file is written when this many chunks, and half of all, are new since the last.
constexpr std::uint64_t kLargeChange = 50000;
constexpr std::size_t kMaxProblems = 20;

void compare_keys(std::string_view index, const std::vector<std::int64_t>& wanted, const std::vector<std::int64_t>& found,
                  std::vector<std::string>& problems) {
    std::vector<std::int64_t> missing;
    std::vector<std::int64_t> surplus;
    std::set_difference(wanted.begin(), wanted.end(), found.begin(), found.end(), std::back_inserter(missing));
    std::set_difference(found.begin(), found.end(), wanted.begin(), wanted.end(), std::back_inserter(surplus));
    if (!missing.empty()) {
        problems.push_back(
            fmt::format("{} chunks are not in the {} index, chunk {} the first", missing.size(), index, missing.front()));
    }
    if (!surplus.empty()) {
        problems.push_back(
            fmt::format("{} chunks of the {} index are not stored, chunk {} the first", surplus.size(), index, surplus.front()));
    }
}

/// Each stored vector against the one in the index, which keeps it as a unit vector and a length: equal to 1e-6 of the length.
void compare_vectors(const VectorIndex& index, StoreView& view, const Progress& progress, std::vector<std::string>& problems) {
    const std::size_t dimension = index.options().dimension;
    std::vector<float> stored(dimension);
    std::vector<float> indexed(dimension);
    std::size_t done = 0;
    const auto keys = view.embedded_keys();
    for (const std::int64_t key : keys) {
        if (done++ % 256 == 0) report(progress, done, keys.size());
        if (!view.read_vector(key, stored) || !index.get(key, indexed)) continue;  // reported by the comparison of keys
        double length = 0;
        double distance = 0;
        for (std::size_t i = 0; i < dimension; ++i) {
            length += static_cast<double>(stored[i]) * stored[i];
            distance += (static_cast<double>(stored[i]) - indexed[i]) * (static_cast<double>(stored[i]) - indexed[i]);
        }
        if (std::sqrt(distance) <= 1e-5 * std::sqrt(length)) continue;
        problems.push_back(fmt::format("the vector of chunk {} in the index is not the stored one", key));
        if (problems.size() > kMaxProblems) return;
    }
}

/// What BM25 sees of chunks.
struct Texts {
    std::vector<std::int64_t> keys;
    std::vector<std::string> titles, texts;

    static Texts of(std::span<const std::int64_t> keys, StoreView& view, const Progress& progress) {
        Texts out;
        view.each_chunk_text(
            keys, [&](std::size_t i, std::string_view title, std::string_view title_path, std::string_view text) {
                report(progress, 0, 0);
                if (find_invalid_utf8(title) != std::string_view::npos || find_invalid_utf8(text) != std::string_view::npos)
                    return;
                out.keys.push_back(keys[i]);
                out.titles.push_back(heading_of(title, title_path));
                out.texts.emplace_back(text);
            });
        return out;
    }
    static std::vector<std::string_view> views(const std::vector<std::string>& texts) { return {texts.begin(), texts.end()}; }
};

/// What the BM25 index says of each chunk against what its stored text is analyzed to. What differs is indexed anew and added to
/// `rebuilt`, unless it is the text that is damaged, which the check of the store has told. Returns how many chunks that are.
std::size_t compare_texts(Bm25Index& index, StoreView& view, const Progress& progress, std::vector<std::string>& rebuilt) {
    constexpr std::size_t kAtOnce = 512;
    const auto keys = view.chunk_keys();
    std::size_t repaired = 0;
    for (std::size_t at = 0; at < keys.size(); at += kAtOnce) {
        // Chunks are as long as their documents where those came with vectors.
        const Progress within = [&](std::uint64_t, std::uint64_t) { return !progress || progress(at, keys.size()); };
        report(within, 0, 0);
        try {
            const Texts stored = Texts::of(std::span(keys).subspan(at, std::min(kAtOnce, keys.size() - at)), view, within);
            auto different = index.find_different(stored.keys, Texts::views(stored.titles), Texts::views(stored.texts), within);
            std::erase_if(different, [&](std::int64_t key) {
                const auto end = view.find_end(key);
                return !end || !view.check_document(end->document).empty();
            });
            if (different.empty()) continue;
            const Texts again = Texts::of(different, view, {});
            index.upsert(again.keys, Texts::views(again.titles), Texts::views(again.texts));
            if (repaired == 0)
                rebuilt.push_back(
                    fmt::format("the BM25 index had other words of chunk {} than its stored text", different.front()));
            repaired += different.size();
        } catch (const Error& error) {
            if (error.code() != Code::kCorrupt) throw;  // of the store: told already
        }
    }
    return repaired;
}

}  // namespace

/// Writes the index of a slot where worth(slot) holds. Others may change the index meanwhile: the sequence number is read before
/// the rows are taken, so that whatever else the file holds shows at the next opening as a difference from the database.
template <typename Index, typename Worth, typename Write>
void Indexes::save_slot(const char* kind, Slot<Index>& slot, const Worth& worth, const Write& write) {
    std::shared_ptr<Index> index;
    std::uint64_t unsaved = 0;
    {
        const std::lock_guard lock(change_);
        if (!slot.index || !worth(slot)) return;
        index = slot.index;
        unsaved = slot.unsaved;
    }
    const std::int64_t sequence = store_.read().sequence();
    // Drawn by lot too: a database that is put back, or taken from elsewhere, must not find a file of another history under the
    // name that it knows.
    std::random_device random;
    DerivedFile file{kind, fmt::format("index-{}-{:08x}.{}.seg", sequence, random() & 0xFFFFFFFFU, kind), sequence, 0};
    const auto path = store_.folder() / file.name;
    write(*index, path, static_cast<std::uint64_t>(sequence));
    std::error_code error;
    file.size = static_cast<std::int64_t>(std::filesystem::file_size(path, error));
    std::optional<DerivedFile> former;
    {
        auto transaction = store_.write();
        former = transaction.set_file(file);
        transaction.commit();
    }
    // Only after the commit: until then the former file is the listed one. A reader that has it mapped keeps it.
    if (former && former->name != file.name) std::filesystem::remove(store_.folder() / former->name, error);
    const std::lock_guard lock(change_);
    slot.unsaved -= std::min(slot.unsaved, unsaved);
    slot.has_file = true;
}

template <typename Worth>
void Indexes::save_where(const Worth& worth, const Progress& progress) {
    if (store_.in_memory() || store_.read_only()) return;
    const std::lock_guard saving(saving_);
    save_slot("bm25", bm25_, worth,
              [&](const Bm25Index& index, const auto& path, std::uint64_t sequence) { index.save(path, sequence, progress); });
    report(progress, 0, 0);
    save_slot("vector", vectors_, worth, [&](VectorIndex& index, const auto& path, std::uint64_t sequence) {
        index.set_sequence(sequence);
        index.save(path, progress);
    });
}

void Indexes::save(bool always, const Progress& progress) {
    save_where(
        [always](const auto& slot) {
            if (always || !slot.has_file) return slot.unsaved > 0 || !slot.has_file;
            return slot.unsaved > kSmallChange + slot.index->size() / 64;
        },
        progress);
}

/// What the thread does: one rebuild at a time, then files where so much is new that reading it again would take long.
bool Indexes::work(const Progress& progress) {
    Pace pace(courtesy_, kUpkeepPatience);
    const Progress paced = [&](std::uint64_t done, std::uint64_t total) {
        pace.give_way();
        return progress(done, total);
    };
    const auto index = loaded_vectors();
    if (index && index->maintain(paced)) return true;
    save_where([](const auto& slot) { return slot.unsaved > kLargeChange && slot.unsaved > slot.index->size() / 2; }, paced);
    return false;
}

void Indexes::compact(const Progress& progress) {
    background_.stop();  // what it builds would be built again
    bm25(progress)->compact(progress);
    report(progress, 0, 0);
    if (const auto index = vectors(progress)) index->compact(progress);
    // The files hold the same chunks, in more space.
    const std::lock_guard lock(change_);
    ++bm25_.unsaved;
    ++vectors_.unsaved;
}

void Indexes::verify(const Progress& progress, std::vector<std::string>& problems, std::vector<std::string>& rebuilt) {
    const auto bm25_index = bm25(progress);
    const auto vector_index = vectors(progress);
    const std::lock_guard lock(change_);
    auto view = store_.read();
    if (!store_.in_memory()) {
        for (const auto& file : view.files()) {
            try {
                const auto path = store_.folder() / file.name;
                if (file.kind == "bm25") Bm25Index::load(path);
                if (file.kind == "vector") VectorIndex::load(path);
            } catch (const Error& error) {
                rebuilt.emplace_back(error.what());
                (file.kind == "bm25" ? bm25_.has_file : vectors_.has_file) = false;
            }
        }
    }
    report(progress, 0, 0);
    std::string why;
    compare_keys("BM25", view.chunk_keys(), bm25_index->ids(), problems);
    if (!bm25_index->verify(why, progress)) problems.push_back("BM25 index: " + why);
    if (compare_texts(*bm25_index, view, progress, rebuilt) > 0) bm25_.has_file = false;
    report(progress, 0, 0);
    if (!vector_index) {
        compare_keys("vector", view.embedded_keys(), {}, problems);
        return;
    }
    compare_keys("vector", view.embedded_keys(), vector_index->ids(), problems);
    if (!vector_index->verify(why, progress)) problems.push_back("vector index: " + why);
    compare_vectors(*vector_index, view, progress, problems);
}

}  // namespace rag::core
