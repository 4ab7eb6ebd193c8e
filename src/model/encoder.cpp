#include "model/encoder.hpp"

#include <algorithm>
#include <cmath>

#include "core/checksum.hpp"
#include "core/error.hpp"
#include "core/utf8.hpp"
#include "formats/inspect.hpp"
#include "model/auto_precision.hpp"

namespace rag::core {
namespace {

/// Vectors of length 1. 1e-12 as in torch.nn.functional.normalize: a vector of zeros stays one.
void normalize_vector(std::span<float> vector) {
    double sum = 0;
    for (const float value : vector) sum += static_cast<double>(value) * static_cast<double>(value);
    const double scale = 1.0 / std::max(std::sqrt(sum), 1e-12);
    for (float& value : vector) value = static_cast<float>(static_cast<double>(value) * scale);
}

std::string describe_rotary(const RotaryConfig& r) {
    const std::uint64_t sum = checksum64(std::as_bytes(std::span(r.frequencies)));
    return fmt::format(" rotary {:016x} {} {} {} {}", sum, r.attention_factor, r.dynamic_factor, r.dynamic_theta,
                       r.original_context);
}

std::string describe_decoder(const DecoderConfig& c) {
    std::string text = fmt::format(" decoder {} {} {} {}", c.kv_heads, c.head_dim, c.context_length, c.rms_norm_eps);
    text += describe_rotary(c.rotary) + describe_rotary(c.local_rotary);
    text += fmt::format(" window {} ", c.window);
    for (const std::uint8_t windowed : c.windowed) text += windowed != 0 ? 'w' : 'f';
    text += fmt::format(" {} {} experts {} {} {} ", c.query_scale, c.attention_softcap, c.experts_per_token, c.normalize_experts,
                        c.unit_offset_norms);
    for (const std::uint8_t sparse : c.sparse) text += sparse != 0 ? 's' : 'd';
    return text;
}

/// All of the configuration that vectors depend on. A field that an architecture does not use is the same for all its models.
std::string describe_config(const EncoderConfig& c) {
    std::string text = fmt::format("{} {} {} {} {} {} {} {} {} {}", c.architecture, c.vocab_size, c.hidden_size, c.layers,
                                   c.heads, c.intermediate_size, c.max_positions, c.type_vocab_size, c.layer_norm_eps,
                                   static_cast<unsigned>(c.activation));
    for (const Pooling pooling : c.pooling) text += fmt::format(" {}", static_cast<unsigned>(pooling));
    if (c.padding_id != 0) text += fmt::format(" padding {}", c.padding_id);
    if (!c.global_layers.empty()) {
        text += fmt::format(" local {} {} {} ", c.local_reach, c.global_theta, c.local_theta);
        for (const bool global : c.global_layers) text += global ? 'g' : 'l';
    }
    if (c.decoder) text += describe_decoder(*c.decoder);
    for (const EncoderStage& stage : c.stages)
        text += fmt::format(" stage {} {}", stage.outputs, static_cast<unsigned>(stage.activation));
    return text;
}

}  // namespace

Encoder::Encoder(const ModelOptions& options, EncoderFiles files, std::string source, std::int64_t truncate_dim)
    : Model(options, files.layers),
      files_(std::move(files)),
      source_(std::move(source)),
      precision_(options.precision),
      runner_(backend(), options, files_, source_),
      truncate_dim_(truncate_dim) {}

std::shared_ptr<Encoder> Encoder::open(const std::filesystem::path& path, const ModelOptions& options,
                                       std::int64_t truncate_dim) {
    if (options.verify) require_verified(path, options.opening);
    EncoderFiles files = read_encoder_folder(path);
    if (files.truncate_dim > files.config.outputs())
        fail(Code::kCorrupt, "{}: truncate_dim is {}, the vectors have {} dimensions",
             quote((path / "config_sentence_transformers.json").string(), 400), files.truncate_dim, files.config.outputs());
    if (truncate_dim == 0) truncate_dim = files.truncate_dim;
    if (truncate_dim < 0 || truncate_dim > files.config.outputs())
        fail(Code::kInvalidArgument, "truncate_dim is {}, the vectors of {} have {} dimensions", truncate_dim,
             quote(path.string(), 400), files.config.outputs());
    ModelOptions chosen = options;
    std::string why;
    if (options.measured_precision) why = choose_precision(files.config, files.weights, chosen);
    chosen.exceptions = with_saved_exceptions(files.tokenizer, chosen);
    auto encoder = std::shared_ptr<Encoder>(new Encoder(chosen, std::move(files), path.string(), truncate_dim));
    encoder->why_ = exceptions_text(chosen) + why;
    return encoder;
}

Encoder::~Encoder() {
    if (in_fork_child()) runner_.abandon();
}

std::string Encoder::fingerprint() const {
    return now().fingerprint();
}

Encoder::Moment Encoder::now() const {
    check_fork();
    Moment out;
    out.mix_ = kept_mix(std::nullopt);
    const Merged merged = merged_now();
    out.changes_ = merged.changes;
    out.fingerprint_ = fingerprint_of(merged.checksum, out.mix_.checksum);
    return out;
}

std::string Encoder::fingerprint_of(std::uint64_t merged, std::uint64_t added) const {
    std::call_once(fingerprinted_, [&] {
        const EncoderConfig& c = files_.config;
        std::string shape = fmt::format("{} {} {}", describe_config(c), files_.max_tokens, files_.normalize);
        if (truncate_dim_ != 0) shape += fmt::format(" cut {}", truncate_dim_);
        if (!files_.include_prompt) shape += " prompts left out";
        for (const auto kind : {EncoderPrompt::Kind::kQuery, EncoderPrompt::Kind::kDocument}) {
            const std::string& prompt = prompt_text({kind, {}});
            if (!prompt.empty()) shape += fmt::format(" {}", quote(prompt, 400));
        }
        const std::uint64_t sum = checksum64(std::as_bytes(std::span(shape)), checksum_weights(files_.weights));
        fingerprint_ =
            fmt::format("{}-{}-{:016x}{:016x}", c.architecture, dimension(), sum, checksum_tokenizer(files_.tokenizer));
    });
    return fingerprint_ + (merged == 0 ? "" : fmt::format("+{:016x}", merged)) +
           (added == 0 ? "" : fmt::format("+set{:016x}", added));
}

std::string Encoder::describe() const {
    return fmt::format("{}: {} encoder, {} layers, {} dimensions, {} tokens, {}{}; {}", source_, files_.config.architecture,
                       files_.config.layers, dimension(), max_tokens(), precision_name(precision_), why_, backend().describe());
}

const std::string& Encoder::prompt_text(const EncoderPrompt& prompt) const {
    return find_prompt(files_, prompt, source_);
}

void Encoder::calibrate(std::span<const std::string_view> texts, const Progress& progress) {
    if (texts.empty()) fail(Code::kInvalidArgument, "no texts to calibrate with");
    std::vector<float> out(texts.size() * static_cast<std::size_t>(dimension()));
    Model::calibrate([&] { encode(texts, out, false, 0, progress, {}, AdapterMix()); });
}

std::filesystem::path Encoder::describe_into(const std::filesystem::path& folder, const SavedWeights& saved) const {
    const std::filesystem::path below = copy_sentence_folder(source_, files_.tokenizer, folder, saved);
    if (truncate_dim_ != files_.truncate_dim) write_truncate_dim(folder, truncate_dim_);
    return below;
}

std::int64_t Encoder::prompt_tokens() const {
    std::size_t longest = 0;
    for (const auto kind : {EncoderPrompt::Kind::kDefault, EncoderPrompt::Kind::kQuery, EncoderPrompt::Kind::kDocument})
        longest = std::max(longest, tokenizer().count_tokens(prompt_text({kind, {}})));
    return static_cast<std::int64_t>(longest);
}

void Encoder::finish_vector(std::span<float> vector, bool normalize) const {
    if (files_.normalize) normalize_vector(vector);
    if (!normalize) return;
    // sentence-transformers normalises what is left of a vector.
    normalize_vector(truncate_dim_ != 0 ? vector.first(static_cast<std::size_t>(truncate_dim_)) : vector);
}

void Encoder::encode(std::span<const std::string_view> texts, std::span<float> out, bool normalize, std::size_t batch_tokens,
                     const Progress& progress, const EncoderPrompt& prompt, const std::optional<AdapterMix>& adapters) const {
    check_fork();
    Moment moment;
    moment.mix_ = kept_mix(adapters);
    moment.changes_ = merged_now().changes;
    encode_as(moment, texts, out, normalize, batch_tokens, progress, prompt);
}

void Encoder::encode_as(const Moment& moment, std::span<const std::string_view> texts, std::span<float> out, bool normalize,
                        std::size_t batch_tokens, const Progress& progress, const EncoderPrompt& prompt) const {
    check_fork();
    const auto width = static_cast<std::size_t>(dimension());
    if (out.size() != texts.size() * width)
        fail(Code::kInvalidArgument, "room for {} floats, {} texts of {} dimensions take {}", out.size(), texts.size(), width,
             texts.size() * width);
    const std::string& before = prompt_text(prompt);
    require_utf8(before, "the prompt");
    std::vector<std::string> prompted;
    if (!before.empty()) {
        prompted.reserve(texts.size());
        for (const std::string_view text : texts) prompted.push_back(before + std::string(text));
    }
    std::vector<TextPair> pairs(texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) pairs[i].text = before.empty() ? texts[i] : std::string_view(prompted[i]);
    const auto whole = static_cast<std::size_t>(runner_.outputs());
    std::vector<float> uncut(width == whole ? 0 : texts.size() * whole);
    EncoderRunner::Request request;
    request.texts = pairs;
    request.out = width == whole ? out : std::span(uncut);
    request.unpooled = before.empty() || files_.include_prompt ? 0 : runner_.tokens().prompt_tokens(before);
    request.batch_tokens = batch_tokens;
    request.finish = [&](std::span<float> vector) { finish_vector(vector, normalize); };
    request.progress = progress;
    request.adapters = moment.mix_.shares;
    const std::string what = fmt::format("the vectors of {} texts", texts.size());
    require_same_weights(moment.changes_, what);
    runner_.run(request);
    require_same_weights(moment.changes_, what);
    if (width == whole) return;
    for (std::size_t i = 0; i < texts.size(); ++i)
        std::copy_n(uncut.begin() + static_cast<std::ptrdiff_t>(i * whole), width,
                    out.begin() + static_cast<std::ptrdiff_t>(i * width));
}

}  // namespace rag::core
