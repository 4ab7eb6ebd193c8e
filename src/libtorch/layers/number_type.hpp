// LibTorch's element types as the kernels call them.
#pragma once

#include "libtorch/guard.hpp"
#include "libtorch/kernels/number_type.hpp"

namespace rag::core::libtorch {

/// kInternal for a type that no kernel reads.
inline kernels::NumberType number_type(at::ScalarType type) {
    switch (type) {
        case at::kFloat:
            return kernels::NumberType::kFloat32;
        case at::kHalf:
            return kernels::NumberType::kFloat16;
        case at::kBFloat16:
            return kernels::NumberType::kBFloat16;
        case at::kChar:
            return kernels::NumberType::kInt8;
        default:
            fail(Code::kInternal, "numbers of type ", c10::toString(type));
    }
}

}  // namespace rag::core::libtorch
