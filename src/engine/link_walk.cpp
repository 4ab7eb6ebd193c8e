#include "engine/link_walk.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "search/page_rank.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kSeeds = 100;
constexpr std::size_t kMaxNodes = 2000;
constexpr std::size_t kMaxChunks = 64;
constexpr int kMaxHops = 4;

/// The nodes around the seeds and the edges between them.
class LinkGraph {
  public:
    explicit LinkGraph(StoreView& view) : view_(view) {}

    /// The node's number; kMaxNodes when there is no room for another one.
    std::size_t node(const ChunkEnd& end) {
        const auto known = numbers_.find(end);
        if (known != numbers_.end()) return known->second;
        if (ends_.size() == kMaxNodes) return kMaxNodes;
        numbers_.emplace(end, ends_.size());
        ends_.push_back(end);
        return ends_.size() - 1;
    }
    /// Adds what is reached from the nodes so far.
    void grow() {
        std::size_t begin = 0;
        for (int hop = 0; hop < kMaxHops; ++hop) {
            const std::size_t end = ends_.size();
            for (std::size_t i = begin; i < end; ++i) expand(i);
            if (ends_.size() == end) break;
            begin = end;
        }
    }
    const std::vector<ChunkEnd>& ends() const noexcept { return ends_; }
    const std::vector<WeightedEdge>& edges() const noexcept { return edges_; }

  private:
    const std::vector<LinkRow>& links_of(std::int64_t document) {
        const auto known = links_.find(document);
        if (known != links_.end()) return known->second;
        return links_.emplace(document, view_.links_of(document)).first->second;
    }
    void expand(std::size_t from) {
        const ChunkEnd end = ends_[from];
        bool as_a_whole = false;  // the document is linked as such
        for (const LinkRow& link : links_of(end.document)) {
            for (const ChunkEnd* one : {&link.source, &link.target})
                as_a_whole = as_a_whole || *one == ChunkEnd{end.document, ChunkEnd::kWhole};
            if (link.source == end) connect(from, link.target, link.weight);
            if (link.target == end && link.source != end) connect(from, link.source, link.weight);
        }
        if (end.ordinal == ChunkEnd::kWhole) {
            for (std::size_t i = 0; i < kMaxChunks; ++i) {
                const auto ordinal = static_cast<std::int64_t>(i);
                if (!view_.find_chunk_at(end.document, ordinal)) break;
                connect(from, {end.document, ordinal}, 1.0);
            }
        } else if (as_a_whole && end.ordinal < static_cast<std::int64_t>(kMaxChunks)) {
            connect(from, {end.document, ChunkEnd::kWhole}, 1.0);
        }
    }
    /// Both nodes of an edge meet it; the one that is expanded first, which has the lower number, adds it.
    void connect(std::size_t from, const ChunkEnd& end, double weight) {
        const std::size_t to = node(end);
        if (to == kMaxNodes || to < from) return;
        edges_.push_back({static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(to), weight});
    }

    StoreView& view_;
    std::map<ChunkEnd, std::size_t> numbers_;
    std::vector<ChunkEnd> ends_;
    std::vector<WeightedEdge> edges_;
    std::map<std::int64_t, std::vector<LinkRow>> links_;
};

/// Chunks that are no candidates yet, by node, with their keys; what `filter` forbids is left out.
std::map<std::int64_t, std::size_t> reached_chunks(const LinkGraph& graph, std::size_t from, const IdSet* filter,
                                                   const std::map<std::int64_t, std::size_t>& known, StoreView& view) {
    std::map<std::int64_t, std::size_t> out;
    for (std::size_t i = from; i < graph.ends().size(); ++i) {
        const ChunkEnd& end = graph.ends()[i];
        if (end.ordinal == ChunkEnd::kWhole) continue;
        const auto key = view.find_chunk_at(end.document, end.ordinal);
        if (key && !known.contains(*key) && (filter == nullptr || filter->contains(*key))) out.emplace(*key, i);
    }
    return out;
}

}  // namespace

std::vector<Ranked> follow_links(const SearchRun& run, SearchRun::Candidates& candidates, const IdSet* filter, Store& store) {
    std::vector<Ranked> ranking = run.rank(candidates.list);
    run.normalise(ranking);
    std::optional<StoreSnapshot> view(store.read());
    LinkGraph graph(*view);
    std::vector<double> seeds;
    std::map<std::int64_t, std::size_t> nodes;  // of chunks
    for (std::size_t i = 0; i < ranking.size() && i < kSeeds && ranking[i].score > 0; ++i) {
        const auto end = view->find_end(ranking[i].id);
        if (!end) continue;
        nodes.emplace(ranking[i].id, graph.node(*end));
        seeds.push_back(static_cast<double>(ranking[i].score));
    }
    if (seeds.empty()) return ranking;
    graph.grow();
    // A candidate beyond the seeds may be reached like any other chunk.
    const auto reached = reached_chunks(graph, seeds.size(), filter, nodes, *view);
    view.reset();  // scoring may ask the caller, who may write
    std::vector<std::int64_t> added;
    for (const auto& [key, node] : reached) added.push_back(key);
    for (const Ranked& ranked : ranking) std::erase(added, ranked.id);
    const auto scored = run.score(added);
    candidates.list.insert(candidates.list.end(), scored.begin(), scored.end());
    ranking = run.rank(candidates.list);
    run.normalise(ranking);
    nodes.insert(reached.begin(), reached.end());

    seeds.resize(graph.ends().size(), 0.0);
    PageRankOptions options;
    options.damping = static_cast<double>(run.query.link_damping);
    const auto walked = personalised_page_rank(seeds, graph.edges(), options);
    double most = 0;
    for (const auto& [key, node] : nodes) most = std::max(most, walked[node]);
    for (Ranked& ranked : ranking) {
        ranked.scale(1.0F - run.query.link_weight);
        if (const auto found = nodes.find(ranked.id); found != nodes.end())
            ranked.links_part = run.query.link_weight * static_cast<float>(walked[found->second] / most);
        ranked.add_up();
    }
    std::sort(ranking.begin(), ranking.end(), [](const Ranked& a, const Ranked& b) { return better(a, b); });
    return ranking;
}

}  // namespace rag::core
