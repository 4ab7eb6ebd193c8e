#include "model/adapter_gguf.hpp"

#include <cmath>
#include <cstring>
#include <map>
#include <unordered_map>

#include "core/error.hpp"
#include "model/decoder_files.hpp"

namespace rag::core {
namespace {

constexpr std::string_view kSuffixA = ".lora_a";
constexpr std::string_view kSuffixB = ".lora_b";

/// What keeps the tensors of an adapter alive: the file, and matrices whose rows had to be put in order.
struct Owner {
    std::shared_ptr<const GgufFile> file;
    std::vector<std::vector<std::byte>> reordered;
};

/// Rows of q and k in neighbouring pairs become Hugging Face's halves: row head * 2 * half + 2 * i + p goes to row head * 2 *
/// half + p * half + i.
std::vector<std::byte> restore_halves(std::span<const std::byte> rows, std::size_t count, std::size_t heads) {
    const std::size_t bytes = rows.size() / count;
    const std::size_t half = count / heads / 2;
    std::vector<std::byte> out(rows.size());
    for (std::size_t row = 0; row < count; ++row) {
        const std::size_t head = row / (2 * half), within = row % (2 * half);
        const std::size_t to = head * 2 * half + within % 2 * half + within / 2;
        std::memcpy(out.data() + to * bytes, rows.data() + row * bytes, bytes);
    }
    return out;
}

void check_kind(const GgufFile& file, const DecoderConfig& config) {
    const std::string name = quote(file.name(), 400);
    for (const auto& [key, wanted] : {std::pair{"general.type", "adapter"}, std::pair{"adapter.type", "lora"}}) {
        const auto found = file.text(key);
        if (!found || *found != wanted)
            fail(Code::kUnsupported, "{}: {} is {}; {} is supported", name, key, found ? quote(*found) : "not given", wanted);
    }
    const std::string wanted = gguf_architecture(config);
    const auto found = file.text("general.architecture");
    if (!found || *found != wanted)
        fail(Code::kUnsupported, "{}: an adapter for the architecture {}, the model is of {}", name,
             found ? quote(*found) : "that is not given", quote(wanted));
    if (file.has("adapter.alora.invocation_tokens"))
        fail(Code::kUnsupported, "{}: adapter.alora.invocation_tokens is not supported", name);
}

const TensorInfo& find_half(const GgufFile& file, const std::string& tensor, std::string_view suffix) {
    const TensorInfo* found = file.find(tensor + std::string(suffix));
    if (found == nullptr) fail(Code::kCorrupt, "{}: tensor {}{} is missing", quote(file.name(), 400), tensor, suffix);
    return *found;
}

}  // namespace

AdapterWeights read_gguf_adapter(const std::shared_ptr<const GgufFile>& file, const DecoderConfig& config,
                                 const LinearShapes& layers) {
    check_kind(*file, config);
    const double alpha = file->number("adapter.lora.alpha").value_or(0.0);
    if (!std::isfinite(alpha)) fail(Code::kCorrupt, "{}: adapter.lora.alpha is {}", quote(file->name(), 400), alpha);
    const bool paired = gguf_architecture(config) == "llama";
    const auto owner = std::make_shared<Owner>();
    owner->file = file;
    AdapterWeights adapter;
    adapter.owner = owner;
    adapter.source = file->name();
    std::unordered_map<std::string, bool> known;
    for (const auto& [layer, shape] : layers) {
        if (layer.find(".experts.") != std::string::npos) continue;  // in one tensor of three dimensions, which are refused below
        const std::string name = gguf_tensor_name(layer + ".weight", config);
        if (file->find(name + std::string(kSuffixA)) == nullptr && file->find(name + std::string(kSuffixB)) == nullptr) continue;
        const TensorInfo& a = find_half(*file, name, kSuffixA);
        const TensorInfo& b = find_half(*file, name, kSuffixB);
        known[a.name] = known[b.name] = true;
        const std::int64_t rank = a.shape.empty() ? 0 : a.shape[0];
        const std::vector<std::int64_t> wanted_a{rank, shape[1]}, wanted_b{shape[0], rank};
        if (rank < 1 || a.shape != wanted_a || b.shape != wanted_b)
            fail(Code::kCorrupt, "{}: {} has shapes {} and {}, the layer {} is {}", quote(file->name(), 400), quote(name),
                 describe_shape(a.shape), describe_shape(b.shape), quote(layer), describe_shape(shape));
        TensorView second = view_tensor(b, b.name);
        const bool query = layer.ends_with("q_proj");
        if (paired && (query || layer.ends_with("k_proj"))) {
            const auto heads = static_cast<std::size_t>(query ? config.heads : config.kv_heads);
            owner->reordered.push_back(restore_halves(second.bytes, static_cast<std::size_t>(shape[0]), heads));
            second.bytes = owner->reordered.back();
        }
        // llama.cpp: alpha over the rank, or 1 where there is no alpha.
        const double scale = alpha != 0.0 ? alpha / static_cast<double>(rank) : 1.0;
        adapter.pairs.push_back({layer, view_tensor(a, a.name), std::move(second), static_cast<float>(scale)});
    }
    for (const TensorInfo& tensor : file->tensors()) {
        if (!known.contains(tensor.name))
            fail(Code::kUnsupported, "{}: tensor {} belongs to no linear layer of the model", quote(file->name(), 400),
                 quote(tensor.name));
    }
    if (adapter.pairs.empty()) fail(Code::kCorrupt, "{} holds no adapter weights", quote(file->name(), 400));
    return adapter;
}

}  // namespace rag::core
