#include "model/encoder.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/checksum.hpp"
#include "core/error.hpp"
#include "core/mapped_file.hpp"
#include "core/utf8.hpp"
#include "model/host_call.hpp"

namespace rag::core {
namespace {

/// Texts tokenized and sorted together: enough for batches of equal lengths, little memory.
constexpr std::size_t kWindowTexts = 1024;
/// Texts tokenized between two looks at whether to stop: some 50 ms.
constexpr std::size_t kSliceTexts = 64;
/// Below this many texts waking other threads costs more than tokenizing.
constexpr std::size_t kParallelTexts = 16;

std::shared_ptr<const Tokenizer> open_tokenizer(const EncoderFiles& files) {
    auto tokenizer = Tokenizer::from_pretrained(files.tokenizer);
    if (tokenizer->id_limit() > files.config.vocab_size)
        fail(Code::kCorrupt, "{}: the tokenizer has ids up to {}, the model {} tokens: they do not belong together",
             quote(files.tokenizer.string(), 400), tokenizer->id_limit() - 1, files.config.vocab_size);
    if (files.do_lower_case) {
        // Harmless where the tokenizer lowercases by itself, which is so for every published model that says it.
        std::vector<std::int32_t> upper, lower;
        tokenizer->encode_ids("The Quick BROWN Fox", false, upper);
        tokenizer->encode_ids("the quick brown fox", false, lower);
        if (upper != lower)
            fail(Code::kUnsupported,
                 "{}: do_lower_case is true in sentence_bert_config.json, and the tokenizer does not lowercase",
                 quote(files.tokenizer.string(), 400));
    }
    return tokenizer;
}

std::uint64_t checksum_tokenizer(const std::filesystem::path& folder) {
    std::error_code ignored;
    for (const char* name : {"tokenizer.json", "vocab.txt"}) {
        if (std::filesystem::exists(folder / name, ignored)) return checksum64(MappedFile::open(folder / name)->bytes());
    }
    return 0;
}

}  // namespace

/// Texts that are computed before the next ones are looked at.
struct Encoder::Window {
    std::vector<std::vector<std::int32_t>> ids;
    std::span<float> out;  // [texts, dimension]
    bool normalize = false;
    std::function<bool()> stop;
};

Encoder::Encoder(const ModelOptions& options, EncoderFiles files, std::string source)
    : Model(options, files.layers),
      files_(std::move(files)),
      source_(std::move(source)),
      precision_(options.precision),
      threads_(backend_options(options).threads),
      tokenizer_(open_tokenizer(files_)),
      tokens_(tokenizer_, files_.max_tokens) {
    check_status(backend().load_encoder(files_.config, files_.weights, backend_options(options), model_));
    if (model_ == nullptr) fail(Code::kInternal, "the backend gave no encoder for {}", quote(source_, 400));
}

std::shared_ptr<Encoder> Encoder::open(const std::filesystem::path& path, const ModelOptions& options) {
    EncoderFiles files = read_encoder_folder(path);
    return std::shared_ptr<Encoder>(new Encoder(options, std::move(files), path.string()));
}

Encoder::~Encoder() {
    if (!in_fork_child()) return;
    // The threads behind these do not exist in the child: waiting for them would never end.
    static_cast<void>(model_.release());
    static_cast<void>(pool_.release());
}

std::string Encoder::fingerprint() const {
    check_fork();
    std::call_once(fingerprinted_, [&] {
        const EncoderConfig& c = files_.config;
        const std::string shape = fmt::format("{} {} {} {} {} {} {} {} {} {} {} {} {}", c.architecture, c.vocab_size,
                                              c.hidden_size, c.layers, c.heads, c.intermediate_size, c.max_positions,
                                              c.type_vocab_size, c.layer_norm_eps, static_cast<unsigned>(c.activation),
                                              static_cast<unsigned>(c.pooling), files_.max_tokens, files_.normalize);
        const std::uint64_t sum = checksum64(std::as_bytes(std::span(shape)), checksum_weights(files_.weights));
        fingerprint_ =
            fmt::format("{}-{}-{:016x}{:016x}", c.architecture, c.hidden_size, sum, checksum_tokenizer(files_.tokenizer));
    });
    const std::uint64_t adapter = merged_checksum();
    return adapter == 0 ? fingerprint_ : fmt::format("{}+{:016x}", fingerprint_, adapter);
}

std::string Encoder::describe() const {
    return fmt::format("{}: {} encoder, {} layers, {} dimensions, {} tokens, {}; {}", source_, files_.config.architecture,
                       files_.config.layers, dimension(), max_tokens(), precision_name(precision_), backend().describe());
}

ThreadPool& Encoder::pool() const {
    std::call_once(pool_made_, [&] { pool_ = std::make_unique<ThreadPool>(threads_); });
    return *pool_;
}

void Encoder::tokenize(std::span<const std::string_view> texts, Window& window) const {
    window.ids.assign(texts.size(), {});
    const auto one = [&](std::size_t i) { tokens_.encode(texts[i], window.ids[i]); };
    for (std::size_t begin = 0; begin < texts.size(); begin += kSliceTexts) {
        if (begin > 0 && window.stop && window.stop()) throw Stopped();
        const std::size_t count = std::min(kSliceTexts, texts.size() - begin);
        if (count < kParallelTexts) {
            for (std::size_t i = 0; i < count; ++i) one(begin + i);
        } else {
            pool().run(count, [&](std::size_t i) { one(begin + i); });
        }
    }
}

void Encoder::finish_vector(std::span<float> vector, bool normalize) const {
    if (!normalize && !files_.normalize) return;
    double sum = 0;
    for (const float value : vector) sum += static_cast<double>(value) * static_cast<double>(value);
    // 1e-12 as in torch.nn.functional.normalize: a vector of zeros stays one.
    const double scale = 1.0 / std::max(std::sqrt(sum), 1e-12);
    for (float& value : vector) value = static_cast<float>(static_cast<double>(value) * scale);
}

void Encoder::encode_batch(const Window& window, std::span<const std::size_t> batch) const {
    std::vector<std::int32_t> ids;
    std::vector<std::int64_t> offsets = {0};
    for (const std::size_t text : batch) {
        ids.insert(ids.end(), window.ids[text].begin(), window.ids[text].end());
        offsets.push_back(static_cast<std::int64_t>(ids.size()));
    }
    const auto width = static_cast<std::size_t>(dimension());
    std::vector<float> vectors(batch.size() * width);
    StopCheck stop(window.stop);
    stop.finish(model_->encode({ids, {}, offsets}, vectors, stop.call()));
    for (std::size_t i = 0; i < batch.size(); ++i) {
        const std::span<float> to = window.out.subspan(batch[i] * width, width);
        std::copy_n(vectors.begin() + static_cast<std::ptrdiff_t>(i * width), width, to.begin());
        finish_vector(to, window.normalize);
    }
}

void Encoder::encode(std::span<const std::string_view> texts, std::span<float> out, bool normalize, std::size_t batch_tokens,
                     const Progress& progress) const {
    check_fork();
    const auto width = static_cast<std::size_t>(dimension());
    if (out.size() != texts.size() * width)
        fail(Code::kInvalidArgument, "room for {} floats, {} texts of {} dimensions take {}", out.size(), texts.size(), width,
             texts.size() * width);
    for (std::size_t i = 0; i < texts.size(); ++i) require_utf8(texts[i], fmt::format("text {}", i));
    const std::size_t limit = batch_tokens != 0 ? batch_tokens : kDefaultBatchTokens;
    std::uint64_t done = 0;
    report(progress, done, texts.size());
    Window window;
    window.normalize = normalize;
    if (progress) window.stop = [&] { return !progress(done, texts.size()); };
    for (std::size_t first = 0; first < texts.size(); first += kWindowTexts) {
        const std::size_t count = std::min(kWindowTexts, texts.size() - first);
        tokenize(texts.subspan(first, count), window);
        window.out = out.subspan(first * width, count * width);
        // Longest first: texts of a batch have about equal lengths, and memory is at its highest in the beginning.
        std::vector<std::size_t> order(count);
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::stable_sort(order.begin(), order.end(),
                         [&](std::size_t a, std::size_t b) { return window.ids[a].size() > window.ids[b].size(); });
        for (std::size_t begin = 0; begin < count;) {
            std::size_t end = begin + 1;
            std::size_t tokens = window.ids[order[begin]].size();
            while (end < count && tokens + window.ids[order[end]].size() <= limit) tokens += window.ids[order[end++]].size();
            encode_batch(window, std::span(order).subspan(begin, end - begin));
            done += end - begin;
            begin = end;
            report(progress, done, texts.size());
        }
    }
}

}  // namespace rag::core
