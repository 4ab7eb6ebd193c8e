// int8 codes of float rows: value = code * scale, the scale of each row its largest magnitude / 127 (symmetric, per row).
// They are read by the graph search of an int8 index; its answers are rescored with the float rows.
// Immutable after construction: any thread may read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/cancel.hpp"
#include "index/vector/bounded_codes.hpp"
#include "index/vector/rows.hpp"

namespace rag::core {

struct CodeMeta {
    float scale;
    float squared_length;  // of the float row
};

/// Writes padded_codes(dimension) codes of `values`, which are [padded_floats(dimension)]; returns their scale and the row's
/// squared length.
CodeMeta encode_row(const float* values, std::size_t dimension, std::int8_t* codes) noexcept;

class Codes {
  public:
    /// `base` (may be null): the codes of the first base->size() rows, which are shared or copied. Polls `progress`.
    Codes(const Rows& rows, const Codes* base, const Progress& progress);
    /// Codes of a file: [metas.size(), padded_codes(dimension)], living as long as `owner`.
    Codes(std::size_t dimension, std::vector<CodeMeta> metas, const std::int8_t* codes, std::shared_ptr<const void> owner);

    std::size_t stride() const noexcept { return stride_; }
    std::size_t size() const noexcept { return metas_.size(); }
    const std::int8_t* data() const noexcept { return codes_; }
    const std::int8_t* row(std::size_t index) const noexcept { return codes_ + index * stride_; }
    const std::vector<CodeMeta>& metas() const noexcept { return metas_; }

  private:
    std::size_t stride_;
    std::vector<CodeMeta> metas_;
    GrowingArray<std::int8_t> own_;
    const std::int8_t* codes_;
    std::shared_ptr<const void> owner_;
};

/// Whether codes of these rows, which have some, tell neighbours apart well enough to build a graph over them: not where the rows
/// lie much closer to one another than to zero, or where few values of a row are far above the others. Looks at some rows.
bool codes_tell_apart(const Rows& rows);

/// The codes that a graph is built over, of either kind; they outlive this.
class CodeRows {
  public:
    explicit CodeRows(const Codes& codes) : data_(codes.data()), stride_(codes.stride()), metas_(&codes.metas()) {}
    explicit CodeRows(const BoundedCodes& codes) : data_(codes.data()), stride_(codes.stride()), bounded_(&codes) {}
    std::size_t stride() const noexcept { return stride_; }
    const std::int8_t* row(std::size_t index) const noexcept { return data_ + index * stride_; }
    CodeMeta meta(std::size_t index) const noexcept {
        if (metas_ != nullptr) return (*metas_)[index];
        const BoundedMeta& meta = bounded_->meta(index);
        return {meta.scale, meta.length * meta.length};
    }

  private:
    const std::int8_t* data_;
    std::size_t stride_;
    const std::vector<CodeMeta>* metas_ = nullptr;
    const BoundedCodes* bounded_ = nullptr;
};

}  // namespace rag::core
