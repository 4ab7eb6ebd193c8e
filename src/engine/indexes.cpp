#include "engine/indexes.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iterator>

#include "core/error.hpp"
#include "core/log.hpp"
#include "engine/metric_setting.hpp"
#include "text/chunk.hpp"

namespace rag::core {
namespace {

// Chunks that repair adds at a time: a step between two looks at the clock, and memory for their texts or vectors.
constexpr std::size_t kRepairBatch = 1024;

std::vector<std::int64_t> difference(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
    std::vector<std::int64_t> out;
    std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
    return out;
}

/// The keys that an index lacks and those it has too many of. Where it has as many as the database up to the last key it knows,
/// it has the same ones, since keys do not come back: then only what is above is read.
struct Gap {
    std::vector<std::int64_t> missing;
    std::vector<std::int64_t> surplus;
    std::int64_t highest = 0;  // that the index holds, where it was compared
};
template <typename Index, typename Count, typename Keys>
Gap find_gap(const Index& index, std::int64_t last_key, const Count& count_to, const Keys& keys_above) {
    if (last_key > 0 && count_to(last_key) == static_cast<std::int64_t>(index.size())) return {keys_above(last_key), {}, 0};
    const auto have = index.ids();
    const auto live = keys_above(0);
    return {difference(live, have), difference(have, live), have.empty() ? 0 : have.back()};
}

std::vector<std::string_view> views_of(const std::vector<std::string>& texts) {
    return {texts.begin(), texts.end()};
}

/// A file of another size than the listed one is not that file.
void require_size(const std::filesystem::path& path, const DerivedFile& listed) {
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    if (error || static_cast<std::int64_t>(size) == listed.size) return;  // what is missing is told by its reader
    fail(Code::kCorrupt, "{} has {} bytes, {} were written", quote(path.string(), 400), size, listed.size);
}

}  // namespace

std::string heading_of(std::string_view title, std::string_view title_path) {
    if (title_path.empty()) return std::string(title);
    // A document is often called by its first heading.
    const bool said = title_path.starts_with(title) &&
                      (title_path.size() == title.size() || title_path.substr(title.size()).starts_with(kTitlePathSeparator));
    if (title.empty() || said) return std::string(title_path);
    return std::string(title).append(kTitlePathSeparator).append(title_path);
}

std::string indexed_text(std::string_view title, std::string_view text) {
    std::string out(title);
    if (!title.empty()) out += '\n';
    out += text;
    return out;
}

std::size_t stored_dimension(StoreView& view) {
    const auto text = view.meta("dimension");
    if (!text) return 0;
    std::size_t dimension = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), dimension);
    if (error != std::errc{} || end != text->data() + text->size() || dimension == 0 || dimension > 65536)
        fail(Code::kCorrupt, "the knowledge base is damaged: its vectors have dimension {}", quote(*text));
    return dimension;
}

Indexes::Indexes(Store& store, VectorType vector_type, const Bm25Options& bm25_options)
    : store_(store),
      vector_type_(vector_type),
      bm25_options_(bm25_options),
      background_("the indexes' upkeep", [this](const Progress& progress) { return work(progress); }) {}

VectorIndexOptions Indexes::vector_options(std::size_t dimension, Metric metric) const {
    VectorIndexOptions options;
    options.dimension = dimension;
    options.metric = metric;
    // A scan of 16,384 vectors costs about two milliseconds, and a graph that saves less than that is soon merged again.
    options.tail_limit = 16384;
    options.background = true;
    options.type = vector_type_;
    return options;
}

std::shared_ptr<Bm25Index> Indexes::loaded_bm25() const {
    const std::lock_guard lock(pointers_);
    return bm25_.index;
}

std::shared_ptr<VectorIndex> Indexes::loaded_vectors() const {
    const std::lock_guard lock(pointers_);
    return vectors_.index;
}

void Indexes::refresh() {
    if (!store_.read_only()) return;
    // Read before the view is opened: a commit in between is seen now and compared once more later.
    const std::int64_t version = store_.data_version();
    if (version == checked_version_.load()) return;
    const std::lock_guard lock(change_);
    if (version == seen_version_) return;
    const auto bm25_index = loaded_bm25();
    const auto vector_index = loaded_vectors();
    if (bm25_index || vector_index) {
        auto view = store_.read();
        if (bm25_index) sync_bm25(*bm25_index, view, {});
        if (vector_index && vectors_.from != view.meta_number(kVectorsFromMeta).value_or(0)) {
            background_.stop();  // a graph for the index that goes
            open_vectors(view, stored_dimension(view), stored_metric(view), {});
        } else if (vector_index && !take_written(*vector_index, view)) {
            sync_vectors(*vector_index, view, {});
        }
        background_.wake();
    }
    seen_version_ = version;
    checked_version_ = version;
}

