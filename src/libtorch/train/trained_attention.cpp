#include "libtorch/train/trained_attention.hpp"

#include "libtorch/kernels/training_tiles.hpp"
#include "libtorch/layers/number_type.hpp"
#include "libtorch/train/trained_layers.hpp"

#include <limits>

namespace rag::core::libtorch {
namespace {

// Texts of one length.
struct Run {
    std::int64_t first_row = 0, texts = 0, length = 0;
};

std::vector<Run> runs_of(std::span<const std::int64_t> offsets) {
    std::vector<Run> runs;
    for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
        const std::int64_t length = offsets[i + 1] - offsets[i];
        if (runs.empty() || runs.back().length != length) {
            runs.push_back({offsets[i], 0, length});
        }
        ++runs.back().texts;
    }
    return runs;
}

// [texts, heads, length, head_dim] of the packed rows, a view; key heads are repeated for the query heads that share them.
at::Tensor heads_of(const at::Tensor& rows, const Run& run, std::int64_t heads, std::int64_t shared_by, std::int64_t head_dim) {
    at::Tensor view = rows.narrow(0, run.first_row, run.texts * run.length).view({run.texts, run.length, heads, head_dim});
    if (shared_by > 1) {
        view = view.unsqueeze(3)
                   .expand({run.texts, run.length, heads, shared_by, head_dim})
                   .reshape({run.texts, run.length, heads * shared_by, head_dim});
    }
    return view.transpose(1, 2);
}

// The other way: [texts, heads * shared_by, length, head_dim] into packed rows, heads that share one are summed.
void put_heads(const at::Tensor& from, const Run& run, std::int64_t heads, std::int64_t shared_by, at::Tensor& rows) {
    const std::int64_t head_dim = from.size(3);
    at::Tensor by_row = from.transpose(1, 2);
    if (shared_by > 1) {
        by_row = by_row.reshape({run.texts, run.length, heads, shared_by, head_dim}).sum(3);
    }
    rows.narrow(0, run.first_row, run.texts * run.length).view({run.texts, run.length, heads, head_dim}).copy_(by_row);
}

// [length, length]: 0 where query i sees key j, else minus infinity; undefined where everything is seen.
at::Tensor window_mask(const TrainedAttention& shape, std::int64_t length, at::ScalarType type) {
    const bool cut = (shape.before >= 0 && shape.before < length - 1) || (shape.after >= 0 && shape.after < length - 1);
    if (!cut) {
        return {};
    }
    at::Tensor mask = at::zeros({length, length}, at::kFloat);
    float* data = mask.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < length; ++i) {
        for (std::int64_t j = 0; j < length; ++j) {
            const bool hidden = (shape.causal && j > i) || (shape.before >= 0 && i - j > shape.before) ||
                                (shape.after >= 0 && j - i > shape.after);
            data[i * length + j] = hidden ? -std::numeric_limits<float>::infinity() : 0.0F;
        }
    }
    return mask.to(type);
}

// Below this length the kernels of training_attention.hpp take the texts that tiles cannot: LibTorch's operator takes ten times
// as long for them, and oneDNN keeps half a megabyte of compiled products for every length.
constexpr std::int64_t kMostShort = 96;
// From this length on tiles are faster, at 32 tokens twice as fast; below, most of a tile is empty.
constexpr std::int64_t kLeastTiled = 16;

enum class Way { kShort, kTiles, kOperator };

Way way_of(const TrainedAttention& shape, std::int64_t length, at::ScalarType type) {
    if (length >= kLeastTiled && type == at::kBFloat16 && kernels::fits_training_tiles(shape.head_dim) &&
        kernels::tiles_available()) {
        return Way::kTiles;
    }
    return length <= kMostShort ? Way::kShort : Way::kOperator;
}

// Those of packed texts that are attended to in one way.
struct Texts {
    std::vector<std::int64_t> first_rows, lengths;
    std::int64_t longest = 0;

