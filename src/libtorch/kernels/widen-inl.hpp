// Loads of stored numbers as float32 vectors and scalars; included once for every instruction set, after hwy/highway.h.
#if defined(RAG_WIDEN_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef RAG_WIDEN_INL_HPP
#undef RAG_WIDEN_INL_HPP
#else
#define RAG_WIDEN_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
namespace rag::core::libtorch::kernels {
namespace HWY_NAMESPACE {

using FloatTag = hwy::HWY_NAMESPACE::ScalableTag<float>;

/// As many numbers as a float vector has lanes.
template <typename T>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<FloatTag> WidenVector(const T* from) {
    const hwy::HWY_NAMESPACE::Rebind<T, FloatTag> narrow;
    return hwy::HWY_NAMESPACE::PromoteTo(FloatTag(), hwy::HWY_NAMESPACE::LoadU(narrow, from));
}

HWY_INLINE hwy::HWY_NAMESPACE::Vec<FloatTag> WidenVector(const float* from) {
    return hwy::HWY_NAMESPACE::LoadU(FloatTag(), from);
}

HWY_INLINE hwy::HWY_NAMESPACE::Vec<FloatTag> WidenVector(const std::int8_t* from) {
    const hwy::HWY_NAMESPACE::RebindToSigned<FloatTag> whole;
    const hwy::HWY_NAMESPACE::Rebind<std::int8_t, FloatTag> narrow;
    return hwy::HWY_NAMESPACE::ConvertTo(FloatTag(),
                                         hwy::HWY_NAMESPACE::PromoteTo(whole, hwy::HWY_NAMESPACE::LoadU(narrow, from)));
}

HWY_INLINE float WidenScalar(float value) {
    return value;
}

HWY_INLINE float WidenScalar(hwy::float16_t value) {
    const hwy::HWY_NAMESPACE::CappedTag<float, 1> wide;
    const hwy::HWY_NAMESPACE::Rebind<hwy::float16_t, decltype(wide)> narrow;
    return hwy::HWY_NAMESPACE::GetLane(hwy::HWY_NAMESPACE::PromoteTo(wide, hwy::HWY_NAMESPACE::LoadU(narrow, &value)));
}

HWY_INLINE float WidenScalar(std::int8_t value) {
    return static_cast<float>(value);
}

HWY_INLINE float WidenScalar(hwy::bfloat16_t value) {
    return hwy::F32FromBF16(value);
}

}  // namespace HWY_NAMESPACE
}  // namespace rag::core::libtorch::kernels
HWY_AFTER_NAMESPACE();

#endif