/// A reader maps the file that the writer has written meanwhile, where that spares it a graph of its own. False: nothing changed.
bool Indexes::take_written(const VectorIndex& index, StoreView& view) {
    const auto files = view.files();
    const auto written = std::find_if(files.begin(), files.end(), [&](const DerivedFile& file) {
        return file.kind == "vector" && file.sequence > vectors_.file_sequence && file.sequence >= vectors_.from;
    });
    if (written == files.end()) return false;
    const VectorIndexOptions options = vector_options(index.options().dimension, index.options().metric);
    const std::int64_t missing = view.count_embedded_to(view.last_chunk_key()) - static_cast<std::int64_t>(index.size());
    if (missing + static_cast<std::int64_t>(index.stats().tail_rows) < static_cast<std::int64_t>(options.tail_limit))
        return false;
    vectors_.file_sequence = written->sequence;
    // The writer may have replaced it again already: the next refresh sees that.
    std::error_code error;
    if (!std::filesystem::exists(store_.folder() / written->name, error)) return false;
    std::shared_ptr<VectorIndex> fresh = load_vectors(*written, options);
    if (!fresh) return false;
    background_.stop();  // a graph for the index that goes
    vectors_.last_key = written->sequence == view.sequence() ? view.last_chunk_key() : 0;
    sync_vectors(*fresh, view, {});
    const std::lock_guard lock(pointers_);
    vectors_.index = std::move(fresh);
    return true;
}

std::shared_ptr<Bm25Index> Indexes::bm25(const Progress& progress) {
    refresh();
    if (auto index = loaded_bm25()) return index;
    const std::lock_guard lock(change_);
    if (auto index = loaded_bm25()) return index;
    auto view = store_.read();
    return open_bm25(view, progress);
}

std::shared_ptr<VectorIndex> Indexes::vectors(const Progress& progress) {
    refresh();
    if (auto index = loaded_vectors()) return index;
    const std::lock_guard lock(change_);
    if (auto index = loaded_vectors()) return index;
    auto view = store_.read();
    const std::size_t dimension = stored_dimension(view);
    if (dimension == 0) return nullptr;
    return open_vectors(view, dimension, stored_metric(view), progress);
}

std::unique_ptr<Bm25Index> Indexes::load_bm25(const DerivedFile& file) {
    try {
        require_size(store_.folder() / file.name, file);
        auto index = Bm25Index::load(store_.folder() / file.name);
        const Bm25Index fresh(bm25_options_);
        if (index->options() == fresh.options() && index->analyzer().version() == fresh.analyzer().version()) return index;
        log(LogLevel::kInfo, "the BM25 index is built again: it was made by {} with other settings or rules",
            index->stats().analyzer);
    } catch (const Error& error) {
        if (error.code() == Code::kOutOfMemory) throw;
        log(LogLevel::kWarning, "the BM25 index is built again: {}", error.what());
    }
    return nullptr;
}

std::unique_ptr<VectorIndex> Indexes::load_vectors(const DerivedFile& file, const VectorIndexOptions& options) {
    try {
        require_size(store_.folder() / file.name, file);
        return VectorIndex::load(store_.folder() / file.name, options);
    } catch (const Error& error) {
        if (error.code() == Code::kOutOfMemory) throw;
        log(LogLevel::kWarning, "the vector index is built again: {}", error.what());
    }
    return nullptr;
}

std::shared_ptr<Bm25Index> Indexes::open_bm25(StoreView& view, const Progress& progress) {
    std::unique_ptr<Bm25Index> index;
    bm25_.has_file = false;
    bm25_.unsaved = 0;
    bm25_.last_key = 0;
    for (const auto& file : view.files()) {
        if (file.kind != "bm25") continue;
        index = load_bm25(file);
        if (!index) continue;
        bm25_.has_file = true;
        // A file of this very state needs no comparing of keys: find_gap then only counts.
        if (static_cast<std::int64_t>(index->stats().sequence) == view.sequence()) bm25_.last_key = view.last_chunk_key();
    }
    if (!index) index = std::make_unique<Bm25Index>(bm25_options_);
    sync_bm25(*index, view, progress);
    const std::lock_guard lock(pointers_);
    bm25_.index = std::move(index);
    return bm25_.index;
}

