// JSON out of untrusted files, for formats/ alone (nlohmann's types stay out of every header that others include): strict
// parsing with a depth cap and without duplicate keys, and reading fields so that an error names the file, the key and the value.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace rag::core {

/// Deeper nesting than any configuration of a model has.
inline constexpr int kMaxJsonDepth = 64;

/// Throws kCorrupt naming `file` for what is not JSON, a key that occurs twice in one object, or too deep nesting.
nlohmann::json parse_json(std::string_view text, std::string_view file);

/// parse_json of a small file (at most `limit` bytes) that must hold an object.
nlohmann::json read_json_object(const std::string& path, std::size_t limit);

/// The fields of one JSON object. A field that is absent or null is nullopt; one of another type, or outside the range, is
/// kCorrupt naming the file, the key and what was found. The object and the name must outlive the reader.
class JsonFields {
  public:
    JsonFields(const nlohmann::json& object, std::string file) : object_(object), file_(std::move(file)) {}

    const nlohmann::json* find(const char* key) const;
    std::optional<std::int64_t> integer(const char* key, std::int64_t minimum = 0,
                                        std::int64_t maximum = std::numeric_limits<std::int64_t>::max()) const;
    std::optional<double> number(const char* key) const;
    std::optional<bool> boolean(const char* key) const;
    std::optional<std::string> text(const char* key) const;

    /// As above, absent is kCorrupt too.
    std::int64_t required_integer(const char* key, std::int64_t minimum, std::int64_t maximum) const;
    std::string required_text(const char* key) const;

    const std::string& file() const noexcept { return file_; }
    [[noreturn]] void wrong(const char* key, std::string_view expected, const nlohmann::json& found) const;

  private:
    const nlohmann::json& object_;
    std::string file_;
};

}  // namespace rag::core
