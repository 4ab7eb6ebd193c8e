#include "engine/prepare.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <unordered_set>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "engine/chunk_settings.hpp"
#include "engine/indexes.hpp"
#include "search/metadata_filter.hpp"
#include "text/words.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kBytesPerPoll = std::size_t{1}
                                      << 18;  // of text that tokens are counted in, between two looks at the caller

/// 128 random bits: ids that are made on different machines never meet, and two equal texts are two documents, as the caller who
/// gave no ids expects of add(). (An id made from the content would make the second one "already there".)
std::string random_id() {
    std::random_device device;
    std::string id;
    for (int i = 0; i < 4; ++i) id += fmt::format("{:08x}", device() & 0xFFFFFFFFU);
    return id;
}

/// Unicode's White_Space.
bool is_space(char32_t c) {
    return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
           c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_blank(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const Utf8Step step = decode_utf8(text, at);
        if (!is_space(step.value)) return false;
        at += step.length;
    }
    return true;
}

/// How messages call a document: by its id, or by its place while it has none.
std::string name_of(const DocumentInput& document, std::size_t position) {
    return document.id ? fmt::format("document {}", quote(*document.id)) : fmt::format("document number {}", position);
}

void check_text(std::string_view text, std::size_t limit, const std::string& what) {
    if (text.size() > limit) fail(Code::kInvalidArgument, "{} has {} bytes, at most {} are taken", what, text.size(), limit);
    require_utf8(text, what);
}

/// Chunks that came with a document, as its hash sees them.
std::string describe(std::span<const ChunkInput> chunks) {
    std::string out = "cut by the caller";
    for (const ChunkInput& chunk : chunks) {
        out += fmt::format("\n{} {} {} {} {} {}", chunk.start, chunk.stop, chunk.parent_start, chunk.parent_stop,
                           stored_checksum(std::as_bytes(chunk.vector)), chunk.title_path);
    }
    return out;
}

}  // namespace

Preparation::Preparation(const EngineOptions& options, std::size_t dimension, Metric metric)
    : options_(options),
      moment_(options.embedder ? options.embedder->now() : Encoder::Moment()),
      dimension_(dimension),
      metric_(metric),
      chunk_tokens_(options.chunk_tokens) {
    settings_ = hashed_settings(chunk_settings_of(options), fingerprint());
    if (!options.embedder) {
        count_ = count_words;
        return;
    }
    const Encoder& encoder = *options.embedder;
    if (dimension_ == 0) dimension_ = static_cast<std::size_t>(encoder.dimension());
    text_tokens_ = static_cast<std::size_t>(encoder.max_tokens() - encoder.special_tokens());
    count_ = [&encoder](std::string_view text) { return encoder.tokenizer().count_tokens(text); };
}

void Preparation::check_vector(std::span<const float> vector, const std::string& name) {
    if (vector.empty()) return;
    if (dimension_ == 0) {
        if (vector.size() > 65536)
            fail(Code::kInvalidArgument, "the vector of {} has dimension {}, at most 65536", name, vector.size());
        dimension_ = vector.size();
    }
    if (vector.size() != dimension_) {
        fail(Code::kInvalidArgument, "the vector of {} has dimension {}, those of the knowledge base have {}", name,
             vector.size(), dimension_);
    }
    double square = 0;
    for (std::size_t i = 0; i < vector.size(); ++i) {
        if (!std::isfinite(vector[i]))
            fail(Code::kInvalidArgument, "the vector of {} holds {} at position {}", name, vector[i], i);
        square += static_cast<double>(vector[i]) * vector[i];
    }
    const double length = std::sqrt(square);
    if (metric_ != Metric::kCosine) {
        // A quarter, so that the squared distance of two such vectors is a float too.
        if (square > static_cast<double>(std::numeric_limits<float>::max()) / 4)
            fail(Code::kInvalidArgument, "the vector of {} has length {}, too long for float32", name, length);
        return;
    }
    // Cosine needs a direction, and its length in float32.
    if (length < static_cast<double>(std::numeric_limits<float>::min()) ||
        length > static_cast<double>(std::numeric_limits<float>::max()))
        fail(Code::kInvalidArgument, "the vector of {} has length {}, which has no cosine in float32", name, length);
}

ContentHash Preparation::hash(const DocumentInput& input) const {
    // What is cut already depends on no settings, but on how it was cut: an upsert of the same text then cuts it anew.
    if (!input.chunks.empty()) return document_hash(describe(input.chunks), input.title, input.text, {});
    if (input.vector.empty()) return cut_hash(settings_, input);
    return document_hash({}, input.title, input.text, input.vector);
}

ContentHash cut_hash(const std::string& settings, const DocumentInput& input) {
    // Prose has the hash that it always had.
    if (input.kind == TextKind::kText) return document_hash(settings, input.title, input.text, {});
    return document_hash(settings + ", " + std::string(name_of(input.kind)), input.title, input.text, {});
}

