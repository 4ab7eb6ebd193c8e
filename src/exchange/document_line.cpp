#include "exchange/document_line.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base64.hpp"
#include "core/error.hpp"
#include "search/json_input.hpp"

namespace rag::core {
namespace {

using Json = nlohmann::json;

static_assert(std::endian::native == std::endian::little, "vectors are exported little-endian");

constexpr const char* kHeaderKey = "librag_export";
constexpr const char* kLinkKey = "link";
constexpr std::size_t kMaxDimension = 65536;
/// A document around its metadata.
constexpr int kMaxLineNesting = kMaxJsonNesting + 4;

// --- writing
// ---------------------------------------------------------------------------------------------------------------------

void add_key(std::string& out, const char* key) {
    out += out.back() == '{' ? "\"" : ",\"";
    out += key;
    out += "\":";
}

void add_quoted(std::string& out, const char* key, std::string_view text) {
    add_key(out, key);
    try {
        out += Json(text).dump();
    } catch (const Json::exception&) {
        fail(Code::kCorrupt, "a stored {} is not valid UTF-8: {}", key, quote(text, 80));
    }
}

void add_text(std::string& out, const char* key, std::string_view text) {
    if (!text.empty()) add_quoted(out, key, text);
}

void add_number(std::string& out, const char* key, std::int64_t number) {
    add_key(out, key);
    out += std::to_string(number);
}

void add_chunk(std::string& out, const LineChunk& chunk) {
    out += '{';
    add_number(out, "start", static_cast<std::int64_t>(chunk.start));
    add_number(out, "stop", static_cast<std::int64_t>(chunk.stop));
    if (chunk.parent_start != chunk.start) add_number(out, "parent_start", static_cast<std::int64_t>(chunk.parent_start));
    if (chunk.parent_stop != chunk.stop) add_number(out, "parent_stop", static_cast<std::int64_t>(chunk.parent_stop));
    add_text(out, "title_path", chunk.title_path);
    if (!chunk.vector.empty()) {
        const std::string_view bytes(reinterpret_cast<const char*>(chunk.vector.data()), chunk.vector.size() * sizeof(float));
        add_text(out, "vector", encode_base64(bytes));
    }
    if (chunk.given) out += ",\"given\":true";
    out += '}';
}

// --- reading
// ---------------------------------------------------------------------------------------------------------------------

/// The fields of one object; every key must be asked for.
class Fields {
  public:
    Fields(const Json& object, std::string name) : object_(object), name_(std::move(name)) {
        if (!object.is_object()) fail(Code::kInvalidArgument, "{} is no JSON object", name_);
    }

    const Json* find(const char* key) {
        const auto found = object_.find(key);
        if (found == object_.end()) return nullptr;
        known_.insert(key);
        return found->is_null() ? nullptr : &*found;
    }
    std::string text(const char* key) {
        const Json* value = find(key);
        if (value == nullptr) return {};
        if (!value->is_string()) wrong(key, "text");
        return value->get<std::string>();
    }
    std::int64_t number(const char* key, std::int64_t missing, std::int64_t maximum) {
        const Json* value = find(key);
        if (value == nullptr) return missing;
        if (!value->is_number_integer()) wrong(key, "an integer");
        if (value->is_number_unsigned() && value->get<std::uint64_t>() > static_cast<std::uint64_t>(maximum)) {
            fail(Code::kInvalidArgument, "{} has {} in \"{}\", at most {} is possible", name_, value->dump(), key, maximum);
        }
        const auto number = value->get<std::int64_t>();
        if (number < 0) fail(Code::kInvalidArgument, "{} has {} in \"{}\", which cannot be negative", name_, number, key);
        return number;
    }
    double real(const char* key, double missing) {
        const Json* value = find(key);
        if (value == nullptr) return missing;
        if (!value->is_number()) wrong(key, "a number");
        return value->get<double>();
    }
    bool flag(const char* key) {
        const Json* value = find(key);
        if (value == nullptr) return false;
        if (!value->is_boolean()) wrong(key, "true or false");
        return value->get<bool>();
    }
    void end() const {
        for (const auto& [key, value] : object_.items()) {
            if (!known_.contains(key))
                fail(Code::kInvalidArgument, "{} has the key {}, which is unknown there", name_, quote(key, 80));
        }
    }

  private:
    [[noreturn]] void wrong(const char* key, const char* wanted) const {
        fail(Code::kInvalidArgument, "{} has something else than {} in \"{}\"", name_, wanted, key);
    }

