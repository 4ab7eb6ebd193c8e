#include "formats/saved_config.hpp"

#include "core/error.hpp"
#include "formats/json_text.hpp"

namespace rag::core {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxConfigBytes = 16u << 20;
constexpr std::int64_t kPackedFormat = 1;
constexpr const char* kOwnKey = "librag";

std::string finish(json object, const SavedWeights& saved) {
    // Version 4 of transformers writes torch_dtype, version 5 dtype; both read both.
    object[object.contains("torch_dtype") ? "torch_dtype" : "dtype"] = saved.type;
    object.erase("quantization_config");
    if (!saved.packed.empty())
        object["quantization_config"] = {{"quant_method", "librag"}, {"format", kPackedFormat}, {"weights", saved.packed}};
    object.erase(kOwnKey);
    if (!saved.exceptions.empty()) object[kOwnKey] = {{"dtype", saved.dtype}, {"exceptions", saved.exceptions}};
    return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string edit_config(const std::filesystem::path& config, const SavedWeights& saved) {
    return finish(read_json_object(config.string(), kMaxConfigBytes), saved);
}

std::string edit_config(std::string_view text, const std::string& name, const SavedWeights& saved) {
    return finish(parse_json(text, name), saved);
}

std::string with_truncate_dim(const std::filesystem::path& path, std::int64_t truncate_dim) {
    std::error_code ignored;
    json object = json::object();
    if (std::filesystem::exists(path, ignored)) object = read_json_object(path.string(), kMaxConfigBytes);
    object["truncate_dim"] = truncate_dim;
    return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string saved_exceptions(const std::filesystem::path& folder, std::string_view dtype) {
    const std::filesystem::path path = folder / "config.json";
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) return {};
    const json object = read_json_object(path.string(), kMaxConfigBytes);
    const JsonFields outer(object, path.string());
    const json* found = outer.find(kOwnKey);
    if (found == nullptr) return {};
    if (!found->is_object()) outer.wrong(kOwnKey, "an object", *found);
    const JsonFields fields(*found, path.string() + ": " + kOwnKey);
    if (fields.text("dtype").value_or("") != dtype) return {};
    return fields.text("exceptions").value_or("");
}

void check_quantization(const std::filesystem::path& folder) {
    const std::filesystem::path path = folder / "config.json";
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) return;
    const json object = read_json_object(path.string(), kMaxConfigBytes);
    const JsonFields outer(object, path.string());
    const json* found = outer.find("quantization_config");
    if (found == nullptr) return;
    if (!found->is_object()) outer.wrong("quantization_config", "an object", *found);
    const JsonFields fields(*found, path.string() + ": quantization_config");
    const std::string method = fields.text("quant_method").value_or("");
    if (method != "librag")
        fail(Code::kUnsupported, "{}: quant_method {}; librag's own, and plain weights, are supported", quote(fields.file(), 400),
             quote(method));
    const std::int64_t format = fields.required_integer("format", 1, 1'000'000);
    if (format > kPackedFormat)
        fail(Code::kVersion, "{}: packed weights of format {}, format {} is read", quote(fields.file(), 400), format,
             kPackedFormat);
}

}  // namespace rag::core
