// The tensors of a model that is trained: frozen ones in the form that products take, trained ones as float32 masters with
// gradients, moments and a copy in the products' type. Thread rule: on the trainer's worker.
#pragma once

#include "libtorch/quant/packed_int4.hpp"
#include "libtorch/quant/weight_source.hpp"
#include "libtorch/train/tape.hpp"
#include "model/backend_training.hpp"

namespace rag::core::libtorch {

class Parameter {
  public:
    /// Trained: `value` becomes a master of its own in float32.
    Parameter(std::string name, const at::Tensor& value, at::ScalarType type, bool trained);
    /// Frozen, unpacked to `type` whenever it is used.
    Parameter(std::string name, std::function<at::Tensor()> unpack, std::uint64_t packed_bytes);

    const std::string& name() const noexcept { return name_; }
    bool trained() const noexcept { return trained_; }
    /// The master, or what is frozen, as it is kept.
    const at::Tensor& value() const noexcept { return value_; }
    /// In the type of products.
    at::Tensor computed();
    std::uint64_t size_bytes() const;

    /// For trained ones.
    void add_gradient(const at::Tensor& gradient);
    /// Adds row i of `gradient` [rows, columns] to row indices[i].
    void add_gradient_rows(const at::Tensor& indices, const at::Tensor& gradient);
    void clear_gradient();
    /// Undefined: none was added.
    at::Tensor gradient() const { return has_gradient_ ? gradient_ : at::Tensor(); }
    /// Zeros before the first step.
    at::Tensor& first_moment() { return moment(first_); }
    at::Tensor& second_moment() { return moment(second_); }
    /// After the master was changed in place.
    void changed() { stale_ = true; }

  private:
    at::Tensor& moment(at::Tensor& which);

    std::string name_;
    at::Tensor value_;
    at::ScalarType type_ = at::kFloat;
    bool trained_ = false;
    std::function<at::Tensor()> unpack_;
    std::uint64_t packed_bytes_ = 0;
    // Buffers stay from step to step: to get them anew costs more than to fill them.
    at::Tensor computed_;
    bool stale_ = true;
    at::Tensor gradient_;
    bool has_gradient_ = false;
    bool by_rows_ = false;  // zero but for the rows below
    std::vector<std::int64_t> touched_;
    at::Tensor first_;
    at::Tensor second_;
};
using ParameterPtr = std::shared_ptr<Parameter>;

/// A matrix of a file and how its rows lie there.
struct MatrixSpec {
    std::string name;
    std::int64_t rows = 0, columns = 0;
    std::int64_t interleaved_heads = 0;  // as in LinearPart
};

class ParameterSet {
  public:
    /// Options that name what the file does not have are found by finish().
    ParameterSet(std::shared_ptr<const WeightSource> source, const TrainerOptions& options);

    const WeightSource& source() const { return *source_; }
    const TrainerOptions& options() const { return options_; }
    /// Of products.
    at::ScalarType type() const { return type_; }

    /// Weights of linear layers: frozen ones as the precision says.
    ParameterPtr matrix(const MatrixSpec& spec);
    /// Tables of vectors; asked for twice it is the same one.
    ParameterPtr table(const std::string& name, std::int64_t rows, std::int64_t columns);
    /// Weights of norms and biases: float32 always.
    ParameterPtr vector(const std::string& name, std::int64_t size);
    /// Both matrices of a pair, if the options have one for this module.
    struct Pair {
        ParameterPtr a, b;
        float scale = 1.0F;
    };
    std::optional<Pair> pair(const std::string& module, std::int64_t outputs, std::int64_t inputs);

    /// kInvalidArgument for names in the options that no layer asked for, and where nothing is trained.
    void finish();
    const std::vector<ParameterPtr>& trained() const noexcept { return trained_; }
    std::uint64_t size_bytes() const;
    /// Of all matrices: multiply-adds of a row of input.
    std::int64_t weights() const noexcept { return weights_; }

  private:
    bool is_trained(const std::string& name);
    ParameterPtr keep(ParameterPtr parameter);
    ParameterPtr packed_matrix(const MatrixSpec& spec);
    at::Tensor read_matrix(const MatrixSpec& spec) const;
    /// As the file spells it.
    std::string file_name(const std::string& name) const;

    std::shared_ptr<const WeightSource> source_;
    TrainerOptions options_;
    at::ScalarType type_;
    std::unordered_map<std::string, bool> wanted_;               // canonical names of options.tensors; true: found
    std::unordered_map<std::string, std::size_t> wanted_pairs_;  // canonical modules -> place in options.pairs
    std::vector<bool> pair_found_;
    std::unordered_map<std::string, ParameterPtr> tables_;
    std::int64_t weights_ = 0;
    std::vector<ParameterPtr> all_;
    std::vector<ParameterPtr> trained_;
};

}  // namespace rag::core::libtorch
