// What a tokenizer is made of: the result of reading its files (loading/), and what Tokenizer runs. A plain struct.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tokenizer/added_tokens.hpp"
#include "tokenizer/decoders/decoder.hpp"
#include "tokenizer/limits.hpp"
#include "tokenizer/models/model.hpp"
#include "tokenizer/normalizers/normalizer.hpp"
#include "tokenizer/post_processors/post_processor.hpp"
#include "tokenizer/pre_tokenizers/pre_tokenizer.hpp"

namespace rag::core {

struct TokenizerParts {
    std::string name;                        // the file, for messages
    std::unique_ptr<Normalizer> normalizer;  // each of these but the model may be absent
    std::unique_ptr<PreTokenizer> pre_tokenizer;
    std::unique_ptr<TokenModel> model;
    std::unique_ptr<PostProcessor> post_processor;
    std::unique_ptr<TokenDecoder> decoder;
    std::string stages_json;  // these stages as an object of tokenizer.json (loading/build_stages); empty: it cannot say ...
    std::string unsayable = "how this tokenizer was put together";  // ... this
    std::vector<AddedToken> added_tokens;                           // ids are given by Tokenizer, as Hugging Face does it
    std::optional<Truncation> truncation;
    std::optional<Padding> padding;
    std::map<std::string, std::string> special_tokens;  // by transformers' names: "eos_token" -> "</s>"
    std::map<std::string, std::string> chat_templates;  // Jinja by name; a file's only one is "default"
};

}  // namespace rag::core