    const Json& object_;
    std::string name_;
    std::set<std::string, std::less<>> known_;
};

std::vector<float> vector_of(std::string_view text, const std::string& name) {
    const auto bytes = decode_base64(text);
    if (!bytes || bytes->size() % sizeof(float) != 0 || bytes->size() > kMaxDimension * sizeof(float))
        fail(Code::kInvalidArgument, "the vector of {} is no base64 of at most {} float32", name, kMaxDimension);
    std::vector<float> vector(bytes->size() / sizeof(float));
    if (!vector.empty()) std::memcpy(vector.data(), bytes->data(), bytes->size());
    return vector;
}

constexpr std::int64_t kMaxOffset = std::int64_t{1} << 40;
constexpr std::int64_t kMaxTime = std::int64_t{1} << 53;  // as far as JSON's readers agree

LineChunk chunk_of(const Json& object, std::size_t position) {
    const std::string name = fmt::format("chunk {}", position);
    Fields fields(object, name);
    LineChunk chunk;
    const auto offset = [&](const char* key, std::int64_t missing) {
        return static_cast<std::size_t>(fields.number(key, missing, kMaxOffset));
    };
    chunk.start = offset("start", 0);
    chunk.stop = offset("stop", 0);
    chunk.parent_start = offset("parent_start", static_cast<std::int64_t>(chunk.start));
    chunk.parent_stop = offset("parent_stop", static_cast<std::int64_t>(chunk.stop));
    chunk.title_path = fields.text("title_path");
    chunk.vector = vector_of(fields.text("vector"), name);
    chunk.given = fields.flag("given");
    fields.end();
    return chunk;
}

LineHeader header_of(const Json& object) {
    Fields fields(object, "the header of the export");
    const std::int64_t version = fields.number(kHeaderKey, 0, kMaxTime);
    if (version > kExportVersion) {
        fail(Code::kVersion, "the export has version {}, this librag reads up to {}: it was written by a newer librag", version,
             kExportVersion);
    }
    if (version < 1) fail(Code::kInvalidArgument, "the header of the export says version {}", version);
    LineHeader header;
    header.dimension = static_cast<std::size_t>(fields.number("dimension", 0, kMaxDimension));
    header.embedder = fields.text("embedder");
    header.embedder_name = fields.text("embedder_name");
    header.metric = fields.text("metric");
    header.links = version > 1;
    fields.end();
    return header;
}

LineDocument document_of(const Json& object) {
    Fields fields(object, "the document");
    if (fields.find("text") == nullptr) fail(Code::kInvalidArgument, "the document has no text");
    LineDocument document;
    document.text = object["text"].is_string() ? object["text"].get<std::string>() : "";
    if (!object["text"].is_string()) fail(Code::kInvalidArgument, "the document's text is no text");
    document.id = fields.text("id");
    document.title = fields.text("title");
    document.source = fields.text("source");
    document.language = fields.text("language");
    if (const Json* metadata = fields.find("metadata")) document.metadata = metadata->dump();
    document.created_ms = fields.number("created_ms", 0, kMaxTime);
    document.updated_ms = fields.number("updated_ms", 0, kMaxTime);
    if (const Json* chunks = fields.find("chunks")) {
        if (!chunks->is_array()) fail(Code::kInvalidArgument, "the document's chunks are no list");
        for (const Json& chunk : *chunks) document.chunks.push_back(chunk_of(chunk, document.chunks.size()));
    }
    fields.end();
    return document;
}

LineLink link_of(const Json& object) {
    Fields line(object, "the line of a link");
    const Json* content = line.find(kLinkKey);
    line.end();
    if (content == nullptr) fail(Code::kInvalidArgument, "the link is null");
    Fields fields(*content, "the link");
    LineLink link;
    link.source = fields.text("source");
    link.target = fields.text("target");
    if (link.source.empty() || link.target.empty())
        fail(Code::kInvalidArgument, "the link has no \"{}\"", link.source.empty() ? "source" : "target");
    link.source_chunk = fields.number("source_chunk", LineLink::kWhole, kMaxOffset);
    link.target_chunk = fields.number("target_chunk", LineLink::kWhole, kMaxOffset);
    link.type = fields.text("type");
    link.weight = fields.real("weight", 1);
    if (!(link.weight > 0) || std::isinf(link.weight))
        fail(Code::kInvalidArgument, "the link has weight {}, it must be above 0", link.weight);
    fields.end();
    return link;
}

}  // namespace

std::string write_line(const LineHeader& header) {
    std::string out = "{";
    add_number(out, kHeaderKey, !header.metric.empty() ? kExportVersion : (header.links ? 2 : 1));
    if (header.dimension != 0) add_number(out, "dimension", static_cast<std::int64_t>(header.dimension));
    add_text(out, "embedder", header.embedder);
    add_text(out, "embedder_name", header.embedder_name);
    add_text(out, "metric", header.metric);
    return out + "}";
}

std::string write_line(const LineDocument& document) {
    std::string out = "{";
    add_text(out, "id", document.id);
    add_quoted(out, "text", document.text);
    add_text(out, "title", document.title);
    add_text(out, "source", document.source);
    add_text(out, "language", document.language);
    if (!document.metadata.empty() && document.metadata != "{}") {
        add_key(out, "metadata");
        out += document.metadata;
    }
    if (document.created_ms != 0) add_number(out, "created_ms", document.created_ms);
    if (document.updated_ms != 0) add_number(out, "updated_ms", document.updated_ms);
    if (!document.chunks.empty()) {
        add_key(out, "chunks");
        out += '[';
        for (const LineChunk& chunk : document.chunks) {
            if (&chunk != document.chunks.data()) out += ',';
            add_chunk(out, chunk);
        }
        out += ']';
    }
    return out + "}";
}

std::string write_line(const LineLink& link) {
    std::string out = fmt::format("{{\"{}\":{{", kLinkKey);
    add_quoted(out, "source", link.source);
    if (link.source_chunk != LineLink::kWhole) add_number(out, "source_chunk", link.source_chunk);
    add_quoted(out, "target", link.target);
    if (link.target_chunk != LineLink::kWhole) add_number(out, "target_chunk", link.target_chunk);
    add_text(out, "type", link.type);
    add_key(out, "weight");
    out += Json(link.weight).dump();
    return out + "}}";
}

Line parse_line(std::string_view line) {
    const Json object = parse_argument(line, "it", kMaxLineBytes, kMaxLineNesting);
    if (!object.is_object()) fail(Code::kInvalidArgument, "it is no JSON object");
    if (object.contains(kHeaderKey)) return header_of(object);
    if (object.contains(kLinkKey)) return link_of(object);
    return document_of(object);
}

}  // namespace rag::core
