#include "libtorch/kernels/training_attention.hpp"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "libtorch/kernels/training_attention.cpp"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "libtorch/kernels/narrow-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace rag::core::libtorch::kernels {
namespace HWY_NAMESPACE {

// Rows of scratch matrices are whole vectors of the widest registers, zeros behind their last number.
constexpr std::int64_t kPad = 16;

HWY_INLINE std::int64_t Padded(std::int64_t columns) {
    return (columns + kPad - 1) / kPad * kPad;
}

// A matrix of which element (i, k) is at[i * row_step + k * column_step].
struct Left {
    const float* at;
    std::int64_t row_step, column_step;
};

template <int kRows, int kVectors>
HWY_INLINE void Block(Left a, std::int64_t inner, const float* b, std::int64_t width, float* c, bool add) {
    const FloatTag d;
    const std::int64_t lanes = FloatLanes();
    Vector sums[kRows][kVectors];
    for (int r = 0; r < kRows; ++r) {
        for (int v = 0; v < kVectors; ++v) {
            sums[r][v] = add ? hn::LoadU(d, c + r * width + v * lanes) : hn::Zero(d);
        }
    }
    for (std::int64_t k = 0; k < inner; ++k) {
        Vector row[kVectors];
        for (int v = 0; v < kVectors; ++v) {
            row[v] = hn::LoadU(d, b + k * width + v * lanes);
        }
        for (int r = 0; r < kRows; ++r) {
            const Vector factor = hn::Set(d, a.at[r * a.row_step + k * a.column_step]);
            for (int v = 0; v < kVectors; ++v) {
                sums[r][v] = hn::MulAdd(factor, row[v], sums[r][v]);
            }
        }
    }
    for (int r = 0; r < kRows; ++r) {
        for (int v = 0; v < kVectors; ++v) {
            hn::StoreU(sums[r][v], d, c + r * width + v * lanes);
        }
    }
}

// c [rows, width] = a [rows, inner] b [inner, width], or added to c.
HWY_NOINLINE void Multiply(Left a, std::int64_t rows, std::int64_t inner, const float* b, std::int64_t width, float* c,
                           bool add) {
    const std::int64_t lanes = FloatLanes();
    for (std::int64_t row = 0; row < rows;) {
        const Left from = {a.at + row * a.row_step, a.row_step, a.column_step};
        const bool four = row + 4 <= rows;
        for (std::int64_t column = 0; column < width;) {
            float* to = c + row * width + column;
            const bool two = column + 2 * lanes <= width;
            if (four && two) {
                Block<4, 2>(from, inner, b + column, width, to, add);
            } else if (four) {
                Block<4, 1>(from, inner, b + column, width, to, add);
            } else if (two) {
                Block<1, 2>(from, inner, b + column, width, to, add);
            } else {
                Block<1, 1>(from, inner, b + column, width, to, add);
            }
            column += (two ? 2 : 1) * lanes;
        }
        row += four ? 4 : 1;
    }
}

// Where the matrices of a text lie in the scratch memory.
struct Scratch {
    Scratch(std::int64_t length, std::int64_t head_dim, float* memory)
        : tall(Padded(length)), wide(Padded(head_dim)), at(memory) {
        for (float** rows : {&q, &k, &v, &gradient, &to_q, &to_k, &to_v}) {
            *rows = take(length * wide);
        }
        turned_k = take(head_dim * tall);
        turned_v = take(head_dim * tall);
        weights = take(length * tall);
        scores = take(length * tall);
    }
    static std::int64_t Numbers(std::int64_t length, std::int64_t head_dim) {
        return 7 * length * Padded(head_dim) + 2 * head_dim * Padded(length) + 2 * length * Padded(length);
    }
    float* take(std::int64_t numbers) {
        float* found = at;
        at += numbers;
        return found;
    }

