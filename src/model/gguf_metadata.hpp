// The metadata of one model in a GGUF file, under the prefix of its architecture ("llama.block_count"), read with ranges.
// Stateless but for the file, which must outlive it; any thread. Errors name the file, the key and the value.
#pragma once

#include <cmath>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "formats/gguf.hpp"

namespace rag::core {

class GgufMetadata {
  public:
    GgufMetadata(const GgufFile& file, std::string_view architecture) : file_(file), prefix_(std::string(architecture) + ".") {}

    const std::string& name() const { return file_.name(); }
    bool has(const std::string& key) const { return file_.has(prefix_ + key); }

    /// A dimension: 1 to 2^24, or `fallback` where there is none.
    std::int64_t optional(const std::string& key, std::int64_t fallback) const { return ranged(key, kMaxDimension, fallback); }
    std::int64_t required(const std::string& key) const {
        if (!has(key)) fail(Code::kCorrupt, "{}: {}{} is missing", quote(file_.name(), 400), prefix_, key);
        return optional(key, 0);
    }
    std::int64_t layers() const {
        static_cast<void>(required("block_count"));
        return ranged("block_count", kMaxLayers, 0);
    }
    double positive(const std::string& key, double fallback) const {
        const double value = file_.number(prefix_ + key).value_or(fallback);
        if (!std::isfinite(value) || value <= 0.0)
            fail(Code::kCorrupt, "{}: {}{} is {}, a number above 0 is expected", quote(file_.name(), 400), prefix_, key, value);
        return value;
    }
    bool flag(const std::string& key, bool fallback) const { return file_.boolean(prefix_ + key).value_or(fallback); }
    std::optional<std::string> text(const std::string& key) const {
        const auto value = file_.text(prefix_ + key);
        return value ? std::optional<std::string>(*value) : std::nullopt;
    }
    /// A head's part that librag wants to be the whole head.
    void same(const std::string& key, std::int64_t head_dim) const {
        const std::int64_t value = optional(key, head_dim);
        if (value != head_dim)
            fail(Code::kUnsupported, "{}: {}{} is {}, other than the {} dimensions of a head", quote(file_.name(), 400), prefix_,
                 key, value, head_dim);
    }
    [[noreturn]] void refuse(const std::string& key, std::string_view supported) const {
        fail(Code::kUnsupported, "{}: {}{}; {} is supported", quote(file_.name(), 400), prefix_, key, supported);
    }

  private:
    static constexpr std::int64_t kMaxDimension = std::int64_t{1} << 24;
    static constexpr std::int64_t kMaxLayers = 4096;

    std::int64_t ranged(const std::string& key, std::int64_t maximum, std::int64_t fallback) const {
        const auto value = file_.integer(prefix_ + key);
        if (!value) return fallback;
        if (*value < 1 || *value > maximum)
            fail(Code::kCorrupt, "{}: {}{} is {}, 1 to {} is expected", quote(file_.name(), 400), prefix_, key, *value, maximum);
        return *value;
    }

    const GgufFile& file_;
    std::string prefix_;
};

}  // namespace rag::core
