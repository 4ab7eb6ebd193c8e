#include "train/student.hpp"

#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "formats/json_text.hpp"
#include "train/trained_model.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kMaxConfigBytes = std::size_t{16} << 20;

/// `name` with its layer's new number; nothing if its layer goes. Names outside of layers stay.
std::optional<std::string> renumbered(const std::string& name, const std::map<std::int64_t, std::int64_t>& numbers) {
    const std::int64_t layer = layer_number(name);
    if (layer < 0) return name;
    const auto found = numbers.find(layer);
    if (found == numbers.end()) return std::nullopt;
    const std::string old = fmt::format("layer.{}.", layer);
    const std::size_t at = name.find(old);
    return name.substr(0, at) + fmt::format("layer.{}.", found->second) + name.substr(at + old.size());
}

}  // namespace

void keep_layers(EncoderFiles& files, std::span<const std::int64_t> layers) {
    if (!files.config.global_layers.empty())
        fail(Code::kUnsupported, "keep_layers: the layers of {} differ by their number", files.config.architecture);
    std::map<std::int64_t, std::int64_t> numbers;
    for (const std::int64_t layer : layers) {
        if (layer < 0 || layer >= files.config.layers)
            fail(Code::kInvalidArgument, "keep_layers names layer {}; the model has layers 0 to {}", layer,
                 files.config.layers - 1);
        if (!numbers.emplace(layer, static_cast<std::int64_t>(numbers.size())).second)
            fail(Code::kInvalidArgument, "keep_layers names layer {} twice", layer);
    }
    std::vector<TensorView> tensors;
    for (TensorView& tensor : files.weights.tensors) {
        const std::optional<std::string> name = renumbered(tensor.name, numbers);
        if (!name) continue;
        tensors.push_back(tensor);
        tensors.back().name = *name;
    }
    LinearShapes shapes;
    for (const auto& [module, shape] : files.layers) {
        // A module's name ends where a tensor's has ".weight".
        const std::optional<std::string> name = renumbered(module + ".", numbers);
        if (name) shapes.emplace(name->substr(0, name->size() - 1), shape);
    }
    files.weights.tensors = std::move(tensors);
    files.layers = std::move(shapes);
    files.config.layers = static_cast<std::int64_t>(layers.size());
}

void describe_layers(const std::filesystem::path& path, std::int64_t layers) {
    nlohmann::json config = read_json_object(path.string(), kMaxConfigBytes);
    config[config.contains("n_layers") ? "n_layers" : "num_hidden_layers"] = layers;
    const std::string text = config.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    AtomicFile file(path);
    file.write(std::as_bytes(std::span(text)));
    file.commit();
}

}  // namespace rag::core