std::shared_ptr<VectorIndex> Indexes::open_vectors(StoreView& view, std::size_t dimension, Metric metric,
                                                   const Progress& progress) {
    std::unique_ptr<VectorIndex> index;
    vectors_.has_file = false;
    vectors_.unsaved = 0;
    vectors_.last_key = 0;
    vectors_.from = view.meta_number(kVectorsFromMeta).value_or(0);
    for (const auto& file : view.files()) {
        // Of other vectors is what a writer left that knows nothing of exchanges.
        if (file.kind != "vector" || file.sequence < vectors_.from) continue;
        vectors_.file_sequence = file.sequence;
        index = load_vectors(file, vector_options(dimension, metric));
        if (!index) continue;
        vectors_.has_file = true;
        if (static_cast<std::int64_t>(index->sequence()) == view.sequence()) vectors_.last_key = view.last_chunk_key();
    }
    if (!index) index = std::make_unique<VectorIndex>(vector_options(dimension, metric));
    sync_vectors(*index, view, progress);
    const std::lock_guard lock(pointers_);
    vectors_.index = std::move(index);
    background_.wake();
    return vectors_.index;
}

void Indexes::sync_bm25(Bm25Index& index, StoreView& view, const Progress& progress) {
    const Gap gap = find_gap(
        index, bm25_.last_key, [&](std::int64_t key) { return view.count_chunks_to(key); },
        [&](std::int64_t above) { return view.chunk_keys(above); });
    highest_key_ = std::max(highest_key_, gap.highest);
    bm25_.unsaved += gap.missing.size() + index.remove(gap.surplus);
    fill(index, gap.missing, view, progress);
    bm25_.last_key = view.last_chunk_key();
}

void Indexes::fill(Bm25Index& index, std::span<const std::int64_t> missing, StoreView& view, const Progress& progress) {
    for (std::size_t at = 0; at < missing.size(); at += kRepairBatch) {
        report(progress, at, missing.size());
        const auto keys = missing.subspan(at, std::min(kRepairBatch, missing.size() - at));
        std::vector<std::string> titles(keys.size());
        std::vector<std::string> texts(keys.size());
        view.each_chunk_text(keys,
                             [&](std::size_t i, std::string_view title, std::string_view title_path, std::string_view text) {
                                 titles[i] = heading_of(title, title_path);
                                 texts[i] = text;
                             });
        index.add(keys, views_of(titles), views_of(texts));
    }
}

void Indexes::sync_vectors(VectorIndex& index, StoreView& view, const Progress& progress) {
    const Gap gap = find_gap(
        index, vectors_.last_key, [&](std::int64_t key) { return view.count_embedded_to(key); },
        [&](std::int64_t above) { return view.embedded_keys(above); });
    highest_key_ = std::max(highest_key_, gap.highest);
    vectors_.unsaved += gap.missing.size() + index.remove(gap.surplus);
    fill(index, gap.missing, view, progress);
    vectors_.last_key = view.last_chunk_key();
}

void Indexes::fill(VectorIndex& index, std::span<const std::int64_t> missing, StoreView& view, const Progress& progress) const {
    const std::size_t dimension = index.options().dimension;
    for (std::size_t at = 0; at < missing.size(); at += kRepairBatch) {
        report(progress, at, missing.size());
        const auto keys = missing.subspan(at, std::min(kRepairBatch, missing.size() - at));
        std::vector<float> values(keys.size() * dimension);
        for (std::size_t i = 0; i < keys.size(); ++i) {
            view.read_vector(keys[i], std::span(values).subspan(i * dimension, dimension));
        }
        try {
            index.add(keys, values, progress);
        } catch (const Error& error) {
            // Every vector was checked before it was stored.
            if (error.code() != Code::kInvalidArgument) throw;
            fail(Code::kCorrupt, "{} is damaged: a stored vector of chunks {} to {}: {}", quote(store_.name(), 400), keys.front(),
                 keys.back(), error.what());
        }
    }
}

std::int64_t Indexes::highest_key(bool embedded, const Progress& progress) {
    bm25(progress);
    if (embedded) vectors(progress);  // without vectors a new chunk cannot be taken for one that the vector index holds
    const std::lock_guard lock(change_);
    return highest_key_;
}

