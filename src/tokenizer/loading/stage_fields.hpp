// Reading tokenizer.json as untrusted: fields of one object with their types checked, errors that name the file, the place and
// what was found. nlohmann's types stay inside loading/.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/error.hpp"

namespace rag::core {

using Json = nlohmann::json;

/// Throws kCorrupt naming `file` and the reason.
Json parse_tokenizer_json(std::string_view text, const std::string& file);

/// One object of the file. It must outlive the reader.
class StageFields {
  public:
    /// `where` is the path for messages, such as "tokenizer.json: model". Throws kCorrupt unless it is an object.
    StageFields(const Json& value, std::string where);

    /// nullptr where absent or null.
    const Json* find(const char* key) const;
    const Json& required(const char* key) const;
    bool boolean(const char* key, bool otherwise) const;
    std::string text(const char* key, const std::string& otherwise) const;
    std::optional<std::string> optional_text(const char* key) const;
    std::int64_t integer(const char* key, std::int64_t otherwise, std::int64_t minimum, std::int64_t maximum) const;
    /// "type", or empty.
    std::string type() const { return text("type", ""); }
    StageFields object(const char* key) const { return {required(key), inside(key)}; }
    const Json& array(const char* key) const;

    std::string inside(const char* key) const { return where_ + "." + key; }
    const std::string& where() const noexcept { return where_; }
    [[noreturn]] void wrong(const char* key, std::string_view expected) const;

  private:
    const Json& value_;
    std::string where_;
};

/// The integer in `value`, or kCorrupt naming `where`.
std::int64_t checked_integer(const Json& value, std::int64_t minimum, std::int64_t maximum, const std::string& where);
const std::string& checked_text(const Json& value, const std::string& where);

}  // namespace rag::core
