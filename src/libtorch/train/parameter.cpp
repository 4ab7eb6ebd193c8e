#include "libtorch/train/parameter.hpp"

#include "libtorch/quant/packed_int8.hpp"

namespace rag::core::libtorch {
namespace {

// One row a group of codes: as Int8Linear keeps them.
std::function<at::Tensor()> int8_unpacker(const at::Tensor& weight, std::uint64_t& bytes) {
    at::Tensor codes = at::empty(weight.sizes(), at::kChar);
    at::Tensor scale = at::empty({weight.size(0)}, at::kFloat);
    quantize_weight_rows(weight.contiguous(), codes, scale);
    bytes = codes.nbytes() + scale.nbytes();
    const at::Tensor column = scale.to(at::kBFloat16).unsqueeze(1);
    return [codes, column] { return codes.to(at::kBFloat16).mul_(column); };
}

std::function<at::Tensor()> int4_unpacker(const Int4Matrix& matrix, std::uint64_t& bytes) {
    bytes = matrix.size_bytes();
    return [matrix] { return matrix.to_float().to(at::kBFloat16); };
}

}  // namespace

Parameter::Parameter(std::string name, const at::Tensor& value, at::ScalarType type, bool trained)
    : name_(std::move(name)), type_(type), trained_(trained) {
    value_ = trained ? value.to(at::kFloat, false, true).contiguous() : value.to(type);
}

Parameter::Parameter(std::string name, std::function<at::Tensor()> unpack, std::uint64_t packed_bytes)
    : name_(std::move(name)), unpack_(std::move(unpack)), packed_bytes_(packed_bytes) {}

at::Tensor Parameter::computed() {
    if (unpack_) {
        const at::AutoGradMode off(false);
        return unpack_();
    }
    if (value_.scalar_type() == type_) {
        return value_;
    }
    if (!computed_.defined()) {
        computed_ = at::empty(value_.sizes(), type_);
    }
    if (stale_) {
        computed_.copy_(value_);
        stale_ = false;
    }
    return computed_;
}

std::uint64_t Parameter::size_bytes() const {
    std::uint64_t total = packed_bytes_;
    for (const at::Tensor* tensor : {&value_, &computed_, &gradient_, &first_, &second_}) {
        total += tensor->defined() ? tensor->nbytes() : 0;
    }
    return total;
}

void Parameter::add_gradient(const at::Tensor& gradient) {
    if (!gradient_.defined()) {
        gradient_ = at::empty(value_.sizes(), at::kFloat);
    }
    if (has_gradient_) {
        gradient_.add_(gradient);
    } else {
        gradient_.copy_(gradient);
    }
    has_gradient_ = true;
    by_rows_ = false;
}

void Parameter::add_gradient_rows(const at::Tensor& indices, const at::Tensor& gradient) {
    if (!gradient_.defined()) {
        gradient_ = at::zeros(value_.sizes(), at::kFloat);
        by_rows_ = true;
    } else if (!has_gradient_ && !by_rows_) {
        gradient_.zero_();
        by_rows_ = true;
    }
    has_gradient_ = true;
    const at::Tensor from = gradient.to(at::kFloat).contiguous();
    float* to = gradient_.mutable_data_ptr<float>();
    const float* rows = from.const_data_ptr<float>();
    const std::int64_t* index = indices.const_data_ptr<std::int64_t>();
    const std::int64_t columns = from.size(1);
    if (by_rows_) {
        touched_.insert(touched_.end(), index, index + from.size(0));
    }
    // Every thread takes columns of its own, so that equal indices meet in one thread and sums have one order.
    at::parallel_for(0, columns, 32, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = 0; row < from.size(0); ++row) {
            for (std::int64_t c = begin; c < end; ++c) {
                to[index[row] * columns + c] += rows[row * columns + c];
            }
        }
    });
}

void Parameter::clear_gradient() {
    has_gradient_ = false;
    if (by_rows_) {
        const std::int64_t columns = value_.size(1);
        for (const std::int64_t row : touched_) {
            std::fill_n(gradient_.mutable_data_ptr<float>() + row * columns, columns, 0.0F);
        }
    }
    touched_.clear();
}

at::Tensor& Parameter::moment(at::Tensor& which) {
    if (!which.defined()) {
        which = at::zeros(value_.sizes(), at::kFloat);
    }
    return which;
}

ParameterSet::ParameterSet(std::shared_ptr<const WeightSource> source, const TrainerOptions& options)
    : source_(std::move(source)),
      options_(options),
      type_(options.precision == Precision::kFloat32 ? at::kFloat : at::kBFloat16),
      pair_found_(options.pairs.size(), false) {
    for (const std::string& name : options.tensors) {
        if (!wanted_.emplace(source_->canonical(name), false).second) {
            fail(Code::kInvalidArgument, "tensor ", quote(name), " is to be trained twice");
        }
    }
    for (std::size_t i = 0; i < options.pairs.size(); ++i) {
        const TrainedPair& pair = options.pairs[i];
        if (!wanted_pairs_.emplace(source_->canonical(pair.module), i).second) {
            fail(Code::kInvalidArgument, "layer ", quote(pair.module), " is to have two pairs");
        }
        if (pair.rank < 1 || pair.rank > 65536 || !std::isfinite(pair.scale)) {
            fail(Code::kInvalidArgument, "the pair of layer ", quote(pair.module), " has rank ", pair.rank, " and scale ",
                 pair.scale);
        }
    }
}

