// BM25 and its query language as the formulas and the grammar say, in double, over whole texts kept in memory: the slow twin of
// Bm25Index. It shares the analyzer and the parser with it, and nothing else.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "index/bm25/bm25_index.hpp"
#include "index/bm25/query_parser.hpp"

namespace rag::test {

class NaiveBm25 {
  public:
    using Term = core::Analyzer::Term;
    struct Document {
        std::vector<Term> title;
        std::vector<Term> text;
    };

    explicit NaiveBm25(const core::Bm25Options& options) : options_(options), analyzer_(options.language) {
        if (options_.delta < 0) options_.delta = options.variant == core::Bm25Variant::kL ? 0.5 : 1.0;
    }

    std::map<std::int64_t, Document> documents;

    void put(std::int64_t id, std::string_view title, std::string_view text) {
        Document document;
        if (options_.title_weight > 0) analyzer_.analyze(title, document.title);
        analyzer_.analyze(text, document.text);
        documents[id] = std::move(document);
    }

    /// The documents that a query finds, with their scores.
    std::map<std::int64_t, double> scores(std::string_view query) const {
        std::vector<Term> terms;
        analyzer_.analyze(query, terms);
        return scores_of(terms);
    }
    std::map<std::int64_t, double> language_scores(std::string_view query) const {
        const core::QueryNode node = core::parse_query(query);
        std::vector<Term> terms;
        collect(node, terms);
        std::map<std::int64_t, double> out;
        for (const auto& [id, score] : scores_of(terms)) {
            if (meets(node, documents.at(id)) == kYes) out[id] = score;
        }
        return out;
    }

  private:
    enum Answer { kNothingAsked, kNo, kYes };

    static double count_in(const std::vector<Term>& terms, const std::string& term) {
        return static_cast<double>(std::count_if(terms.begin(), terms.end(), [&](const Term& t) { return t.text == term; }));
    }
    double frequency(const Document& document, const std::string& term) const {
        return options_.title_weight * count_in(document.title, term) + count_in(document.text, term);
    }
    double length(const Document& document) const {
        return options_.title_weight * static_cast<double>(document.title.size()) + static_cast<double>(document.text.size());
    }

    double idf(double df) const {
        const auto n = static_cast<double>(documents.size());
        switch (options_.variant) {
            case core::Bm25Variant::kOkapi:
                return std::max(0.0, std::log((n - df + 0.5) / (df + 0.5)));
            case core::Bm25Variant::kPlus:
                return std::log((n + 1) / df);
            case core::Bm25Variant::kL:
                return std::log((n + 1) / (df + 0.5));
            default:
                return std::log(1 + (n - df + 0.5) / (df + 0.5));
        }
    }
    double saturated(double tf, double length, double average) const {
        const double k1 = options_.k1;
        const double norm = 1 - options_.b + options_.b * length / average;
        switch (options_.variant) {
            case core::Bm25Variant::kOkapi:
                return tf * (k1 + 1) / (tf + k1 * norm);
            case core::Bm25Variant::kPlus:
                return tf * (k1 + 1) / (tf + k1 * norm) + options_.delta;
            case core::Bm25Variant::kL:
                return (k1 + 1) * (tf / norm + options_.delta) / (k1 + tf / norm + options_.delta);
            default:
                return tf / (tf + k1 * norm);
        }
    }

    std::map<std::int64_t, double> scores_of(const std::vector<Term>& terms) const {
        double total = 0;
        for (const auto& [id, document] : documents) total += length(document);
        std::map<std::string, double> counts;
        for (const Term& term : terms) {
            if (!term.part) ++counts[term.text];
        }
        std::map<std::int64_t, double> out;
        for (const auto& [term, count] : counts) {
            double df = 0;
            for (const auto& [id, document] : documents) df += frequency(document, term) > 0;
            if (df == 0 || idf(df) <= 0) continue;
            const double weight = std::isinf(options_.k3) ? count : (options_.k3 + 1) * count / (options_.k3 + count);
            for (const auto& [id, document] : documents) {
                const double tf = frequency(document, term);
                if (tf == 0) continue;
                const double average = total / static_cast<double>(documents.size());
                out[id] += weight * idf(df) * saturated(tf, length(document), average);
            }
        }
        return out;
    }

