// Elements of JSON as documents, for .json and .jsonl: objects by their members, texts alone. Used by one thread.
#pragma once

#include <simdjson.h>

#include <deque>
#include <string>
#include <vector>

#include "text/readers/records.hpp"

namespace rag::core {

class JsonRecords {
  public:
    JsonRecords(const ReadOptions& options, std::string name) : mapper_(options, std::move(name)) {}

    /// As RecordMapper::map; kInvalidArgument too for what is neither object nor text.
    bool map(simdjson::dom::element element, std::uint64_t row, ReadDocument& out);
    const RecordMapper& mapper() const noexcept { return mapper_; }

  private:
    RecordMapper mapper_;
    std::vector<Field> fields_;
    std::deque<std::string> texts_;  // of values that are no strings; fields_ has views into them
};

/// Where and why `text` is no JSON, for messages: what simdjson found, with the offset where there is one.
std::string json_problem(std::string_view text, simdjson::error_code error);

}  // namespace rag::core