/// Offsets and vectors from outside must fit the text before anything is done with them.
void Preparation::check_chunks(const DocumentInput& input, const std::string& name) {
    if (!input.chunks.empty() && !input.vector.empty())
        fail(Code::kInvalidArgument, "{} has chunks and a vector of its whole text", name);
    const auto inside = [&](std::size_t at) {
        return at == input.text.size() ||
               (at < input.text.size() && (static_cast<unsigned char>(input.text[at]) & 0xC0U) != 0x80U);
    };
    for (std::size_t i = 0; i < input.chunks.size(); ++i) {
        const ChunkInput& chunk = input.chunks[i];
        const std::string chunk_name = fmt::format("chunk {} of {}", i, name);
        const bool ordered = chunk.parent_start <= chunk.start && chunk.start < chunk.stop && chunk.stop <= chunk.parent_stop;
        if (!ordered || !inside(chunk.start) || !inside(chunk.stop) || !inside(chunk.parent_start) ||
            !inside(chunk.parent_stop)) {
            fail(Code::kInvalidArgument, "{} is bytes {} to {} in {} to {}, which are no part of a text of {} bytes", chunk_name,
                 chunk.start, chunk.stop, chunk.parent_start, chunk.parent_stop, input.text.size());
        }
        check_text(chunk.title_path, kMaxTitlePathBytes, "the title path of " + chunk_name);
        check_vector(chunk.vector, chunk_name);
    }
}

std::vector<PreparedChunk> Preparation::given_chunks(const DocumentInput& input) {
    std::vector<PreparedChunk> out;
    out.reserve(input.chunks.size());
    for (const ChunkInput& given : input.chunks) {
        const ChunkPlace place{static_cast<std::int64_t>(out.size()), given.start, given.stop, given.parent_start,
                               given.parent_stop};
        const auto text = input.text.substr(given.start, given.stop - given.start);
        const ContentHash hash = chunk_hash(input.title, given.title_path, text, {});
        out.push_back({place, std::string(given.title_path), hash, {}, {given.vector.begin(), given.vector.end()}});
    }
    return out;
}

CheckedDocument Preparation::check_one(const DocumentInput& input, const std::string& name) {
    if (input.id) check_text(*input.id, kMaxIdBytes, "the id of " + name);
    check_text(input.text, kMaxDocumentBytes, "the text of " + name);
    if (is_blank(input.text)) fail(Code::kInvalidArgument, "the text of {} is empty or only white space", name);
    check_text(input.title, kMaxTitleBytes, "the title of " + name);
    check_text(input.source, kMaxSourceBytes, "the source of " + name);
    check_text(input.language, kMaxLanguageTagBytes, "the language of " + name);
    check_vector(input.vector, name);
    check_chunks(input, name);
    CheckedDocument document;
    document.input = &input;
    document.id = input.id ? std::string(*input.id) : random_id();
    document.metadata = normalize_metadata(input.metadata, "the metadata of " + name);
    document.hash = hash(input);
    return document;
}

std::vector<CheckedDocument> Preparation::check(std::span<const DocumentInput> documents, const Progress& progress) {
    std::vector<CheckedDocument> checked;
    checked.reserve(documents.size());
    std::unordered_set<std::string_view> seen;
    for (std::size_t i = 0; i < documents.size(); ++i) {
        if (i % 256 == 0) report(progress, 0, documents.size());
        const DocumentInput& input = documents[i];
        const std::string name = name_of(input, i);
        if (input.id) {
            if (input.id->empty()) fail(Code::kInvalidArgument, "document number {} has an empty id", i);
            if (!seen.insert(*input.id).second) fail(Code::kAlreadyExists, "{} stands twice among those given", name);
        }
        checked.push_back(check_one(input, name));
    }
    return checked;
}

/// The heading that is embedded with a chunk: all of it, else the title alone, else nothing. What would leave the text less than
/// half is not embedded (BM25 still has it).
std::string Preparation::embedded_heading(std::string_view title, std::string_view title_path) const {
    if (text_tokens_ == 0) return {};
    for (std::string heading : {heading_of(title, title_path), std::string(title)}) {
        if (count_(heading) * 2 <= text_tokens_) return heading;
    }
    return {};
}

