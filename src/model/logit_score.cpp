#include "model/logit_score.hpp"

#include <bit>
#include <cmath>
#include <cstring>

#include "core/error.hpp"
#include "model/weights.hpp"

namespace rag::core {
namespace {

template <typename T>
T read_at(std::span<const std::byte> bytes, std::size_t index) {
    T value;
    std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
    return value;
}

/// IEEE 754 half precision.
float half_to_float(std::uint16_t half) {
    const int exponent = half >> 10 & 0x1F;
    const int fraction = half & 0x3FF;
    const float sign = (half & 0x8000) != 0 ? -1.0F : 1.0F;
    if (exponent == 31) return fraction != 0 ? std::nanf("") : sign * HUGE_VALF;
    if (exponent == 0) return sign * std::ldexp(static_cast<float>(fraction), -24);
    return sign * std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
}

/// A matrix of the file as it is read row by row.
class Rows {
  public:
    Rows(const SafetensorsFile& file, const std::string& name, std::int64_t rows, std::int64_t columns)
        : rows_(rows), columns_(static_cast<std::size_t>(columns)), tensor_(file.find(name)) {
        std::vector<std::int64_t> shape = {rows, columns};
        if (tensor_ == nullptr) {
            tensor_ = file.find(name + std::string(packed_suffix(ElementType::kInt8)));
            packed_ = true;
            shape = packed_shape(ElementType::kInt8, shape);
        }
        if (tensor_ == nullptr) fail(Code::kCorrupt, "{}: tensor {} is missing", quote(file.name(), 400), quote(name));
        if (tensor_->shape != shape || (packed_ && tensor_->type != TensorType::kU8))
            fail(Code::kCorrupt, "{}: tensor {} is {} of shape {}, the configuration asks for {}", quote(tensor_->file, 400),
                 quote(tensor_->name), tensor_->type_name, describe_shape(tensor_->shape), describe_shape(shape));
    }

    std::vector<float> read(std::int64_t row) const {
        if (row >= rows_)
            fail(Code::kCorrupt, "{}: token {} of the score is not in the vocabulary of {}", quote(tensor_->file, 400), row,
                 rows_);
        const std::size_t first = static_cast<std::size_t>(row) * columns_;
        const float scale = packed_ ? read_at<float>(tensor_->bytes, static_cast<std::size_t>(row)) : 1.0F;
        std::vector<float> out(columns_);
        for (std::size_t i = 0; i < columns_; ++i) out[i] = scale * value(first + i);
        return out;
    }

  private:
    float value(std::size_t index) const {
        const auto bytes = tensor_->bytes;
        // In front of the packed bytes lies a scale for every row.
        if (packed_) return static_cast<float>(read_at<std::int8_t>(bytes.subspan(static_cast<std::size_t>(rows_) * 4), index));
        switch (tensor_->type) {
            case TensorType::kF32:
                return read_at<float>(bytes, index);
            case TensorType::kBF16:
                return std::bit_cast<float>(static_cast<std::uint32_t>(read_at<std::uint16_t>(bytes, index)) << 16);
            case TensorType::kF16:
                return half_to_float(read_at<std::uint16_t>(bytes, index));
            default:
                fail(Code::kUnsupported, "{}: tensor {} has the element type {}; F32, F16 and BF16 are supported",
                     quote(tensor_->file, 400), quote(tensor_->name), tensor_->type_name);
        }
    }

    std::int64_t rows_;
    std::size_t columns_;
    const TensorInfo* tensor_;
    bool packed_ = false;
};

}  // namespace

std::vector<float> logit_score_weights(const SafetensorsFile& file, const std::string& prefix, const DecoderConfig& config,
                                       const LogitScoreConfig& score) {
    if (config.logit_softcap != 0.0F)
        fail(Code::kUnsupported, "{}: the logits are capped; a reranker without final_logit_softcapping is supported",
             quote(file.name(), 400));
    const std::string name = config.tied_embeddings ? prefix + "embed_tokens.weight" : "lm_head.weight";
    const Rows rows(file, name, config.vocab_size, config.hidden_size);
    std::vector<float> weights = rows.read(score.true_token);
    if (!score.false_token) return weights;
    const std::vector<float> less = rows.read(*score.false_token);
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] -= less[i];
    return weights;
}

}  // namespace rag::core
