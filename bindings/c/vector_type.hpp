// The dtype of a vector index, as rag.h numbers it. Pure; any thread.
#pragma once

#include <cstdint>

#include "core/error.hpp"
#include "index/vector/rows.hpp"
#include "rag/rag.h"

namespace rag::capi {

/// kInvalidArgument: another dtype.
inline core::VectorType vector_type_of(std::uint32_t dtype) {
    if (dtype == RAG_FLOAT32) return core::VectorType::kFloat32;
    if (dtype == RAG_INT8) return core::VectorType::kInt8;
    core::fail(core::Code::kInvalidArgument, "dtype of a vector index is {}, it must be {} (float32) or {} (int8)", dtype,
               static_cast<int>(RAG_FLOAT32), static_cast<int>(RAG_INT8));
}

}  // namespace rag::capi
