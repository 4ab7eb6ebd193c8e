#include "model/saving.hpp"

#include <array>
#include <cstring>
#include <map>
#include <optional>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/mapped_file.hpp"
#include "formats/packed_matrix.hpp"
#include "formats/safetensors_writer.hpp"
#include "model/layer_name.hpp"
#include "model/model.hpp"

namespace rag::core {
namespace {

constexpr std::array kCopied = {"tokenizer.json",
                                "tokenizer_config.json",
                                "special_tokens_map.json",
                                "added_tokens.json",
                                "chat_template.jinja",
                                "generation_config.json",
                                "tokenizer.model",
                                "vocab.json",
                                "merges.txt",
                                "vocab.txt",
                                "modules.json",
                                "sentence_bert_config.json",
                                "config_sentence_transformers.json"};

/// The table of an embedding, or the output layer: int8 where other layers have four bits.
bool is_table(const TensorView& tensor) {
    return tensor.name == "lm_head.weight" || tensor.name.ends_with("embed_tokens.weight") ||
           tensor.name.ends_with("_embeddings.weight");
}

/// The precision of the last exception that fits a module, as the backend takes it: those of the output layer hold for a table
/// that it shares.
std::optional<Precision> find_exception(std::string_view module, const SaveSource& source, const SaveOptions& options) {
    std::optional<Precision> found;
    for (const PrecisionException& exception : options.exceptions) {
        if (means_layer(exception.pattern, module, source.layer_prefix)) found = exception.precision;
    }
    if (module != "model.embed_tokens" || source.layers.contains("lm_head")) return found;
    const auto head = find_exception("lm_head", source, options);
    return head ? head : found;
}

ElementType element_type(const TensorView& tensor, const SaveSource& source, const SaveOptions& options) {
    constexpr std::string_view kSuffix = ".weight";
    const bool matrix = tensor.shape.size() == 2;
    // The router of a mixture of experts is computed in float32 whatever the precision.
    const bool weight = matrix && tensor.name.ends_with(kSuffix);
    const auto module = std::string_view(tensor.name).substr(0, weight ? tensor.name.size() - kSuffix.size() : 0);
    if (weight && source.exact.contains(module)) return ElementType::kF32;
    const bool table = matrix && is_table(tensor);
    const bool linear = weight && !tensor.name.ends_with(".gate.weight") && source.layers.contains(module);
    if (!table && !linear) return ElementType::kF32;
    const std::optional<Precision> exception = find_exception(module, source, options);
    switch (exception.value_or(options.precision)) {
        case Precision::kFloat32:
            return ElementType::kF32;
        case Precision::kBFloat16:
            return ElementType::kBF16;
        case Precision::kFloat16:
            return ElementType::kF16;
        case Precision::kInt8:
            return ElementType::kInt8;
        case Precision::kInt4:
            return table && !(linear && exception) ? ElementType::kInt8 : ElementType::kInt4;
    }
    fail(Code::kUnsupported, "precision {} cannot be saved", static_cast<unsigned>(options.precision));
}

TensorEntry entry_of(const std::string& name, const TensorView& tensor, ElementType type) {
    switch (type) {
        case ElementType::kBF16:
            return {name, "BF16", tensor.shape};
        case ElementType::kF16:
            return {name, "F16", tensor.shape};
        case ElementType::kInt8:
        case ElementType::kInt4:
            return {name + std::string(packed_suffix(type)), "U8", packed_shape(type, tensor.shape)};
        default:
            return {name, "F32", tensor.shape};
    }
}

std::map<std::string, std::string> metadata_of(std::span<const TensorEntry> entries, std::span<const ElementType> types,
                                               std::span<const TensorView* const> tensors) {
    std::map<std::string, std::vector<std::int64_t>> padded;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const auto& shape = tensors[i]->shape;
        if (types[i] == ElementType::kInt4 && (shape[0] % kInt4Outputs != 0 || shape[1] % kInt4Inputs != 0))
            padded[entries[i].name] = shape;
    }
    std::map<std::string, std::string> metadata = {{"format", "pt"}};
    if (!padded.empty()) metadata[kPaddedShapes] = write_padded_shapes(padded);
    return metadata;
}

/// The weights of a norm, written as F32.
void add_to_norm(const std::string& name, float offset, std::vector<std::byte>& bytes) {
    if (offset == 0.0F || !name.ends_with("norm.weight")) return;
    for (std::size_t at = 0; at + sizeof(float) <= bytes.size(); at += sizeof(float)) {
        float value = 0.0F;
        std::memcpy(&value, bytes.data() + at, sizeof(float));
        value += offset;
        std::memcpy(bytes.data() + at, &value, sizeof(float));
    }
}

}  // namespace