    /// The terms of a leaf; of a prefix all that any document has.
    std::vector<Term> terms_of(const core::QueryNode& leaf) const {
        std::vector<Term> terms;
        analyzer_.analyze(leaf.text, terms);
        std::erase_if(terms, [](const Term& term) { return term.part; });
        if (leaf.kind != core::QueryNode::kPrefix) return terms;
        std::map<std::string, bool> all;
        if (terms.size() == 1) all[terms[0].text] = true;
        const bool code = is_code(terms, leaf.text);
        const std::string prefix = code ? terms.back().text : analyzer_.fold(leaf.text);
        for (const auto& [id, document] : documents) {
            for (const auto* field : {&document.title, &document.text}) {
                for (const Term& term : *field) {
                    if (term.text.starts_with(prefix)) all[term.text] = true;
                }
            }
        }
        terms.clear();
        for (const auto& [text, unused] : all) terms.push_back({text, 0, 0, 0, false});
        return terms;
    }
    void collect(const core::QueryNode& node, std::vector<Term>& out) const {
        if (node.kind != core::QueryNode::kGroup) {
            for (Term& term : terms_of(node)) out.push_back(term);
        }
        for (const auto& child : node.must) collect(child, out);
        for (const auto& child : node.should) collect(child, out);
    }
    /// A leaf that is nothing but a code with a sign: its term comes last.
    static bool is_code(const std::vector<Term>& terms, std::string_view text) {
        return !terms.empty() && terms.back().joined && terms.back().start == 0 && terms.back().end == text.size();
    }
    /// Of a code whose parts are all terms: the joined one, or the parts in a row where an index can tell.
    bool has_code(const std::vector<Term>& terms, const Document& document) const {
        if (frequency(document, terms.back().text) > 0) return true;
        const std::vector<Term> parts(terms.begin(), terms.end() - 1);
        return options_.positions && (has_phrase(document.title, parts) || has_phrase(document.text, parts));
    }
    static bool has_phrase(const std::vector<Term>& field, const std::vector<Term>& phrase) {
        return std::any_of(field.begin(), field.end(), [&](const Term& first) {
            return std::all_of(phrase.begin(), phrase.end(), [&](const Term& wanted) {
                return std::any_of(field.begin(), field.end(), [&](const Term& term) {
                    return term.text == wanted.text && term.position == first.position + wanted.position - phrase[0].position;
                });
            });
        });
    }
    Answer meets(const core::QueryNode& node, const Document& document) const {
        if (node.kind == core::QueryNode::kGroup) return meets_group(node, document);
        const std::vector<Term> terms = terms_of(node);
        if (node.kind == core::QueryNode::kPrefix) {
            return std::any_of(terms.begin(), terms.end(), [&](const Term& t) { return frequency(document, t.text) > 0; }) ? kYes
                                                                                                                           : kNo;
        }
        if (terms.empty()) return kNothingAsked;
        if (is_code(terms, node.text)) return has_code(terms, document) ? kYes : kNo;
        if (node.kind == core::QueryNode::kPhrase) {
            return has_phrase(document.title, terms) || has_phrase(document.text, terms) ? kYes : kNo;
        }
        return std::all_of(terms.begin(), terms.end(), [&](const Term& t) { return frequency(document, t.text) > 0; }) ? kYes
                                                                                                                       : kNo;
    }
    Answer meets_group(const core::QueryNode& node, const Document& document) const {
        bool must_asked = false;
        bool all = true;
        for (const auto& child : node.must) {
            const Answer answer = meets(child, document);
            must_asked = must_asked || answer != kNothingAsked;
            all = all && answer != kNo;
        }
        bool should_asked = false;
        bool any = false;
        for (const auto& child : node.should) {
            const Answer answer = meets(child, document);
            should_asked = should_asked || answer != kNothingAsked;
            any = any || answer == kYes;
        }
        if (!must_asked && !should_asked) return kNothingAsked;
        for (const auto& child : node.must_not) {
            if (meets(child, document) == kYes) return kNo;
        }
        return (must_asked ? all : any) ? kYes : kNo;
    }

    core::Bm25Options options_;
    core::Analyzer analyzer_;
};

}  // namespace rag::test
