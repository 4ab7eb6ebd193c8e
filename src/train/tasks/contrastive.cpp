// Contrastive: queries, what they should find and, where the rows have them, what they should not. Multiple negatives ranking
// over a batch: every document of the batch that does not belong to the query is wrong for it, whichever row it came from;
// documents that equal one of the query's own positives are left out of its sum. Metrics over the held-out rows and their
// documents: loss, ndcg@10, recall@10, mrr@10.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <unordered_map>

#include "core/error.hpp"
#include "evaluate/retrieval.hpp"
#include "train/losses/losses.hpp"
#include "train/random.hpp"
#include "train/row_texts.hpp"
#include "train/vector_pass.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kFound = 100;  // of an evaluated query
constexpr std::size_t kEvalBatch = 64;

/// Texts that are the same are kept once.
struct Retrieval {
    std::vector<TokenText> texts;
    struct Row {
        std::uint32_t query = 0, positive = 0;
        std::vector<std::uint32_t> negatives;
        std::uint64_t line = 0;
    };
    std::vector<Row> rows;
    std::vector<std::uint32_t> lengths;
    std::unordered_map<std::uint32_t, std::set<std::uint32_t>> right;  // positives of each query text
};

class Contrastive : public Task {
  public:
    explicit Contrastive(const TaskInput& input)
        : input_(input),
          width_(static_cast<std::size_t>(input.model.encoder().config.outputs())),
          train_(read(input.train, &notes_)) {
        if (input.eval != nullptr) eval_ = read(*input.eval, &eval_notes_);
    }
    std::span<const std::uint32_t> lengths() const override { return train_.lengths; }
    std::uint64_t line(std::uint32_t example) const override { return train_.rows[example].line; }
    std::string main_metric() const override { return "ndcg@10"; }

    double add_gradients(std::span<const std::vector<std::uint32_t>> batches, const StepContext& context) override {
        double loss = 0.0;
        for (std::size_t i = 0; i < batches.size(); ++i) {
            const std::uint64_t seed = CounterRandom(context.seed, std::uint64_t{i}).bits(0);
            loss += train_batch(batches[i], 1.0 / static_cast<double>(batches.size()), pass(seed, context.stop));
        }
        return loss;
    }

    Metrics evaluate(const std::function<bool()>& stop) override {
        if (eval_.rows.empty()) return {};
        TextList texts;
        for (const TokenText& text : eval_.texts) texts.push_back(&text);
        std::vector<float> vectors = compute_vectors(pass(0, stop), texts);
        Metrics metrics = rank(vectors);
        metrics["eval_loss"] = eval_loss(vectors);
        return metrics;
    }

  private:
    VectorPass pass(std::uint64_t seed, const std::function<bool()>& stop) const {
        return {input_.model.trainer(), width_, input_.config.micro_tokens, seed, stop};
    }

    /// Rows of a batch as columns: queries, then documents, the positives first and in the rows' order.
    struct Columns {
        std::vector<std::uint32_t> queries, documents;
        std::vector<std::uint8_t> masked;
    };
    static Columns columns(const Retrieval& data, std::span<const std::uint32_t> rows) {
        Columns out;
        for (const std::uint32_t row : rows) {
            out.queries.push_back(data.rows[row].query);
            out.documents.push_back(data.rows[row].positive);
        }
        for (const std::uint32_t row : rows)
            out.documents.insert(out.documents.end(), data.rows[row].negatives.begin(), data.rows[row].negatives.end());
        out.masked.resize(out.queries.size() * out.documents.size());
        for (std::size_t i = 0; i < out.queries.size(); ++i) {
            const std::set<std::uint32_t>& right = data.right.at(out.queries[i]);
            std::set<std::uint32_t> counted;
            for (std::size_t j = 0; j < out.documents.size(); ++j) {
                // A document that is twice in the batch counts once against a query.
                const bool again = !counted.insert(out.documents[j]).second;
                out.masked[i * out.documents.size() + j] = right.contains(out.documents[j]) || again;
            }
        }
        return out;
    }

    double train_batch(std::span<const std::uint32_t> batch, double share, const VectorPass& pass) const {
        const Columns shape = columns(train_, batch);
        TextList texts;
        for (const std::uint32_t text : shape.queries) texts.push_back(&train_.texts[text]);
        for (const std::uint32_t text : shape.documents) texts.push_back(&train_.texts[text]);
        const std::size_t split = shape.queries.size() * width_;
        const auto loss = [&](std::span<const float> outputs, std::span<float> gradient) {
            return ranking_loss(outputs.first(split), outputs.subspan(split),
                                {shape.queries.size(), shape.documents.size(), width_}, input_.config.scale, shape.masked,
                                share / static_cast<double>(shape.queries.size()), gradient.first(split),
                                gradient.subspan(split));
        };
        return train_on_vectors(pass, texts, loss);
    }