SavedWeights saved_weights(Precision precision, const std::vector<PrecisionException>& exceptions) {
    const auto packs = [](Precision one) { return one == Precision::kInt8 || one == Precision::kInt4; };
    SavedWeights out;
    out.type = packs(precision) ? "float32" : precision_name(precision);
    if (packs(precision)) out.packed = precision_name(precision);
    for (const PrecisionException& exception : exceptions) {
        const std::string_view name = precision_name(exception.precision);
        if (out.packed.empty() && packs(exception.precision)) out.packed = name;
        out.exceptions += fmt::format("{}{}={}", out.exceptions.empty() ? "" : ",", exception.pattern, name);
    }
    if (!exceptions.empty()) out.dtype = precision_name(precision);
    return out;
}

void save_folder(const SaveSource& source, const std::filesystem::path& path, const SaveOptions& options) {
    if (options.shard_bytes == 0) fail(Code::kInvalidArgument, "shards of 0 bytes are asked for");
    const std::filesystem::path folder = path.has_filename() ? path : path.parent_path();  // "out/" is "out"
    std::error_code error;
    if (std::filesystem::exists(std::filesystem::symlink_status(folder, error)))
        fail(Code::kAlreadyExists, "{} exists; a model is saved into a new folder", quote(folder.string(), 400));
    std::filesystem::path unfinished = folder;
    unfinished += ".unfinished";
    if (!std::filesystem::create_directory(unfinished, error))
        fail(Code::kIo, "{} cannot be made: {}", quote(unfinished.string(), 400),
             error ? error.message() : "it exists, left by a save that was cut off; remove it");
    try {
        std::vector<TensorEntry> entries;
        std::vector<ElementType> types;
        std::vector<const TensorView*> tensors;
        for (const TensorView& tensor : source.weights.tensors) {
            const std::string name = source.name(tensor.name);
            if (name.empty()) continue;
            require_unchanged(tensor.bytes);
            tensors.push_back(&tensor);
            types.push_back(element_type(tensor, source, options));
            entries.push_back(entry_of(name, tensor, types.back()));
        }
        const std::filesystem::path below = source.describe(unfinished);
        std::uint64_t done = 0;
        const auto produce = [&](std::size_t index) {
            report(options.progress, done++, entries.size());
            std::vector<std::byte> bytes;
            require_unchanged(tensors[index]->bytes);
            check_status(source.model.export_tensor(tensors[index]->name, types[index], source.adapter, bytes));
            add_to_norm(tensors[index]->name, source.norm_offset, bytes);
            return bytes;
        };
        write_safetensors(below, entries, metadata_of(entries, types, tensors), options.shard_bytes, produce);
        report(options.progress, entries.size(), entries.size());
        std::filesystem::rename(unfinished, folder);
    } catch (const std::filesystem::filesystem_error& failed) {
        std::filesystem::remove_all(unfinished, error);
        fail(Code::kIo, "{} cannot be saved: {}", quote(folder.string(), 400), failed.code().message());
    } catch (...) {
        std::filesystem::remove_all(unfinished, error);
        throw;
    }
}

std::filesystem::path copy_sentence_folder(const std::filesystem::path& source, const std::filesystem::path& transformer,
                                           const std::filesystem::path& folder, const SavedWeights& saved) {
    const std::filesystem::path below = transformer.lexically_relative(source);
    copy_description(source, folder, saved);
    if (below != ".") copy_description(transformer, folder / below, saved);
    return folder / below;
}

void write_truncate_dim(const std::filesystem::path& folder, std::int64_t truncate_dim) {
    const std::filesystem::path path = folder / "config_sentence_transformers.json";
    const std::string text = with_truncate_dim(path, truncate_dim);
    AtomicFile file(path);
    file.write(std::as_bytes(std::span(text)));
    file.commit();
}

void copy_description(const std::filesystem::path& from, const std::filesystem::path& to, const SavedWeights& saved) {
    std::filesystem::create_directories(to);
    for (const char* name : kCopied) {
        if (std::filesystem::is_regular_file(from / name)) std::filesystem::copy_file(from / name, to / name);
    }
    // Modules behind the transformer: a folder each with its config.json (and weights, for a dense layer).
    for (const auto& entry : std::filesystem::directory_iterator(from)) {
        const std::string name = entry.path().filename().string();
        if (!entry.is_directory() || name.empty() || name[0] < '0' || name[0] > '9') continue;
        std::filesystem::create_directories(to / name);
        for (const char* inner : {"config.json", "model.safetensors"}) {
            if (std::filesystem::is_regular_file(entry.path() / inner))
                std::filesystem::copy_file(entry.path() / inner, to / name / inner);
        }
    }
    if (std::filesystem::exists(from / "config.json")) {
        const std::string text = edit_config(from / "config.json", saved);
        AtomicFile file(to / "config.json");
        file.write(std::as_bytes(std::span(text)));
        file.commit();
    }
}

}  // namespace rag::core