    Texts(const TrainedAttention& shape, std::span<const std::int64_t> offsets, at::ScalarType type, Way way) {
        for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
            const std::int64_t length = offsets[i + 1] - offsets[i];
            if (length == 0 || way_of(shape, length, type) != way) {
                continue;
            }
            first_rows.push_back(offsets[i]);
            lengths.push_back(length);
            longest = std::max(longest, length);
        }
    }

    // work(text, row of its first token, head of keys, scratch) for each text and head of keys.
    template <typename Work>
    void each(const TrainedAttention& shape, std::size_t scratch_bytes, const Work& work) const {
        const auto units = static_cast<std::int64_t>(lengths.size()) * shape.kv_heads;
        if (units == 0) {
            return;
        }
        const at::Tensor scratch =
            at::empty({at::get_num_threads(), round_up_bytes(scratch_bytes)}, at::TensorOptions().dtype(at::kByte));
        at::parallel_for(0, units, 1, [&](std::int64_t begin, std::int64_t end) {
            auto* own = reinterpret_cast<std::byte*>(scratch.data_ptr<std::uint8_t>()) + at::get_thread_num() * scratch.size(1);
            for (std::int64_t unit = begin; unit < end; ++unit) {
                const auto at = static_cast<std::size_t>(unit / shape.kv_heads);
                const kernels::ShortText text = {
                    lengths[at],
                    shape.head_dim,
                    shape.heads / shape.kv_heads,
                    shape.heads * shape.head_dim,
                    shape.kv_heads * shape.head_dim,
                    static_cast<float>(shape.scale),
                    shape.before,
                    shape.causal ? 0 : shape.after,
                };
                work(text, first_rows[at], unit % shape.kv_heads, own);
            }
        });
    }

    // Threads write to cache lines of their own.
    static std::int64_t round_up_bytes(std::size_t bytes) { return static_cast<std::int64_t>((bytes + 127) / 128 * 128); }
};

// The numbers from `head` on in a row of packed heads.
void* place(const at::Tensor& rows, std::int64_t row, std::int64_t head, std::int64_t head_dim) {
    return static_cast<std::byte*>(rows.data_ptr()) + (row * rows.size(1) + head * head_dim) * rows.itemsize();
}
kernels::ConstNarrow read_at(const at::Tensor& rows, std::int64_t row, std::int64_t head, std::int64_t head_dim) {
    return {place(rows, row, head, head_dim), number_type(rows.scalar_type())};
}
kernels::Narrow write_at(const at::Tensor& rows, std::int64_t row, std::int64_t head, std::int64_t head_dim) {
    return {place(rows, row, head, head_dim), number_type(rows.scalar_type())};
}
std::uint16_t* tiles_at(const at::Tensor& rows, std::int64_t row, std::int64_t head, std::int64_t head_dim) {
    return static_cast<std::uint16_t*>(place(rows, row, head, head_dim));
}

// Texts for the kernels of training_attention.hpp and training_tiles.hpp.
struct KernelTexts {
    Texts narrow, tiled;

    KernelTexts(const TrainedAttention& shape, std::span<const std::int64_t> offsets, at::ScalarType type)
        : narrow(shape, offsets, type, Way::kShort), tiled(shape, offsets, type, Way::kTiles) {}

    // Into `out`.
    void attend(const TrainedAttention& shape, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                const at::Tensor& out) const {
        const std::int64_t dim = shape.head_dim;
        using Text = const kernels::ShortText&;
        narrow.each(shape, narrow_scratch(dim), [&](Text text, std::int64_t row, std::int64_t head, std::byte* scratch) {
            const std::int64_t first = head * text.shared_by;
            kernels::short_attention_forward(text, read_at(q, row, first, dim), read_at(k, row, head, dim),
                                             read_at(v, row, head, dim), write_at(out, row, first, dim),
                                             reinterpret_cast<float*>(scratch));
        });
        tiled.each(shape, tiled_scratch(dim), [&](Text text, std::int64_t row, std::int64_t head, std::byte* scratch) {
            const std::int64_t first = head * text.shared_by;
            kernels::tile_attention_forward(text, tiles_at(q, row, first, dim), tiles_at(k, row, head, dim),
                                            tiles_at(v, row, head, dim), tiles_at(out, row, first, dim), scratch);
        });
    }

