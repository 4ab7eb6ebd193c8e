// Links between documents and chunks: the names that callers use for their ends, checked and turned into keys.
#include <charconv>
#include <cmath>
#include <set>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "engine/engine_state.hpp"
#include "engine/link_check.hpp"

namespace rag::core {
namespace {

/// What a name says behind its last '#': a chunk's number, or nothing (kWhole). None: it is no such name.
struct Suffix {
    std::string_view id;
    std::int64_t ordinal = ChunkEnd::kWhole;
};
std::optional<Suffix> suffix_of(std::string_view name) {
    const std::size_t mark = name.rfind('#');
    if (mark == std::string_view::npos) return std::nullopt;
    Suffix suffix{name.substr(0, mark)};
    const std::string_view digits = name.substr(mark + 1);
    if (digits.empty()) return suffix;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), suffix.ordinal);
    // As hits spell it: "#07" is no chunk's.
    const bool number = error == std::errc{} && stop == digits.data() + digits.size() && suffix.ordinal >= 0 &&
                        (digits.size() == 1 || digits[0] != '0');
    return number ? std::optional(suffix) : std::nullopt;
}

/// The rule of rag_link: "id#number" is the chunk that a hit calls so, "id#" the document `id`, and only what is neither of these
/// is a document's id as it stands.
ChunkEnd end_of(std::string_view name, StoreView& view) {
    if (name.size() > kMaxIdBytes + 32) fail(Code::kInvalidArgument, "an end of a link has {} bytes", name.size());
    require_utf8(name, "an end of a link");
    if (const auto suffix = suffix_of(name)) {
        const auto head = view.find_head(suffix->id);
        if (head && (suffix->ordinal == ChunkEnd::kWhole || view.find_chunk_at(head->key, suffix->ordinal)))
            return {head->key, suffix->ordinal};
    }
    if (const auto head = view.find_head(name)) return {head->key, ChunkEnd::kWhole};
    fail(Code::kNotFound, "there is no document or chunk {} to link", quote(name));
}

/// So that end_of() finds it again, whatever other documents there are.
std::string name_of(std::string_view id, std::int64_t ordinal) {
    if (ordinal != ChunkEnd::kWhole) return fmt::format("{}#{}", id, ordinal);
    return suffix_of(id) ? std::string(id) + '#' : std::string(id);
}

/// None: the document lost that chunk.
std::optional<std::string> name_of(const ChunkEnd& end, StoreView& view) {
    const auto id = view.document_id(end.document);
    if (!id || (end.ordinal != ChunkEnd::kWhole && !view.find_chunk_at(end.document, end.ordinal))) return std::nullopt;
    return name_of(*id, end.ordinal);
}

}  // namespace

void check_link(const LinkRow& link, std::string_view source, std::string_view target) {
    if (link.source == link.target) fail(Code::kInvalidArgument, "a link leads from {} to itself", quote(source));
    if (!(link.weight > 0) || std::isinf(link.weight)) {
        fail(Code::kInvalidArgument, "the link from {} to {} has weight {}, it must be above 0", quote(source), quote(target),
             link.weight);
    }
    if (link.type.size() > kMaxIdBytes)
        fail(Code::kInvalidArgument, "the type of a link has {} bytes, at most {} are taken", link.type.size(), kMaxIdBytes);
    require_utf8(link.type, "the type of a link");
}

void Engine::link(std::span<const Link> links) {
    const Call call(*this);
    if (call->options.read_only) fail(Code::kReadOnly, "{} is open read-only", quote(call->name, 400));
    const auto writing = call.write();
    auto transaction = call->store->write();
    for (const Link& link : links) {
        const LinkRow row{end_of(link.source, transaction), end_of(link.target, transaction), link.type, link.weight};
        check_link(row, link.source, link.target);
        transaction.set_link(row);
    }
    if (!links.empty()) transaction.commit();
}

std::uint64_t Engine::unlink(std::span<const Link> links) {
    const Call call(*this);
    if (call->options.read_only) fail(Code::kReadOnly, "{} is open read-only", quote(call->name, 400));
    const auto writing = call.write();
    auto transaction = call->store->write();
    std::int64_t removed = 0;
    for (const Link& link : links) {
        std::optional<std::string_view> type;
        if (!link.type.empty()) type = link.type;
        removed += transaction.remove_links(end_of(link.source, transaction), end_of(link.target, transaction), type);
    }
    if (removed > 0) transaction.commit();
    return static_cast<std::uint64_t>(removed);
}

std::vector<Link> Engine::links(std::span<const std::string_view> ids) const {
    const Call call(*this);
    auto view = call->store->read();
    std::vector<Link> out;
    if (ids.empty()) {
        view.each_named_link([&](const NamedLink& link) {
            out.push_back({name_of(link.source, link.source_ordinal), name_of(link.target, link.target_ordinal),
                           std::string(link.type), link.weight});
            return true;
        });
        return out;
    }
    std::vector<LinkRow> rows;
    std::set<std::int64_t> documents;
    for (const auto id : ids) {
        const auto head = view.find_head(id);
        if (!head || !documents.insert(head->key).second) continue;
        for (LinkRow& row : view.links_of(head->key)) {
            // One between two of these documents is met twice.
            const std::int64_t other = row.source.document == head->key ? row.target.document : row.source.document;
            if (other == head->key || !documents.contains(other)) rows.push_back(std::move(row));
        }
    }
    for (LinkRow& row : rows) {
        auto source = name_of(row.source, view);
        auto target = name_of(row.target, view);
        if (source && target) out.push_back({std::move(*source), std::move(*target), std::move(row.type), row.weight});
    }
    return out;
}

}  // namespace rag::core
