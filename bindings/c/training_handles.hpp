// What rag_training_rows is.
#pragma once

#include <rag/rag.h>

#include "train/data/read_rows.hpp"

struct rag_training_rows {
    rag::core::TrainingRows rows;
};