    // inputs, gradients: of q, k and v.
    void go_back(const TrainedAttention& shape, const at::Tensor& gradient, const std::array<at::Tensor, 3>& inputs,
                 const std::array<at::Tensor, 3>& gradients) const {
        const std::int64_t dim = shape.head_dim;
        const auto& [q, k, v] = inputs;
        const auto& [to_q, to_k, to_v] = gradients;
        using Text = const kernels::ShortText&;
        narrow.each(shape, narrow_scratch(dim), [&](Text text, std::int64_t row, std::int64_t head, std::byte* scratch) {
            const std::int64_t first = head * text.shared_by;
            kernels::short_attention_backward(text, read_at(gradient, row, first, dim), read_at(q, row, first, dim),
                                              read_at(k, row, head, dim), read_at(v, row, head, dim),
                                              write_at(to_q, row, first, dim), write_at(to_k, row, head, dim),
                                              write_at(to_v, row, head, dim), reinterpret_cast<float*>(scratch));
        });
        tiled.each(shape, tiled_scratch(dim), [&](Text text, std::int64_t row, std::int64_t head, std::byte* scratch) {
            const std::int64_t first = head * text.shared_by;
            kernels::tile_attention_backward(
                text,
                {tiles_at(gradient, row, first, dim), tiles_at(q, row, first, dim), tiles_at(k, row, head, dim),
                 tiles_at(v, row, head, dim), tiles_at(to_q, row, first, dim), tiles_at(to_k, row, head, dim),
                 tiles_at(to_v, row, head, dim)},
                scratch);
        });
    }

    std::size_t narrow_scratch(std::int64_t dim) const {
        return static_cast<std::size_t>(kernels::short_attention_scratch(narrow.longest, dim)) * sizeof(float);
    }
    std::size_t tiled_scratch(std::int64_t dim) const { return kernels::training_tiles_scratch(tiled.longest, dim); }
};

struct FlashRun {
    Run run;
    at::Tensor out, sums;  // as the operator returns them
    at::Tensor mask;
};

// Texts by the kernels as far as they go, the others by LibTorch's operator.
at::Tensor attend_fast(const TrainedAttention& shape, std::span<const std::int64_t> offsets, const at::Tensor& q,
                       const at::Tensor& k, const at::Tensor& v) {
    const std::int64_t shared_by = shape.heads / shape.kv_heads;
    at::Tensor out = at::empty(q.sizes(), q.scalar_type());
    std::vector<FlashRun> done;
    const bool keep = recorded({q, k, v});
    const at::Tensor rows_q = q.detach().contiguous(), rows_k = k.detach().contiguous(), rows_v = v.detach().contiguous();
    const KernelTexts texts(shape, offsets, q.scalar_type());
    {
        const at::AutoGradMode off(false);
        texts.attend(shape, rows_q, rows_k, rows_v, out);
        for (const Run& run : runs_of(offsets)) {
            if (way_of(shape, run.length, q.scalar_type()) != Way::kOperator) {
                continue;
            }
            FlashRun one{run, {}, {}, window_mask(shape, run.length, q.scalar_type())};
            std::tie(one.out, one.sums) = at::_scaled_dot_product_flash_attention_for_cpu(
                heads_of(rows_q, run, shape.heads, 1, shape.head_dim),
                heads_of(rows_k, run, shape.kv_heads, shared_by, shape.head_dim),
                heads_of(rows_v, run, shape.kv_heads, shared_by, shape.head_dim), 0.0, shape.causal && !one.mask.defined(),
                one.mask.defined() ? std::optional(one.mask) : std::nullopt, shape.scale);
            put_heads(one.out, run, shape.heads, 1, out);
            if (keep) {
                done.push_back(std::move(one));
            }
        }
    }
    return record(std::move(out), {q, k, v}, [=](const at::Tensor& gradient) {
        std::array<at::Tensor, 3> gradients;
        auto& [to_q, to_k, to_v] = gradients;
        to_q = at::empty(rows_q.sizes(), rows_q.scalar_type());
        to_k = at::empty(rows_k.sizes(), rows_k.scalar_type());
        to_v = at::empty(rows_v.sizes(), rows_v.scalar_type());
        const at::Tensor rows = gradient.contiguous();
        texts.go_back(shape, rows, {rows_q, rows_k, rows_v}, gradients);
        for (const FlashRun& one : done) {
            const Run& run = one.run;
            auto [dq, dk, dv] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
                heads_of(rows, run, shape.heads, 1, shape.head_dim), heads_of(rows_q, run, shape.heads, 1, shape.head_dim),
                heads_of(rows_k, run, shape.kv_heads, shared_by, shape.head_dim),
                heads_of(rows_v, run, shape.kv_heads, shared_by, shape.head_dim), one.out, one.sums, 0.0,
                shape.causal && !one.mask.defined(), one.mask.defined() ? std::optional(one.mask) : std::nullopt, shape.scale);
            put_heads(dq, run, shape.heads, 1, to_q);
            put_heads(dk, run, shape.kv_heads, shared_by, to_k);
            put_heads(dv, run, shape.kv_heads, shared_by, to_v);
        }
        return std::vector<at::Tensor>{to_q, to_k, to_v};
    });
}