bool ParameterSet::is_trained(const std::string& name) {
    const auto found = wanted_.find(name);
    if (found != wanted_.end()) {
        found->second = true;
    }
    return found != wanted_.end();
}

std::string ParameterSet::file_name(const std::string& name) const {
    const TensorView* view = source_->find(name);
    return view == nullptr ? name : view->name;
}

ParameterPtr ParameterSet::keep(ParameterPtr parameter) {
    all_.push_back(parameter);
    if (parameter->trained()) {
        trained_.push_back(parameter);
    }
    return parameter;
}

at::Tensor ParameterSet::read_matrix(const MatrixSpec& spec) const {
    const at::Tensor weight = source_->float_tensor(spec.name, {spec.rows, spec.columns});
    return spec.interleaved_heads > 0 ? restore_halves(weight, spec.interleaved_heads) : weight;
}

ParameterPtr ParameterSet::packed_matrix(const MatrixSpec& spec) {
    std::uint64_t bytes = 0;
    std::function<at::Tensor()> unpack;
    if (options_.precision == Precision::kInt8) {
        unpack = int8_unpacker(read_matrix(spec), bytes);
    } else {
        const std::array shape = {spec.rows, spec.columns};
        const TensorView& view = source_->view(spec.name, shape);
        const bool blocks = view.type == ElementType::kQ4_0 || view.type == ElementType::kQ4_1;
        unpack = int4_unpacker(blocks ? Int4Matrix::from_blocks(view, spec.interleaved_heads)
                                      : Int4Matrix::round(read_matrix(spec).contiguous(), at::Tensor()),
                               bytes);
    }
    return keep(std::make_shared<Parameter>(file_name(spec.name), std::move(unpack), bytes));
}

ParameterPtr ParameterSet::matrix(const MatrixSpec& spec) {
    weights_ += spec.rows * spec.columns;
    const bool trained = is_trained(spec.name);
    const bool packed = options_.precision == Precision::kInt8 || options_.precision == Precision::kInt4;
    const bool router = spec.name.ends_with(".gate.weight");  // which experts are chosen hangs on small differences
    if (packed && !trained && !router && spec.columns % 32 == 0) {
        return packed_matrix(spec);
    }
    return keep(std::make_shared<Parameter>(file_name(spec.name), read_matrix(spec), type_, trained));
}

ParameterPtr ParameterSet::table(const std::string& name, std::int64_t rows, std::int64_t columns) {
    ParameterPtr& known = tables_[name];
    if (known == nullptr) {
        known = keep(
            std::make_shared<Parameter>(file_name(name), source_->float_tensor(name, {rows, columns}), type_, is_trained(name)));
    }
    return known;
}

ParameterPtr ParameterSet::vector(const std::string& name, std::int64_t size) {
    return keep(std::make_shared<Parameter>(file_name(name), source_->float_tensor(name, {size}), at::kFloat, is_trained(name)));
}

std::optional<ParameterSet::Pair> ParameterSet::pair(const std::string& module, std::int64_t outputs, std::int64_t inputs) {
    const auto found = wanted_pairs_.find(module);
    if (found == wanted_pairs_.end()) {
        return std::nullopt;
    }
    pair_found_[found->second] = true;
    const TrainedPair& wanted = options_.pairs[found->second];
    const auto half = [&](const char* which, std::int64_t rows, std::int64_t columns) {
        return keep(std::make_shared<Parameter>(wanted.module + which, at::zeros({rows, columns}, at::kFloat), type_, true));
    };
    return Pair{half(".lora_A.weight", wanted.rank, inputs), half(".lora_B.weight", outputs, wanted.rank), wanted.scale};
}

void ParameterSet::finish() {
    for (std::size_t i = 0; i < pair_found_.size(); ++i) {
        if (!pair_found_[i]) {
            fail(Code::kInvalidArgument, quote(source_->source()), " has no linear layer ", quote(options_.pairs[i].module),
                 " to train a pair beside");
        }
    }
    for (const std::string& name : options_.tensors) {
        if (!wanted_.at(source_->canonical(name))) {
            fail(Code::kInvalidArgument, quote(source_->source()), " has no tensor ", quote(name), " that can be trained");
        }
    }
    if (trained_.empty()) {
        fail(Code::kInvalidArgument, "nothing of ", quote(source_->source()), " is to be trained");
    }
}

std::uint64_t ParameterSet::size_bytes() const {
    std::uint64_t total = 0;
    for (const ParameterPtr& parameter : all_) {
        total += parameter->size_bytes();
    }
    return total;
}

}  // namespace rag::core::libtorch