    std::int64_t tall, wide;  // widths of rows: of positions, of dimensions
    float* at;
    float *q = nullptr, *k = nullptr, *v = nullptr, *gradient = nullptr, *to_q = nullptr, *to_k = nullptr, *to_v = nullptr;
    float *turned_k = nullptr, *turned_v = nullptr;  // [head_dim, tall]
    float *weights = nullptr, *scores = nullptr;     // [length, tall]
};

template <typename T>
HWY_INLINE void ReadRows(const T* from, std::int64_t step, std::int64_t rows, std::int64_t columns, std::int64_t width,
                         float* to) {
    for (std::int64_t i = 0; i < rows; ++i) {
        const Reader<T> row(from + i * step, columns);
        for (std::int64_t c = 0; c < width; c += FloatLanes()) {
            hn::StoreU(c < columns ? row.at(c) : hn::Zero(FloatTag()), FloatTag(), to + i * width + c);
        }
    }
}

template <typename T>
HWY_INLINE void WriteRows(const float* from, std::int64_t width, std::int64_t rows, std::int64_t columns, std::int64_t step,
                          T* to) {
    for (std::int64_t i = 0; i < rows; ++i) {
        for (std::int64_t c = 0; c < columns; c += FloatLanes()) {
            Put(hn::LoadU(FloatTag(), from + i * width + c), to + i * step, c, columns);
        }
    }
}

HWY_INLINE void Turn(const float* from, std::int64_t rows, std::int64_t width, std::int64_t columns, std::int64_t tall,
                     float* to) {
    for (std::int64_t c = 0; c < columns; ++c) {
        for (std::int64_t i = 0; i < rows; ++i) {
            to[c * tall + i] = from[i * width + c];
        }
        std::fill(to + c * tall + rows, to + (c + 1) * tall, 0.0F);
    }
}

// The positions [begin, end) that position i sees.
struct Seen {
    Seen(const ShortText& text, std::int64_t i)
        : begin(text.before < 0 ? 0 : std::max<std::int64_t>(0, i - text.before)),
          end(text.after < 0 ? text.length : std::min(text.length, i + text.after + 1)) {}
    std::int64_t begin, end;
};

// The softmax of scores * scale over what is seen, 0 elsewhere, in place.
HWY_INLINE void Weigh(float* row, std::int64_t tall, Seen seen, float scale) {
    const FloatTag d;
    constexpr float kUnseen = -1e30F;  // exp gives 0, and no NaN comes of it
    const Vector factor = hn::Set(d, scale);
    Vector most = hn::Set(d, kUnseen);
    for (std::int64_t j = 0; j < tall; j += FloatLanes()) {
        hn::StoreU(hn::Mul(hn::LoadU(d, row + j), factor), d, row + j);
    }
    std::fill(row, row + seen.begin, kUnseen);
    std::fill(row + seen.end, row + tall, kUnseen);
    for (std::int64_t j = 0; j < tall; j += FloatLanes()) {
        most = hn::Max(most, hn::LoadU(d, row + j));
    }
    const Vector largest = hn::Set(d, hn::GetLane(hn::MaxOfLanes(d, most)));
    Vector sum = hn::Zero(d);
    for (std::int64_t j = 0; j < tall; j += FloatLanes()) {
        const Vector weight = hn::Exp(d, hn::Sub(hn::LoadU(d, row + j), largest));
        sum = hn::Add(sum, weight);
        hn::StoreU(weight, d, row + j);
    }
    const Vector share = hn::Set(d, 1.0F / Total(sum));
    for (std::int64_t j = 0; j < tall; j += FloatLanes()) {
        hn::StoreU(hn::Mul(hn::LoadU(d, row + j), share), d, row + j);
    }
}

// The keys of a text, also turned, and its values.
template <typename T>
HWY_INLINE void ReadKeys(const ShortText& text, ConstNarrow k, ConstNarrow v, const Scratch& s) {
    ReadRows(static_cast<const T*>(k.data), text.key_step, text.length, text.head_dim, s.wide, s.k);
    ReadRows(static_cast<const T*>(v.data), text.key_step, text.length, text.head_dim, s.wide, s.v);
    Turn(s.k, text.length, s.wide, text.head_dim, s.tall, s.turned_k);
}

// The queries of a head and the weights that they give to the keys.
template <typename T>
HWY_INLINE void WeighKeys(const ShortText& text, ConstNarrow q, std::int64_t head, const Scratch& s) {
    const std::int64_t n = text.length, dim = text.head_dim;
    ReadRows(static_cast<const T*>(q.data) + head * dim, text.query_step, n, dim, s.wide, s.q);
    Multiply({s.q, s.wide, 1}, n, dim, s.turned_k, s.tall, s.weights, false);
    for (std::int64_t i = 0; i < n; ++i) {
        Weigh(s.weights + i * s.tall, s.tall, Seen(text, i), text.scale);
    }
}

void ShortAttentionForward(const ShortText& text, ConstNarrow q, ConstNarrow k, ConstNarrow v, Narrow out, float* scratch) {
    WithType(q.type, [&](auto* type) {
        using T = std::remove_pointer_t<decltype(type)>;
        const std::int64_t n = text.length, dim = text.head_dim;
        const Scratch s(n, dim, scratch);
        ReadKeys<T>(text, k, v, s);
        for (std::int64_t head = 0; head < text.shared_by; ++head) {
            WeighKeys<T>(text, q, head, s);
            Multiply({s.weights, s.tall, 1}, n, n, s.v, s.wide, s.to_q, false);
            WriteRows(s.to_q, s.wide, n, dim, text.query_step, static_cast<T*>(out.data) + head * dim);
        }
    });
}

// scores: the gradients of weights, which become those of the scores.
HWY_INLINE void OfScores(const float* weights, std::int64_t tall, float scale, float* scores) {
    const FloatTag d;
    Vector sum = hn::Zero(d);
    for (std::int64_t j = 0; j < tall; j += FloatLanes()) {
        sum = hn::MulAdd(hn::LoadU(d, weights + j), hn::LoadU(d, scores + j), sum);
    }
    const Vector mean = hn::Set(d, Total(sum)), factor = hn::Set(d, scale);
    for (std::int64_t j = 0; j < tall; j += FloatLanes()) {
        const Vector centred = hn::Sub(hn::LoadU(d, scores + j), mean);
        hn::StoreU(hn::Mul(hn::Mul(hn::LoadU(d, weights + j), centred), factor), d, scores + j);
    }
}

void ShortAttentionBackward(const ShortText& text, ConstNarrow gradient, ConstNarrow q, ConstNarrow k, ConstNarrow v, Narrow to_q,
                            Narrow to_k, Narrow to_v, float* scratch) {
    WithType(q.type, [&](auto* type) {
        using T = std::remove_pointer_t<decltype(type)>;
        const std::int64_t n = text.length, dim = text.head_dim;
        const Scratch s(n, dim, scratch);
        ReadKeys<T>(text, k, v, s);
        Turn(s.v, n, s.wide, dim, s.tall, s.turned_v);
        for (std::int64_t head = 0; head < text.shared_by; ++head) {
            WeighKeys<T>(text, q, head, s);
            ReadRows(static_cast<const T*>(gradient.data) + head * dim, text.query_step, n, dim, s.wide, s.gradient);
            Multiply({s.gradient, s.wide, 1}, n, dim, s.turned_v, s.tall, s.scores, false);
            for (std::int64_t i = 0; i < n; ++i) {
                OfScores(s.weights + i * s.tall, s.tall, text.scale, s.scores + i * s.tall);
            }
            Multiply({s.scores, s.tall, 1}, n, n, s.k, s.wide, s.to_q, false);
            WriteRows(s.to_q, s.wide, n, dim, text.query_step, static_cast<T*>(to_q.data) + head * dim);
            Multiply({s.scores, 1, s.tall}, n, n, s.q, s.wide, s.to_k, head > 0);
            Multiply({s.weights, 1, s.tall}, n, n, s.gradient, s.wide, s.to_v, head > 0);
        }
        WriteRows(s.to_k, s.wide, n, dim, text.key_step, static_cast<T*>(to_k.data));
        WriteRows(s.to_v, s.wide, n, dim, text.key_step, static_cast<T*>(to_v.data));
    });
}

std::int64_t ShortAttentionScratch(std::int64_t length, std::int64_t head_dim) {
    return Scratch::Numbers(length, head_dim);
}

}  // namespace HWY_NAMESPACE
}  // namespace rag::core::libtorch::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rag::core::libtorch::kernels {

HWY_EXPORT(ShortAttentionScratch);
HWY_EXPORT(ShortAttentionForward);
HWY_EXPORT(ShortAttentionBackward);

std::int64_t short_attention_scratch(std::int64_t length, std::int64_t head_dim) {
    return HWY_DYNAMIC_DISPATCH(ShortAttentionScratch)(length, head_dim);
}

void short_attention_forward(const ShortText& text, ConstNarrow q, ConstNarrow k, ConstNarrow v, Narrow out, float* scratch) {
    HWY_DYNAMIC_DISPATCH(ShortAttentionForward)(text, q, k, v, out, scratch);
}

void short_attention_backward(const ShortText& text, ConstNarrow gradient, ConstNarrow q, ConstNarrow k, ConstNarrow v,
                              Narrow to_q, Narrow to_k, Narrow to_v, float* scratch) {
    HWY_DYNAMIC_DISPATCH(ShortAttentionBackward)(text, gradient, q, k, v, to_q, to_k, to_v, scratch);
}

}  // namespace rag::core::libtorch::kernels
#endif