    /// In batches of the size that is trained, in the rows' order.
    double eval_loss(const std::vector<float>& vectors) const {
        // Where batches are told by tokens alone, of the usual size.
        const std::size_t size = input_.config.batch_size == 0 ? kEvalBatch : input_.config.batch_size;
        double sum = 0.0;
        std::vector<std::uint32_t> all(eval_.rows.size());
        std::iota(all.begin(), all.end(), 0U);
        const auto gather = [&](const std::vector<std::uint32_t>& texts) {
            std::vector<float> out;
            for (const std::uint32_t text : texts) {
                const auto row = vectors.begin() + static_cast<std::ptrdiff_t>(text * width_);
                out.insert(out.end(), row, row + static_cast<std::ptrdiff_t>(width_));
            }
            return out;
        };
        for (std::size_t begin = 0; begin < all.size(); begin += size) {
            const std::size_t count = std::min(size, all.size() - begin);
            const Columns shape = columns(eval_, std::span(all).subspan(begin, count));
            const std::vector<float> queries = gather(shape.queries), documents = gather(shape.documents);
            std::vector<float> unused(queries.size()), also_unused(documents.size());
            sum += ranking_loss(queries, documents, {count, shape.documents.size(), width_}, input_.config.scale, shape.masked,
                                1.0, unused, also_unused);
        }
        return sum / static_cast<double>(all.size());
    }

    Metrics rank(std::vector<float>& vectors) const {
        for (std::size_t i = 0; i < eval_.texts.size(); ++i) {
            double sum = 0.0;
            for (std::size_t k = 0; k < width_; ++k)
                sum += static_cast<double>(vectors[i * width_ + k]) * vectors[i * width_ + k];
            const auto scale = static_cast<float>(1.0 / std::max(std::sqrt(sum), 1e-12));
            for (std::size_t k = 0; k < width_; ++k) vectors[i * width_ + k] *= scale;
        }
        std::set<std::uint32_t> queries, documents;
        for (const Retrieval::Row& row : eval_.rows) {
            queries.insert(row.query);
            documents.insert(row.positive);
            documents.insert(row.negatives.begin(), row.negatives.end());
        }
        std::vector<std::string> names(eval_.texts.size());
        for (std::size_t i = 0; i < names.size(); ++i) names[i] = std::to_string(i);
        std::vector<RankedDocument> run;
        std::vector<Judgment> judgments;
        for (const std::uint32_t query : queries) {
            std::vector<RankedDocument> found;
            for (const std::uint32_t document : documents) {
                float score = 0.0F;
                for (std::size_t k = 0; k < width_; ++k) score += vectors[query * width_ + k] * vectors[document * width_ + k];
                found.push_back({names[query], names[document], score});
            }
            const std::size_t count = std::min(kFound, found.size());
            std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count), found.end(),
                              [](const auto& a, const auto& b) { return a.score > b.score; });
            run.insert(run.end(), found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count));
            for (const std::uint32_t document : eval_.right.at(query)) judgments.push_back({names[query], names[document], 1});
        }
        const std::vector<std::string_view> asked = {"ndcg@10", "recall@10", "mrr@10"};
        const RetrievalReport report = evaluate_retrieval(run, judgments, asked);
        Metrics metrics;
        for (std::size_t i = 0; i < asked.size(); ++i) metrics[std::string(asked[i])] = report.means[i];
        return metrics;
    }

    Retrieval read(const TrainingRows& rows, RowNotes* notes) const {
        const std::string before_query = task_prompt(input_.model.encoder(), true);
        const std::string before_document = task_prompt(input_.model.encoder(), false);
        RowTexts reader(input_, rows, notes);
        Retrieval out;
        std::unordered_map<std::string, std::uint32_t> known;
        const auto take = [&](const TrainingRow& row, const std::string& text, bool query) -> std::optional<std::uint32_t> {
            const std::string key = (query ? "q" : "d") + text;
            if (const auto found = known.find(key); found != known.end()) return found->second;
            std::optional<TokenText> encoded = reader.encode(row, text, query ? before_query : before_document);
            if (!encoded) return std::nullopt;
            const auto number = static_cast<std::uint32_t>(out.texts.size());
            out.texts.push_back(*std::move(encoded));
            known.emplace(key, number);
            return number;
        };
        for (const TrainingRow& row : rows.rows) {
            Retrieval::Row taken;
            const auto query = take(row, row.query, true);
            const auto positive = query ? take(row, row.positive, false) : std::nullopt;
            if (!positive) continue;
            taken.query = *query;
            taken.positive = *positive;
            taken.line = row.line;
            std::size_t length = out.texts[*query].ids.size() + out.texts[*positive].ids.size();
            bool whole = true;
            for (const std::string& text : row.negatives) {
                const auto negative = take(row, text, false);
                whole = whole && negative;
                if (!negative) break;
                taken.negatives.push_back(*negative);
                length += out.texts[*negative].ids.size();
            }
            if (!whole) continue;
            out.right[taken.query].insert(taken.positive);
            out.rows.push_back(std::move(taken));
            out.lengths.push_back(static_cast<std::uint32_t>(length));
        }
        return out;
    }

    TaskInput input_;
    std::size_t width_;
    Retrieval train_, eval_;
};

}  // namespace

std::unique_ptr<Task> make_contrastive(const TaskInput& input) {
    return std::make_unique<Contrastive>(input);
}

}  // namespace rag::core