std::vector<PreparedChunk> Preparation::chunks(const CheckedDocument& document, const Progress& progress) const {
    const std::string_view text = document.input->text;
    const std::string_view title = document.input->title;
    if (!document.input->vector.empty()) {
        const auto given = document.input->vector;
        PreparedChunk whole{{0, 0, text.size(), 0, text.size()}, {}, chunk_hash(title, {}, text, given), {}, {}};
        whole.vector.assign(given.begin(), given.end());
        return {std::move(whole)};
    }
    if (!document.input->chunks.empty()) return given_chunks(*document.input);
    ChunkOptions chunking;
    chunking.max_tokens = chunk_tokens_;
    chunking.chunker = options_.chunker;
    if (text_tokens_ != 0) {
        chunking.limit = [&](std::string_view path) { return text_tokens_ - count_(embedded_heading(title, path)); };
        chunking.max_tokens = std::min(chunk_tokens_, chunking.limit({}));
    }
    chunking.overlap_tokens = std::min(options_.chunk_overlap, chunking.max_tokens - 1);
    std::vector<PreparedChunk> out;
    std::size_t counted = 0;
    const TokenCounter polled = [&](std::string_view part) {
        counted += part.size() + 1;
        if (counted > kBytesPerPoll) {
            report(progress, 0, 0);
            counted = 0;
        }
        return count_(part);
    };
    for (Chunk& chunk : chunk_text(text, document.input->kind, chunking, polled)) {
        const ChunkPlace place{static_cast<std::int64_t>(out.size()), chunk.start, chunk.stop, chunk.parent_start,
                               chunk.parent_stop};
        const ContentHash hash = chunk_hash(title, chunk.title_path, text.substr(chunk.start, chunk.stop - chunk.start), {});
        out.push_back({place, std::move(chunk.title_path), hash, {}, {}});
    }
    if (out.empty()) fail(Code::kInvalidArgument, "the text of document {} is empty or only white space", quote(document.id));
    return out;
}

/// Finds the stored chunk of each that is the same, wherever it stood: one that has a vector where one is due, and none where
/// not.
void Preparation::keep_stored(std::vector<PreparedChunk>& chunks, const CheckedDocument& document) const {
    if (document.stored_chunks.empty() || !document.keep_chunks) return;
    std::multimap<std::pair<ContentHash, bool>, const StoredChunk*> stored;
    for (const StoredChunk& chunk : document.stored_chunks) stored.emplace(std::pair(chunk.hash, chunk.embedded), &chunk);
    for (PreparedChunk& chunk : chunks) {
        const auto found = stored.find({chunk.hash, options_.embedder != nullptr || !chunk.vector.empty()});
        if (found == stored.end()) continue;
        chunk.kept = *found->second;
        chunk.vector.clear();
        stored.erase(found);
    }
}

std::vector<PreparedDocument> Preparation::prepare(std::span<const CheckedDocument> documents, const Progress& progress) const {
    std::vector<PreparedDocument> prepared;
    prepared.reserve(documents.size());
    for (const CheckedDocument& document : documents) {
        report(progress, 0, documents.size());
        const Progress within = [&](std::uint64_t, std::uint64_t) { return !progress || progress(0, documents.size()); };
        prepared.push_back({&document, chunks(document, within)});
        keep_stored(prepared.back().chunks, document);
    }
    if (options_.embedder) embed_new(prepared, progress);
    return prepared;
}

void Preparation::embed_new(std::span<PreparedDocument> documents, const Progress& progress) const {
    std::vector<std::string> texts;
    std::vector<PreparedChunk*> chunks;
    for (PreparedDocument& document : documents) {
        const DocumentInput& input = *document.document->input;
        if (!input.vector.empty()) continue;
        for (PreparedChunk& chunk : document.chunks) {
            if (chunk.kept || !chunk.vector.empty()) continue;
            texts.push_back(embedded_text(input, chunk.place, chunk.title_path));
            chunks.push_back(&chunk);
        }
    }
    if (texts.empty()) return;
    const Progress in_documents = [&](std::uint64_t done, std::uint64_t total) {
        return !progress || progress(total == 0 ? 0 : done * documents.size() / total, documents.size());
    };
    const std::vector<float> vectors = embed(texts, in_documents);
    const std::size_t dimension = vectors.size() / texts.size();
    for (std::size_t i = 0; i < chunks.size(); ++i) {
        const auto vector = std::span(vectors).subspan(i * dimension, dimension);
        chunks[i]->vector.assign(vector.begin(), vector.end());
    }
}

std::string Preparation::embedded_text(const DocumentInput& input, const ChunkPlace& place, std::string_view title_path) const {
    return indexed_text(embedded_heading(input.title, title_path), input.text.substr(place.start, place.stop - place.start));
}

std::vector<float> Preparation::embed(const std::vector<std::string>& texts, const Progress& progress) const {
    const auto dimension = static_cast<std::size_t>(options_.embedder->dimension());
    std::vector<float> vectors(texts.size() * dimension);
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    // Lengths count but for cosine; of a folder with a Normalize module they are 1 all the same.
    const bool unit = metric_ == Metric::kCosine;
    options_.embedder->encode_as(moment_, views, vectors, unit, 0, progress, {EncoderPrompt::Kind::kDocument, {}});
    for (std::size_t i = 0; i < vectors.size(); ++i) {
        if (!std::isfinite(vectors[i]))
            fail(Code::kInternal, "the embedder made {} for {}", vectors[i], quote(texts[i / dimension], 80));
    }
    return vectors;
}

bool Preparation::fits(std::string_view text) const {
    return text_tokens_ == 0 || count_(text) <= text_tokens_;
}

}  // namespace rag::core
