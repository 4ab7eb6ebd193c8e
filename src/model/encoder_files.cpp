#include "model/encoder_files.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/error.hpp"
#include "formats/model_folder.hpp"
#include "formats/safetensors.hpp"
#include "formats/sentence_folder.hpp"
#include "model/decoder_family.hpp"
#include "model/encoder_family.hpp"
#include "model/logit_score.hpp"

namespace rag::core {
namespace {

const std::array<const EncoderFamily*, 6> kFamilies = {&kBertFamily,       &kRobertaFamily, &kXlmRobertaFamily,
                                                       &kDistilBertFamily, &kMpnetFamily,   &kModernBertFamily};
constexpr std::size_t kMaxPoolings = 6;

const EncoderFamily& find_family(const std::filesystem::path& folder) {
    const std::string type = read_model_type(folder);
    if (find_decoder_family(type) != nullptr) return kDecoderBodyFamily;
    std::string known;
    for (const EncoderFamily* family : kFamilies) {
        if (family->model_type == type) return *family;
        known += fmt::format("{}{}", known.empty() ? "" : ", ", family->model_type);
    }
    fail(Code::kUnsupported, "{}: model_type {}; encoders of type {} and decoders of type {} are supported",
         quote((folder / "config.json").string(), 400), quote(type), known, decoder_family_names());
}

Pooling read_pooling_mode(const std::string& mode, const std::string& folder) {
    constexpr std::pair<std::string_view, Pooling> kModes[] = {{"mean", Pooling::kMean},
                                                               {"cls", Pooling::kCls},
                                                               {"max", Pooling::kMax},
                                                               {"mean_sqrt_len_tokens", Pooling::kMeanSqrtLength},
                                                               {"weightedmean", Pooling::kWeightedMean},
                                                               {"lasttoken", Pooling::kLastToken}};
    for (const auto& [name, pooling] : kModes) {
        if (mode == name) return pooling;
    }
    fail(Code::kUnsupported,
         "{}: pooling mode {}; mean, cls, max, mean_sqrt_len_tokens, weightedmean and lasttoken are supported",
         quote(folder, 400), quote(mode));
}

Activation read_module_activation(const std::string& name, const std::string& folder) {
    constexpr std::pair<std::string_view, Activation> kNames[] = {
        {"Identity", Activation::kIdentity}, {"Tanh", Activation::kTanh}, {"ReLU", Activation::kRelu},
        {"GELU", Activation::kGelu},         {"SiLU", Activation::kSilu}, {"Sigmoid", Activation::kSigmoid}};
    for (const auto& [known, activation] : kNames) {
        if (name == known) return activation;
    }
    fail(Code::kUnsupported, "{}: activation_function {}; Identity, Tanh, ReLU, GELU, SiLU and Sigmoid are supported",
         quote(folder, 400), quote(name));
}

/// A folder while it is read: the parts that several modules add to.
struct Reading {
    const EncoderFamily& family;
    std::string file;  // config.json
    EncoderFiles files;
    std::shared_ptr<const SafetensorsFile> tensors;
    std::vector<std::shared_ptr<const void>> owners;
    std::vector<ExpectedTensor> expected;  // of `tensors`
    std::string identity;                  // of what does not lie in `tensors`
    std::string prefix;                    // what the file puts in front of the body's names
};

/// Configuration and body of the transformer in `folder`.
Reading read_body(const std::filesystem::path& folder) {
    Reading reading{find_family(folder), (folder / "config.json").string(), {}, nullptr, {}, {}, {}, {}};
    EncoderConfig& config = reading.files.config;
    config = reading.family.read_config(folder);
    if (!config.decoder && config.hidden_size % config.heads != 0)
        fail(Code::kCorrupt, "{}: hidden_size {} is no multiple of num_attention_heads {}", quote(reading.file, 400),
             config.hidden_size, config.heads);
    reading.files.tokenizer = folder;
    reading.files.prefix = reading.family.prefix;
    reading.tensors = SafetensorsFile::open(folder);
    reading.owners.push_back(reading.tensors);
    const std::string prefixed = std::string(reading.family.prefix) + std::string(reading.family.word_embedding);
    const std::string packed = prefixed + std::string(packed_suffix(ElementType::kInt8));
    if (reading.tensors->find(prefixed) != nullptr || reading.tensors->find(packed) != nullptr)
        reading.prefix = reading.family.prefix;
    reading.expected = reading.family.list_tensors(config);
    for (ExpectedTensor& tensor : reading.expected) tensor.file_name = reading.prefix + tensor.file_name;
    return reading;
}

/// By its name or, for norms of old checkpoints, by the name that TensorFlow gave it.
const TensorInfo* find_tensor(const SafetensorsFile& file, std::string_view name) {
    if (const TensorInfo* found = file.find(name); found != nullptr) return found;
    constexpr std::pair<std::string_view, std::string_view> kOldNames[] = {{"LayerNorm.weight", "gamma"},
                                                                           {"LayerNorm.bias", "beta"}};
    for (const auto& [ending, old] : kOldNames) {
        if (!name.ends_with(ending)) continue;
        const std::string_view stem = name.substr(0, name.rfind('.') + 1);
        return file.find(std::string(stem) + std::string(old));
    }
    return nullptr;
}

/// Gathers the weights and lists the layers.
EncoderFiles finish(Reading&& reading) {
    EncoderFiles& files = reading.files;
    const auto find = [&](std::string_view name) { return find_tensor(*reading.tensors, name); };
    Weights body = gather_weights(reading.expected, find, nullptr, reading.tensors->name());
    body.tensors.insert(body.tensors.end(), files.weights.tensors.begin(), files.weights.tensors.end());
    files.weights = std::move(body);
    files.weights.identity = files.weights.identity + reading.identity;
    files.weights.owner = std::make_shared<const std::vector<std::shared_ptr<const void>>>(std::move(reading.owners));
    files.layers.merge(linear_shapes(reading.expected));
    // They feed heads that the vectors do not depend on; adapters that target all layers reach them.
    if (!reading.family.unused_layer.empty() && !files.rerank) files.layers.try_emplace(std::string(reading.family.unused_layer));
    return std::move(files);
}

/// A Dense module becomes a stage; its tensors lie in a file of its own.
void add_dense(Reading& reading, const DenseFolderConfig& dense, std::size_t index) {
    EncoderConfig& config = reading.files.config;
    const std::string folder = dense.folder.string();
    if (!dense.unsupported.empty())
        fail(Code::kUnsupported, "{}: a Dense module with {} is not supported", quote(folder, 400), dense.unsupported);
    if (dense.inputs != config.outputs())
        fail(Code::kCorrupt, "{}: a Dense module of {} inputs stands behind {} dimensions", quote(folder, 400), dense.inputs,
             config.outputs());
    const std::string module = fmt::format("dense.{}", index);
    std::vector<ExpectedTensor> expected;
    expect_linear(expected, module, dense.outputs, dense.inputs, dense.bias);
    for (ExpectedTensor& tensor : expected) tensor.file_name = "linear" + tensor.name.substr(module.size());
    const auto file = SafetensorsFile::open(dense.folder);
    const Weights weights =
        gather_weights(expected, [&](std::string_view name) { return file->find(name); }, nullptr, file->name());
    auto& tensors = reading.files.weights.tensors;
    tensors.insert(tensors.end(), weights.tensors.begin(), weights.tensors.end());
    reading.owners.push_back(file);
    reading.identity += weights.identity;
    reading.files.layers.merge(linear_shapes(expected));
    config.stages.push_back({module, dense.outputs, dense.bias, read_module_activation(dense.activation, folder), ""});
}

void check_is_folder(const std::filesystem::path& folder, const char* what) {
    std::error_code ignored;
    if (std::filesystem::exists(folder, ignored) && !std::filesystem::is_directory(folder, ignored))
        fail(Code::kInvalidArgument, "{} is a file; {} is opened from its folder", quote(folder.string(), 400), what);
}

void set_limits(EncoderFiles& files, const SentenceFolder& sentence) {
    const std::int64_t positions = files.config.max_positions;
    files.max_tokens = std::min(sentence.max_seq_length.value_or(positions), positions);
    files.do_lower_case = sentence.do_lower_case;
    files.prompts = sentence.prompts;
    files.default_prompt_name = sentence.default_prompt_name;
    files.truncate_dim = sentence.truncate_dim.value_or(0);
}

}  // namespace

EncoderFiles read_encoder_folder(const std::filesystem::path& folder) {
    check_is_folder(folder, "an encoder");
    const SentenceFolder sentence = read_sentence_folder(folder);
    const std::string name = folder.string();
    Reading reading = read_body(sentence.transformer);
    EncoderConfig& config = reading.files.config;
    if (config.decoder && !sentence.has_modules)
        fail(Code::kUnsupported, "{}: a decoder without modules.json, which says how its tokens become a vector",
             quote(name, 400));
    if (sentence.logit_score)
        fail(Code::kUnsupported, "{}: module \"LogitScore\" in modules.json: a reranker, which gives no vectors",
             quote(name, 400));
    if (!sentence.other_modules.empty())
        fail(Code::kUnsupported,
             "{}: module {} in modules.json, or at this place; Transformer, Pooling, Dense and Normalize in this order are "
             "supported",
             quote(name, 400), quote(sentence.other_modules.front()));
    if (sentence.pooling.empty())
        fail(Code::kCorrupt, "{}: the second module of modules.json is not a Pooling", quote(name, 400));
    if (sentence.pooling.size() > kMaxPoolings)
        fail(Code::kUnsupported, "{}: {} pooling modes, at most {} are supported", quote(name, 400), sentence.pooling.size(),
             kMaxPoolings);
    config.pooling.clear();
    for (const std::string& mode : sentence.pooling) config.pooling.push_back(read_pooling_mode(mode, name));
    if (sentence.embedding_dimension && *sentence.embedding_dimension != config.hidden_size)
        fail(Code::kCorrupt, "{}: the pooling says {} dimensions, config.json says hidden_size {}", quote(name, 400),
             *sentence.embedding_dimension, config.hidden_size);
    for (std::size_t i = 0; i < sentence.dense.size(); ++i) add_dense(reading, sentence.dense[i], i);
    set_limits(reading.files, sentence);
    reading.files.normalize = sentence.normalize;
    reading.files.include_prompt = sentence.include_prompt;
    return finish(std::move(reading));
}

namespace {

/// The head's layers behind the body; where their tensors begin in `expected`.
std::size_t add_head(Reading& reading, const ClassifierFolderConfig& classifier) {
    EncoderConfig& config = reading.files.config;
    const ClassifierHead head = reading.family.read_head(config, classifier, reading.file);
    const std::size_t first = reading.expected.size();
    std::int64_t inputs = config.hidden_size;
    for (std::size_t i = 0; i < head.stages.size(); ++i) {
        const EncoderStage& stage = head.stages[i];
        const std::size_t before = reading.expected.size();
        expect_linear(reading.expected, stage.module, stage.outputs, inputs, stage.bias);
        if (!stage.norm.empty()) expect_norm(reading.expected, stage.norm, stage.outputs, config.norm_bias);
        if (i == 0 && head.first_in_body) {
            for (std::size_t t = before; t < reading.expected.size(); ++t)
                reading.expected[t].file_name = reading.prefix + reading.expected[t].file_name;
        }
        inputs = stage.outputs;
    }
    config.pooling = {head.pooling};
    config.stages = head.stages;
    EncoderFiles& files = reading.files;
    files.first_stage_in_body = head.first_in_body;
    files.labels = classifier.labels;
    files.problem_type = classifier.problem_type;
    files.score_activation = classifier.activation;
    return first;
}

/// Tensors from `first` on that the file does not have in their shape go from `expected` to `missing`.
void take_missing(Reading& reading, std::size_t first, std::vector<ExpectedTensor>& missing) {
    const auto lacks = [&](const ExpectedTensor& wanted) {
        const TensorInfo* found = find_tensor(*reading.tensors, wanted.file_name);
        return found == nullptr || found->shape != wanted.shape;
    };
    const auto begin = reading.expected.begin() + static_cast<std::ptrdiff_t>(first);
    const auto split = std::stable_partition(begin, reading.expected.end(), [&](const auto& wanted) { return !lacks(wanted); });
    missing.assign(split, reading.expected.end());
    reading.expected.erase(split, reading.expected.end());
    reading.files.layers.merge(linear_shapes(missing));
}

/// Which tokens a reranker that is a language model is asked about; nullopt for a folder of another kind.
std::optional<LogitScoreConfig> find_logit_score(Reading& reading, const SentenceFolder& sentence,
                                                 const ClassifierFolderConfig& classifier) {
    const bool causal = !classifier.architectures.empty() && classifier.architectures.front().ends_with("ForCausalLM");
    if (!sentence.logit_score && (!reading.files.config.decoder || sentence.has_modules || !causal)) return std::nullopt;
    if (!reading.files.config.decoder)
        fail(Code::kUnsupported, "{}: a LogitScore module behind a model that is no decoder", quote(reading.file, 400));
    reading.files.opened_tokenizer = Tokenizer::from_pretrained(sentence.transformer);
    const Tokenizer& tokenizer = *reading.files.opened_tokenizer;
    if (!sentence.unsupported_processing.empty())
        fail(Code::kUnsupported, "{}: {} in processing_kwargs of sentence_bert_config.json",
             quote(sentence.transformer.string(), 400), quote(sentence.unsupported_processing));
    const bool qwen3 = !sentence.logit_score && reading.files.config.architecture.starts_with("qwen3");
    reading.files.rerank = find_rerank_style(tokenizer, sentence.add_generation_prompt, qwen3, sentence.transformer.string());
    if (sentence.logit_score) return sentence.logit_score;
    const auto yes = tokenizer.token_to_id("yes");
    const auto no = tokenizer.token_to_id("no");
    if (!yes || !no)
        fail(Code::kUnsupported, "{}: its tokenizer has no tokens \"yes\" and \"no\", whose logits would be the score",
             quote(sentence.transformer.string(), 400));
    return LogitScoreConfig{*yes, *no};
}

void add_logit_score(Reading& reading, const LogitScoreConfig& score) {
    EncoderConfig& config = reading.files.config;
    const auto weight =
        std::make_shared<const std::vector<float>>(logit_score_weights(*reading.tensors, reading.prefix, *config.decoder, score));
    reading.files.weights.tensors.push_back(
        {"logit_score.weight", ElementType::kF32, {1, config.hidden_size}, std::as_bytes(std::span(*weight))});
    reading.owners.push_back(weight);
    reading.identity += fmt::format("score {} {}", score.true_token, score.false_token.value_or(-1));
    // Not computed with: what a save writes must have it.
    if (!config.decoder->tied_embeddings)
        reading.expected.push_back({"lm_head.weight", "lm_head.weight", {config.vocab_size, config.hidden_size}});
    config.pooling = {Pooling::kLastToken};
    config.stages = {{"logit_score", 1, false, Activation::kIdentity, ""}};
}

}  // namespace

EncoderFiles read_classifier_folder(const std::filesystem::path& folder) {
    check_is_folder(folder, "a classifier");
    const SentenceFolder sentence = read_sentence_folder(folder);
    Reading reading = read_body(sentence.transformer);
    ClassifierFolderConfig classifier = read_classifier_config(sentence.transformer);
    if (const auto score = find_logit_score(reading, sentence, classifier)) {
        add_logit_score(reading, *score);
        reading.files.labels = {"yes"};
        reading.files.score_activation = classifier.activation;
    } else {
        add_head(reading, classifier);
    }
    if (!sentence.score_activation.empty()) reading.files.score_activation = sentence.score_activation;
    set_limits(reading.files, sentence);
    return finish(std::move(reading));
}

EncoderFiles read_new_classifier(const std::filesystem::path& folder, const std::vector<std::string>& labels,
                                 std::vector<ExpectedTensor>& missing) {
    check_is_folder(folder, "an encoder");
    const SentenceFolder sentence = read_sentence_folder(folder);
    Reading reading = read_body(sentence.transformer);
    ClassifierFolderConfig classifier = read_classifier_config(sentence.transformer);
    classifier.labels = labels;
    take_missing(reading, add_head(reading, classifier), missing);
    set_limits(reading.files, sentence);
    return finish(std::move(reading));
}

EncoderFiles read_token_model(const std::filesystem::path& folder, TokenHead& head, std::vector<ExpectedTensor>& missing) {
    check_is_folder(folder, "an encoder");
    const SentenceFolder sentence = read_sentence_folder(folder);
    Reading reading = read_body(sentence.transformer);
    const EncoderConfig& config = reading.files.config;
    const TokenHeadNames& names = reading.family.token_head;
    if (names.dense.empty())
        fail(Code::kUnsupported, "{}: encoders of type {} are not trained to fill in tokens", quote(reading.file, 400),
             reading.family.model_type);
    head = {std::string(names.dense), std::string(names.norm), std::string(names.bias), config.activation};
    const std::size_t first = reading.expected.size();
    expect_linear(reading.expected, head.dense, config.hidden_size, config.hidden_size);
    expect_norm(reading.expected, head.norm, config.hidden_size);
    reading.expected.push_back({head.bias, head.bias, {config.vocab_size}});
    take_missing(reading, first, missing);
    set_limits(reading.files, sentence);
    return finish(std::move(reading));
}

std::string whole_model_name(const EncoderFiles& files, const std::string& tensor) {
    if (files.config.decoder) return tensor;  // the body's names are the whole model's already
    for (const EncoderFamily* family : kFamilies) {
        if (family->prefix != files.prefix || family->token_head.dense.empty()) continue;
        const TokenHeadNames& names = family->token_head;
        for (const std::string_view part : {names.dense, names.norm, names.bias}) {
            if (tensor.starts_with(part)) return tensor;
        }
    }
    for (std::size_t i = 0; i < files.config.stages.size(); ++i) {
        const EncoderStage& stage = files.config.stages[i];
        const auto of = [&](const std::string& module) {
            return !module.empty() && (tensor == module || tensor.starts_with(module + "."));
        };
        if (of(stage.module) || of(stage.norm)) return i == 0 && files.first_stage_in_body ? files.prefix + tensor : tensor;
    }
    return files.prefix + tensor;
}

}  // namespace rag::core
