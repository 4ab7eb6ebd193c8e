// Reranking: how well a document fits a query, as one value of a classifier's head. A row is a group, its positive and its
// negatives; a row without negatives gets other rows' positives, drawn anew in each step. Losses: "listwise", cross entropy of
// the softmax over the group (the default: it trains the order, which is what a reranker is for), or "binary", cross entropy of
// each pair's sigmoid. Metrics over the held-out groups: loss, accuracy (the positive is first), mrr@10.
#include <algorithm>
#include <set>
#include <unordered_map>

#include "core/error.hpp"
#include "train/losses/losses.hpp"
#include "train/random.hpp"
#include "train/row_texts.hpp"
#include "train/vector_pass.hpp"

namespace rag::core {
namespace {

/// A row's pairs: the positive first. Pairs with drawn documents are made when they are drawn.
struct Group {
    const TrainingRow* row = nullptr;
    std::vector<TokenText> pairs;
    bool drawn = false;
};

class Rerank : public Task {
  public:
    explicit Rerank(const TaskInput& input)
        : input_(input), reader_(input_, input.train, &notes_), drawer_(input_, input.train, nullptr) {
        for (const TrainingRow& row : input.train.rows) known_[row.query].insert(row.positive);
        train_ = read(input.train, reader_);
        if (input.eval != nullptr) {
            RowTexts eval_reader(input_, *input.eval, &eval_notes_);
            eval_ = read(*input.eval, eval_reader);
        }
        for (const Group& group : train_) {
            std::size_t length = 0;
            for (const TokenText& pair : group.pairs) length += pair.ids.size();
            lengths_.push_back(static_cast<std::uint32_t>(group.drawn ? length * (input.config.negatives + 1) : length));
        }
    }
    std::span<const std::uint32_t> lengths() const override { return lengths_; }
    std::uint64_t line(std::uint32_t example) const override { return train_[example].row->line; }
    std::string main_metric() const override { return "mrr@10"; }

    double add_gradients(std::span<const std::vector<std::uint32_t>> batches, const StepContext& context) override {
        std::vector<const Group*> groups;
        for (const auto& batch : batches) {
            for (const std::uint32_t example : batch) groups.push_back(&train_[example]);
        }
        std::vector<std::vector<TokenText>> extra(groups.size());
        TextList texts;
        std::vector<std::size_t> sizes;
        for (std::size_t g = 0; g < groups.size(); ++g) {
            if (groups[g]->drawn) extra[g] = draw(*groups[g], CounterRandom(context.seed, std::uint64_t{g}));
            add(*groups[g], extra[g], texts, sizes);
        }
        return train_on_vectors(pass(context.seed, context.stop), texts,
                                [&](auto scores, auto gradient) { return loss(scores, sizes, gradient); });
    }

    Metrics evaluate(const std::function<bool()>& stop) override {
        if (eval_.empty()) return {};
        std::vector<std::vector<TokenText>> extra(eval_.size());
        TextList texts;
        std::vector<std::size_t> sizes;
        for (std::size_t g = 0; g < eval_.size(); ++g) {
            if (eval_[g].drawn) extra[g] = draw(eval_[g], CounterRandom(input_.config.seed, std::uint64_t{g}));
            add(eval_[g], extra[g], texts, sizes);
        }
        const std::vector<float> scores = compute_vectors(pass(0, stop), texts);
        std::vector<float> unused(scores.size());
        double first = 0.0, reciprocal = 0.0;
        std::size_t begin = 0;
        for (const std::size_t size : sizes) {
            // Equal scores count against the positive: a model that says nothing must not look good.
            const auto above = std::count_if(scores.begin() + static_cast<std::ptrdiff_t>(begin) + 1,
                                             scores.begin() + static_cast<std::ptrdiff_t>(begin + size),
                                             [&](float other) { return other >= scores[begin]; });
            first += above == 0 ? 1.0 : 0.0;
            reciprocal += above < 10 ? 1.0 / static_cast<double>(above + 1) : 0.0;
            begin += size;
        }
        const auto count = static_cast<double>(sizes.size());
        return {{"eval_loss", loss(scores, sizes, unused)}, {"accuracy", first / count}, {"mrr@10", reciprocal / count}};
    }

  private:
    VectorPass pass(std::uint64_t seed, const std::function<bool()>& stop) const {
        return {input_.model.trainer(), 1, input_.config.micro_tokens, seed, stop};
    }
    static void add(const Group& group, const std::vector<TokenText>& extra, TextList& texts, std::vector<std::size_t>& sizes) {
        for (const TokenText& pair : group.pairs) texts.push_back(&pair);
        for (const TokenText& pair : extra) texts.push_back(&pair);
        sizes.push_back(group.pairs.size() + extra.size());
    }

    double loss(std::span<const float> scores, const std::vector<std::size_t>& sizes, std::span<float> gradient) const {
        double sum = 0.0;
        std::size_t begin = 0;
        const bool listwise = input_.config.rerank_loss == "listwise";
        const double share = 1.0 / static_cast<double>(listwise ? sizes.size() : scores.size());
        for (const std::size_t size : sizes) {
            const auto group = scores.subspan(begin, size);
            const auto to = gradient.subspan(begin, size);
            if (listwise) {
                const std::uint32_t right = 0;
                sum += softmax_cross_entropy(group, std::span(&right, 1), share, to);
            } else {
                std::vector<float> targets(size);
                targets[0] = 1.0F;
                sum += sigmoid_cross_entropy(group, targets, share, to);
            }
            begin += size;
        }
        return sum;
    }

    /// Pairs with positives of other rows that are not positives of this query.
    std::vector<TokenText> draw(const Group& group, const CounterRandom& random) {
        const auto& rows = input_.train.rows;
        const auto right = known_.find(group.row->query);
        std::vector<TokenText> out;
        for (std::uint64_t tries = 0; out.size() < input_.config.negatives && tries < 16 * input_.config.negatives; ++tries) {
            const std::string& document = rows[random.below(tries, rows.size())].positive;
            if (document == group.row->positive || (right != known_.end() && right->second.contains(document))) continue;
            out.push_back(*drawer_.encode_pair(*group.row, group.row->query, document));
        }
        return out;
    }

    std::vector<Group> read(const TrainingRows& rows, RowTexts& reader) const {
        std::vector<Group> out;
        for (const TrainingRow& row : rows.rows) {
            Group group;
            group.row = &row;
            group.drawn = row.negatives.empty();
            std::optional<TokenText> pair = reader.encode_pair(row, row.query, row.positive);
            for (std::size_t i = 0; pair && i < row.negatives.size(); ++i) {
                group.pairs.push_back(*std::move(pair));
                pair = reader.encode_pair(row, row.query, row.negatives[i]);
            }
            if (!pair) continue;
            group.pairs.push_back(*std::move(pair));
            out.push_back(std::move(group));
        }
        return out;
    }

    TaskInput input_;
    std::unordered_map<std::string, std::set<std::string>> known_;
    RowTexts reader_, drawer_;
    std::vector<Group> train_, eval_;
    std::vector<std::uint32_t> lengths_;
};

}  // namespace

std::unique_ptr<Task> make_rerank(const TaskInput& input) {
    return std::make_unique<Rerank>(input);
}

}  // namespace rag::core
