// All of librag's C++ interface.
#pragma once

#include <rag/bm25.hpp>
#include <rag/engine.hpp>
#include <rag/error.hpp>
#include <rag/evaluate.hpp>
#include <rag/generate.hpp>
#include <rag/index.hpp>
#include <rag/model.hpp>
#include <rag/search.hpp>
#include <rag/text.hpp>
#include <rag/tokenizer.hpp>
#include <rag/train.hpp>
