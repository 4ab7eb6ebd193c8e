// Rows of float32 or bfloat16 numbers, read as float32 vectors and written back rounded; included once for every instruction set,
// after hwy/highway.h.
#if defined(RAG_NARROW_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef RAG_NARROW_INL_HPP
#undef RAG_NARROW_INL_HPP
#else
#define RAG_NARROW_INL_HPP
#endif

#include "libtorch/kernels/number_type.hpp"
#include "libtorch/kernels/widen-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace rag::core::libtorch::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Vector = hn::Vec<FloatTag>;

HWY_INLINE std::int64_t FloatLanes() {
    return static_cast<std::int64_t>(hn::Lanes(FloatTag()));
}

HWY_INLINE float Total(Vector v) {
    return hn::GetLane(hn::SumOfLanes(FloatTag(), v));
}

// Rounded to nearest even. The NaNs that arithmetic makes stay NaNs.
HWY_INLINE void StoreNarrow(Vector v, hwy::bfloat16_t* to) {
    const hn::RebindToUnsigned<FloatTag> d32;
    const hn::Rebind<std::uint16_t, FloatTag> d16;
    const auto bits = hn::BitCast(d32, v);
    const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d32, 1U));
    const auto rounded = hn::ShiftRight<16>(hn::Add(hn::Add(bits, hn::Set(d32, 0x7FFFU)), odd));
    hn::StoreU(hn::TruncateTo(d16, rounded), d16, reinterpret_cast<std::uint16_t*>(to));
}
HWY_INLINE void StoreNarrow(Vector v, float* to) {
    hn::StoreU(v, FloatTag(), to);
}

// A row as vectors; what is left at its end goes through a buffer of one vector, zeros behind the last number.
template <typename T>
class Reader {
  public:
    Reader(const T* from, std::int64_t columns) : from_(from), columns_(columns) {}
    HWY_INLINE Vector at(std::int64_t c) const {
        if (HWY_LIKELY(c + FloatLanes() <= columns_)) {
            return WidenVector(from_ + c);
        }
        HWY_ALIGN float rest[HWY_MAX_BYTES / sizeof(float)] = {};
        for (std::int64_t i = 0; c + i < columns_; ++i) {
            rest[i] = WidenScalar(from_[c + i]);
        }
        return hn::Load(FloatTag(), rest);
    }

  private:
    const T* from_;
    std::int64_t columns_;
};

template <typename T>
HWY_INLINE void Put(Vector v, T* to, std::int64_t c, std::int64_t columns) {
    if (HWY_LIKELY(c + FloatLanes() <= columns)) {
        return StoreNarrow(v, to + c);
    }
    HWY_ALIGN T rest[HWY_MAX_BYTES / sizeof(float)];
    StoreNarrow(v, rest);
    for (std::int64_t i = 0; c + i < columns; ++i) {
        to[c + i] = rest[i];
    }
}

// function(T*) with the pointer's type.
template <typename Function>
HWY_INLINE auto WithType(NumberType type, const Function& function) {
    return type == NumberType::kBFloat16 ? function(static_cast<hwy::bfloat16_t*>(nullptr))
                                         : function(static_cast<float*>(nullptr));
}

}  // namespace HWY_NAMESPACE
}  // namespace rag::core::libtorch::kernels
HWY_AFTER_NAMESPACE();

#endif
