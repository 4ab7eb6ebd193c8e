#include "search/metadata_column.hpp"

#include <algorithm>

namespace rag::core {
namespace {

// What a node of the dictionary's hash table takes.
constexpr std::size_t kNodeBytes = 40;

std::size_t bytes_of(const Json& value) {
    std::size_t bytes = sizeof(Json);
    if (value.is_string()) {
        bytes += sizeof(std::string) + value.get_ref<const std::string&>().size();
    } else if (value.is_structured()) {
        for (const auto& [key, element] : value.items()) bytes += kNodeBytes + key.size() + bytes_of(element);
    }
    return bytes;
}

}  // namespace

MetadataColumn::MetadataColumn(std::string field)
    : field_(std::move(field)), codes_of_values_(16, Hash{&values_}, Equal{&values_}) {}

std::uint32_t MetadataColumn::find(const Json& value) const {
    const auto found = codes_of_values_.find(&value);
    return found == codes_of_values_.end() ? kMissing : *found;
}

std::uint32_t MetadataColumn::code_of(const Json& value) {
    if (const std::uint32_t known = find(value); known != kMissing) return known;
    values_.push_back(value);
    const auto code = static_cast<std::uint32_t>(values_.size());
    codes_of_values_.insert(code);
    value_bytes_ += bytes_of(value) + kNodeBytes;
    return code;
}

void MetadataColumn::set(std::size_t row, const Json* value) {
    if (codes_.size() <= row) codes_.resize(row + 1, kMissing);
    codes_[row] = value == nullptr ? kMissing : code_of(*value);
}

/// For each code whether the condition accepts its value.
std::vector<std::uint8_t> MetadataColumn::accepted(const FilterCondition& condition) const {
    std::vector<std::uint8_t> out(values_.size() + 1, 0);
    out[kMissing] = condition.accepts(nullptr) ? 1 : 0;
    const auto look_up = [&](const Json& value) {
        if (const std::uint32_t code = find(value); code != kMissing) out[code] = 1;
    };
    if (condition.what == FilterOperator::kEqual) {
        look_up(condition.value);
    } else if (condition.what == FilterOperator::kIn) {
        for (const Json& value : condition.value) look_up(value);
    } else {
        for (std::size_t i = 0; i < values_.size(); ++i) out[i + 1] = condition.accepts(&values_[i]) ? 1 : 0;
    }
    return out;
}

std::vector<std::uint64_t> MetadataColumn::select(const FilterCondition& condition, std::size_t rows) const {
    const auto wanted = accepted(condition);
    std::vector<std::uint64_t> bits((rows + 63) / 64, 0);
    const std::size_t known = std::min(rows, codes_.size());
    for (std::size_t row = 0; row < known; ++row) bits[row / 64] |= std::uint64_t{wanted[codes_[row]]} << (row % 64);
    if (wanted[kMissing] != 0) {
        for (std::size_t row = known; row < rows; ++row) bits[row / 64] |= std::uint64_t{1} << (row % 64);
    }
    return bits;
}

std::size_t MetadataColumn::bytes() const noexcept {
    return value_bytes_ + codes_.size() * sizeof(std::uint32_t);
}

}  // namespace rag::core