void Indexes::add(const NewChunks& chunks, std::size_t dimension, Metric metric, const Progress& progress) {
    const auto bm25_index = bm25(progress);
    std::shared_ptr<VectorIndex> vector_index;
    if (!chunks.embedded.empty()) vector_index = vectors(progress);
    const auto fits = [&](const VectorIndexOptions& options) {
        return options.dimension == dimension && options.metric == metric;
    };
    if (!chunks.embedded.empty() && (!vector_index || !fits(vector_index->options()))) {
        // The first vectors of all; or an empty index of another dimension or metric, left by a first write that failed.
        const std::lock_guard lock(change_);
        auto view = store_.read();
        vector_index = open_vectors(view, dimension, metric, progress);
    }
    const std::lock_guard lock(change_);
    highest_key_ = std::max(highest_key_, chunks.keys.back());
    try {
        bm25_index->add(chunks.keys, views_of(chunks.titles), views_of(chunks.texts), progress);
        if (vector_index) vector_index->add(chunks.embedded, chunks.vectors, progress);
    } catch (...) {
        remove_locked(chunks.keys);
        throw;
    }
    bm25_.unsaved += chunks.keys.size();
    bm25_.last_key = chunks.keys.back();
    vectors_.unsaved += chunks.embedded.size();
    vectors_.last_key = chunks.keys.back();
    background_.wake();
}

void Indexes::remove(std::span<const std::int64_t> keys) noexcept {
    if (keys.empty()) return;  // not a removal: searches would be made again for nothing
    const std::lock_guard lock(change_);
    remove_locked(keys);
}

void Indexes::remove_locked(std::span<const std::int64_t> keys) noexcept {
    const auto remove_from = [&](auto& slot) {
        if (!slot.index) return;
        try {
            slot.unsaved += slot.index->remove(keys);
        } catch (
            ...) {  // without memory for the change: forget the index, its next use repairs it from the file and the database
            const std::lock_guard lock(pointers_);
            slot.index.reset();
        }
    };
    ++removals_;
    remove_from(bm25_);
    remove_from(vectors_);
    ++removals_;
    {
        const std::lock_guard pointers(pointers_);
        leaving_.reset();
    }
    background_.wake();
}

Indexes::Exchange::Exchange(Indexes& indexes, const Progress& progress) : indexes_(indexes) {
    indexes.highest_key(true, progress);  // loads both: who searches meanwhile must not wait for us
    indexes.background_.stop();           // graphs for the index that goes
    saving_ = std::unique_lock(indexes.saving_);
    change_ = std::unique_lock(indexes.change_);
}

void Indexes::Exchange::build(StoreView& view, std::size_t dimension, std::int64_t vectors_from, bool words,
                              const Progress& progress) {
    auto vectors = std::make_shared<VectorIndex>(indexes_.vector_options(dimension, stored_metric(view)));
    indexes_.fill(*vectors, view.embedded_keys(), view, progress);
    if (words) {
        bm25_ = std::make_shared<Bm25Index>(indexes_.bm25_options_);
        fill(*bm25_, view.chunk_keys(), view, progress);
    }
    vectors_ = std::move(vectors);
    last_key_ = view.last_chunk_key();
    from_ = vectors_from;
}

void Indexes::Exchange::finish() noexcept {
    indexes_.highest_key_ = std::max(indexes_.highest_key_, last_key_);
    ++indexes_.removals_;
    {
        const std::lock_guard lock(indexes_.pointers_);
        indexes_.vectors_.unsaved = vectors_->size();
        indexes_.vectors_.last_key = last_key_;
        indexes_.vectors_.has_file = false;
        indexes_.vectors_.from = from_;
        std::swap(indexes_.vectors_.index, vectors_);
        if (bm25_) {
            indexes_.bm25_.unsaved = bm25_->size();
            indexes_.bm25_.last_key = last_key_;
            std::swap(indexes_.bm25_.index, bm25_);
        }
    }
    ++indexes_.removals_;
    indexes_.background_.wake();
}

void Indexes::announce(std::span<const std::int64_t> keys) {
    auto leaving = keys.empty() ? nullptr : std::make_shared<const IdSet>(keys);
    const std::lock_guard pointers(pointers_);
    leaving_ = std::move(leaving);
}

std::shared_ptr<const IdSet> Indexes::leaving() const {
    const std::lock_guard pointers(pointers_);
    return leaving_;
}

}  // namespace rag::core
