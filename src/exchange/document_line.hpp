// Documents as lines of JSON (RFC 8259, one object a line, UTF-8): what export writes and import reads.
//
//   {"librag_export":1,"dimension":384,"embedder":"...","embedder_name":"...","metric":"ip"}     first, or not at all
//   {"id":"a","text":"...","title":"...","source":"...","language":"en","metadata":{},"created_ms":1,"updated_ms":2,
//    "chunks":[{"start":0,"stop":9,"parent_start":0,"parent_stop":20,"title_path":"A > B","vector":"base64"}]}
//
//   {"link":{"source":"a","source_chunk":3,"target":"b","type":"see also","weight":2}}   behind the documents
//
// Of a link, an end without a chunk's number is the document as a whole. Of a document, only "text" must be there. "chunks" say
// how the text was cut and embedded: offsets in bytes of its UTF-8, vectors as little-endian float32. "given": true at the only
// chunk of a document: its vector came with it. Thread rule: plain functions and values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace rag::core {

/// 2: there may be links; 3: and a metric. What holds neither says 1, which older readers take.
inline constexpr std::int64_t kExportVersion = 3;
/// Longer lines are refused: 64 MiB of text as JSON, and its vectors.
inline constexpr std::size_t kMaxLineBytes = std::size_t{512} << 20;

struct LineHeader {
    std::size_t dimension = 0;  // of the vectors; 0: there are none
    std::string embedder;       // what made them; empty: they were given
    std::string embedder_name;  // for messages
    std::string metric = {};    // that vectors are compared by; empty: cosine
    bool links = false;         // there may be some behind the documents
};

struct LineChunk {
    std::size_t start = 0, stop = 0, parent_start = 0, parent_stop = 0;
    std::string title_path;
    std::vector<float> vector;  // empty: none
    bool given = false;
};

struct LineDocument {
    std::string id;  // empty: none
    std::string text, title, source, language;
    std::string metadata;                         // a JSON object, or empty
    std::int64_t created_ms = 0, updated_ms = 0;  // 0: not told
    std::vector<LineChunk> chunks;                // empty: not told
};

struct LineLink {
    static constexpr std::int64_t kWhole = -1;
    std::string source, target;  // ids of documents
    std::int64_t source_chunk = kWhole, target_chunk = kWhole;
    std::string type;
    double weight = 1;
};

using Line = std::variant<LineHeader, LineDocument, LineLink>;

/// Without the line's end. `metadata` must be a JSON object.
std::string write_line(const LineHeader& header);
std::string write_line(const LineDocument& document);
std::string write_line(const LineLink& link);

/// kInvalidArgument says what is wrong with the line: no JSON object, an unknown or misplaced key, a value of another type, a
/// number that cannot be, ill-formed UTF-8; kVersion: a newer export. Whether offsets fit the text is for whoever uses them.
Line parse_line(std::string_view line);

}  // namespace rag::core