// Rows of the bias for every pair of positions, [heads, length, length].
at::Tensor pair_bias(const at::Tensor& by_distance, std::int64_t length, std::int64_t heads) {
    const std::int64_t longest = (by_distance.size(0) + 1) / 2;
    at::Tensor index = at::empty({length * length}, at::kLong);
    std::int64_t* at = index.mutable_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < length; ++i) {
        for (std::int64_t j = 0; j < length; ++j) {
            at[i * length + j] = longest - 1 + j - i;
        }
    }
    return at::index_select(by_distance, 0, index).view({length, length, heads}).permute({2, 0, 1});
}

at::Tensor attend_plain(const TrainedAttention& shape, std::span<const std::int64_t> offsets, const at::Tensor& q,
                        const at::Tensor& k, const at::Tensor& v) {
    const std::int64_t shared_by = shape.heads / shape.kv_heads;
    std::vector<at::Tensor> parts;
    for (const Run& run : runs_of(offsets)) {
        const at::Tensor queries = heads_of(q, run, shape.heads, 1, shape.head_dim);
        const at::Tensor keys = heads_of(k, run, shape.kv_heads, shared_by, shape.head_dim);
        const at::Tensor values = heads_of(v, run, shape.kv_heads, shared_by, shape.head_dim);
        at::Tensor scores = at::matmul(queries, keys.transpose(2, 3)).to(at::kFloat).mul(shape.scale);
        if (shape.softcap > 0.0) {
            scores = scores.div(shape.softcap).tanh().mul(shape.softcap);
        }
        if (shape.distance_bias.defined()) {
            scores = scores.add(pair_bias(shape.distance_bias, run.length, shape.heads));
        }
        TrainedAttention seen = shape;
        seen.after = shape.causal ? 0 : shape.after;
        const at::Tensor mask = window_mask(seen, run.length, at::kFloat);
        if (mask.defined()) {
            scores = scores.add(mask);
        }
        const at::Tensor attended = at::matmul(at::softmax(scores, -1).to(q.scalar_type()), values);
        parts.push_back(attended.transpose(1, 2).reshape({run.texts * run.length, shape.heads * shape.head_dim}));
    }
    return parts.size() == 1 ? parts.front() : at::cat(parts, 0);
}

}  // namespace

at::Tensor attend_packed(const TrainedAttention& shape, std::span<const std::int64_t> offsets, const at::Tensor& q,
                         const at::Tensor& k, const at::Tensor& v) {
    const bool plain = shape.softcap > 0.0 || shape.distance_bias.defined();
    return plain ? attend_plain(shape, offsets, q, k, v) : attend_fast(shape, offsets, q, k, v);
}

}  // namespace rag::core::libtorch
