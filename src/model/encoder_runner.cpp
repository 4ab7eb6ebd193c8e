#include "model/encoder_runner.hpp"

#include <algorithm>
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
    auto tokenizer = files.opened_tokenizer != nullptr ? files.opened_tokenizer : Tokenizer::from_pretrained(files.tokenizer);
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

}  // namespace

std::uint64_t checksum_tokenizer(const std::filesystem::path& folder) {
    std::error_code ignored;
    for (const char* name : {"tokenizer.json", "vocab.txt"}) {
        if (std::filesystem::exists(folder / name, ignored)) return checksum64(MappedFile::open(folder / name)->bytes());
    }
    return 0;
}

/// Texts that are computed before the next ones are looked at.
struct EncoderRunner::Window {
    std::vector<std::vector<std::int32_t>> ids;
    std::vector<std::vector<std::int32_t>> type_ids;  // empty: all 0
    std::size_t first = 0;                            // the window's first text
    std::function<bool()> stop;
};

EncoderRunner::EncoderRunner(Backend& backend, const ModelOptions& options, const EncoderFiles& files, const std::string& source)
    : outputs_(files.config.outputs()),
      has_types_(files.config.type_vocab_size > 1),
      threads_(options.threads != 0 ? options.threads : static_cast<unsigned>(available_cpus())),
      tokenizer_(open_tokenizer(files)),
      tokens_(tokenizer_, files.max_tokens) {
    load_with(options,
              [&](const BackendOptions& known) { return backend.load_encoder(files.config, files.weights, known, model_); });
    if (model_ == nullptr) fail(Code::kInternal, "the backend gave no encoder for {}", quote(source, 400));
    batcher_ = std::make_unique<TextBatcher>(*model_, outputs_, options.batching);
}

void EncoderRunner::abandon() noexcept {
    static_cast<void>(model_.release());
    static_cast<void>(batcher_.release());
    static_cast<void>(pool_.release());
}

ThreadPool& EncoderRunner::pool() const {
    std::call_once(pool_made_, [&] { pool_ = std::make_unique<ThreadPool>(threads_); });
    return *pool_;
}

void EncoderRunner::tokenize(std::span<const TextPair> texts, const EncodePair& encode, Window& window) const {
    window.ids.assign(texts.size(), {});
    window.type_ids.assign(texts.size(), {});
    const auto one = [&](std::size_t i) {
        if (encode) return encode(texts[i], window.ids[i]);
        if (!texts[i].pair) return tokens_.encode(texts[i].text, window.ids[i]);
        tokens_.encode_pair(texts[i].text, *texts[i].pair, window.ids[i], window.type_ids[i]);
        if (!has_types_) window.type_ids[i].clear();
    };
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

void EncoderRunner::run_batch(const Request& request, const Window& window, std::span<const std::size_t> batch) const {
    std::vector<std::int32_t> ids, type_ids;
    std::vector<std::int64_t> offsets = {0};
    const bool typed = std::any_of(batch.begin(), batch.end(), [&](std::size_t i) { return !window.type_ids[i].empty(); });
    for (const std::size_t text : batch) {
        ids.insert(ids.end(), window.ids[text].begin(), window.ids[text].end());
        offsets.push_back(static_cast<std::int64_t>(ids.size()));
        if (!typed) continue;
        const std::vector<std::int32_t>& types = window.type_ids[text];
        for (std::size_t i = 0; i < window.ids[text].size(); ++i) type_ids.push_back(types.empty() ? 0 : types[i]);
    }
    const auto width = static_cast<std::size_t>(outputs_);
    std::vector<float> rows(batch.size() * width);
    StopCheck stop(window.stop);
    const std::vector<std::span<const AdapterShare>> adapters(request.adapters.empty() ? 0 : batch.size(), request.adapters);
    stop.finish(batcher_->run({ids, type_ids, offsets, request.unpooled, adapters}, rows, stop.call()));
    for (std::size_t i = 0; i < batch.size(); ++i) {
        const std::span<float> to = request.out.subspan((window.first + batch[i]) * width, width);
        const std::span<const float> row = std::span(rows).subspan(i * width, width);
        std::copy(row.begin(), row.end(), to.begin());
        if (request.finish) request.finish(to);
    }
}

void EncoderRunner::run(const Request& request) const {
    const auto texts = request.texts;
    const auto width = static_cast<std::size_t>(outputs_);
    if (request.out.size() != texts.size() * width)
        fail(Code::kInvalidArgument, "room for {} floats, {} texts of {} dimensions take {}", request.out.size(), texts.size(),
             width, texts.size() * width);
    for (std::size_t i = 0; i < texts.size(); ++i) {
        require_utf8(texts[i].text, fmt::format("text {}", i));
        if (texts[i].pair) require_utf8(*texts[i].pair, fmt::format("the second text of pair {}", i));
    }
    const TextBatcher::UnderWay under_way(*batcher_);
    const std::size_t limit = request.batch_tokens != 0 ? request.batch_tokens : kDefaultBatchTokens;
    std::uint64_t done = 0;
    report(request.progress, done, texts.size());
    Window window;
    if (request.progress) window.stop = [&] { return !request.progress(done, texts.size()); };
    for (std::size_t first = 0; first < texts.size(); first += kWindowTexts) {
        const std::size_t count = std::min(kWindowTexts, texts.size() - first);
        window.first = first;
        tokenize(texts.subspan(first, count), request.encode, window);
        // Longest first: texts of a batch have about equal lengths, and memory is at its highest in the beginning.
        std::vector<std::size_t> order(count);
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::stable_sort(order.begin(), order.end(),
                         [&](std::size_t a, std::size_t b) { return window.ids[a].size() > window.ids[b].size(); });
        for (std::size_t begin = 0; begin < count;) {
            std::size_t end = begin + 1;
            std::size_t tokens = window.ids[order[begin]].size();
            while (end < count && tokens + window.ids[order[end]].size() <= limit) tokens += window.ids[order[end++]].size();
            run_batch(request, window, std::span(order).subspan(begin, end - begin));
            done += end - begin;
            begin = end;
            report(request.progress, done, texts.size());
        }
    }
}

}  // namespace rag::core
