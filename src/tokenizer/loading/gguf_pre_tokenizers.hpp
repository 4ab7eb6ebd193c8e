// What the names of tokenizer.ggml.pre stand for. A name stands for a pattern that only llama.cpp's source writes down; only
// those are here whose ids were compared with the model's own tokenizer.json (tests/tokenizer/test_vocabularies.cpp), with the
// stages of that file. Constant data.
#pragma once

#include <string_view>

namespace rag::core {

struct GgufPreTokenizer {
    std::string_view name;
    const char* normalizer;  // JSON as in tokenizer.json, or null
    const char* pre_tokenizer;
    bool ignore_merges;
    bool add_bos;  // unless the file says otherwise
};

/// nullptr for a name that is not known.
const GgufPreTokenizer* find_gguf_pre_tokenizer(std::string_view name);

}  // namespace rag::core
