#include "formats/inspect.hpp"

#include <algorithm>

#include "core/byte_reader.hpp"
#include "core/error.hpp"
#include "formats/file_sums.hpp"
#include "formats/gguf.hpp"
#include "formats/json_text.hpp"
#include "formats/packed_matrix.hpp"
#include "formats/safetensors.hpp"

namespace rag::core {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxConfigBytes = 16u << 20;
constexpr std::size_t kMaxTokenizerBytes = 256u << 20;
constexpr std::size_t kMaxFiles = 10'000;
constexpr std::int64_t kMostPanels = std::int64_t{1} << 40;  // products of shapes stay in 64 bits

bool is_there(const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored);
}

/// A tensor as its model means it: what librag packed (docs/quantised-folders.md) goes by its matrix's name, type and shape.
InspectedTensor describe_tensor(const TensorInfo& tensor, const PaddedShapes& padded) {
    InspectedTensor out{tensor.name, tensor.type_name, std::filesystem::path(tensor.file).filename().string(), tensor.shape,
                        tensor.bytes.size()};
    const auto& shape = tensor.shape;
    const bool bytes = tensor.type == TensorType::kU8;
    if (bytes && tensor.name.ends_with(kInt8Suffix) && shape.size() == 2 && shape[1] >= kInt8ScaleBytes) {
        out.type = "int8";
        out.shape = {shape[0], shape[1] - kInt8ScaleBytes};
    } else if (bytes && tensor.name.ends_with(kInt4Suffix) && shape.size() == 3 && shape[2] == kInt4TileBytes &&
               shape[0] <= kMostPanels && shape[1] <= kMostPanels) {
        out.type = "int4";
        out.shape = {shape[0] * kInt4Outputs, shape[1] * kInt4Inputs};
        const auto fits = [](std::int64_t value, std::int64_t whole, std::int64_t step) {
            return value <= whole && value > whole - step;
        };
        const auto found = padded.find(tensor.name);
        if (found != padded.end() && fits(found->second[0], out.shape[0], kInt4Outputs) &&
            fits(found->second[1], out.shape[1], kInt4Inputs))
            out.shape = found->second;
    } else {
        return out;
    }
    out.name.resize(tensor.name.size() - kInt8Suffix.size());
    return out;
}

void add_tensors(std::span<const TensorInfo> tensors, const PaddedShapes& padded, ModelReport& report) {
    for (const TensorInfo& tensor : tensors) {
        report.tensors.push_back(describe_tensor(tensor, padded));
        const std::string what = fmt::format("{}: tensor {}", quote(report.path, 400), quote(tensor.name));
        report.parameters += count_elements(report.tensors.back().shape, what);
        report.tensor_bytes += tensor.bytes.size();
    }
    std::sort(report.tensors.begin(), report.tensors.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
}

void add_safetensors(const std::filesystem::path& path, ModelReport& report) {
    const auto file = SafetensorsFile::open(path);
    report.format = "safetensors";
    const auto found = file->metadata().find(kPaddedShapes);
    add_tensors(file->tensors(),
                found == file->metadata().end() ? PaddedShapes() : read_padded_shapes(found->second, file->name()), report);
}

/// The kind of a tokenizer.json is its model's type.
std::string tokenizer_kind(const std::filesystem::path& folder) {
    const auto path = folder / "tokenizer.json";
    if (is_there(path)) {
        const json object = read_json_object(path.string(), kMaxTokenizerBytes);
        const auto model = object.find("model");
        const bool named = model != object.end() && model->is_object() && model->contains("type") && (*model)["type"].is_string();
        return fmt::format("tokenizer.json ({})", named ? (*model)["type"].get<std::string>() : "no type");
    }
    for (const char* name : {"tokenizer.model", "vocab.json", "vocab.txt"}) {
        if (is_there(folder / name)) return name;
    }
    return "";
}

void describe_folder(const std::filesystem::path& folder, ModelReport& report) {
    if (is_there(folder / "config.json")) {
        const json config = read_json_object((folder / "config.json").string(), kMaxConfigBytes);
        report.architecture = JsonFields(config, (folder / "config.json").string()).text("model_type").value_or("");
    }
    report.tokenizer = tokenizer_kind(folder);
    report.chat_template = is_there(folder / "chat_template.jinja");
    if (!report.chat_template && is_there(folder / "tokenizer_config.json")) {
        const json config = read_json_object((folder / "tokenizer_config.json").string(), kMaxConfigBytes);
        report.chat_template = config.contains("chat_template") && !config["chat_template"].is_null();
    }
}

void describe_gguf(const GgufFile& file, ModelReport& report) {
    report.format = "gguf";
    report.architecture = file.text("general.architecture").value_or("");
    if (const auto kind = file.text("tokenizer.ggml.model")) report.tokenizer = fmt::format("gguf ({})", *kind);
    report.chat_template = file.has("tokenizer.chat_template");
    add_tensors(file.tensors(), {}, report);
}

/// Regular files below the folder, relative and sorted.
std::vector<std::filesystem::path> list_files(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (!entry.is_regular_file()) continue;
        if (files.size() == kMaxFiles)
            fail(Code::kUnsupported, "{} holds more than {} files", quote(folder.string(), 400), kMaxFiles);
        files.push_back(entry.path().lexically_relative(folder));
    }
    std::sort(files.begin(), files.end());
    return files;
}

void add_files(const std::filesystem::path& folder, const std::vector<std::filesystem::path>& names,
               const InspectOptions& options, ModelReport& report) {
    std::map<std::string, std::string> listed = options.verify ? read_sums(folder) : std::map<std::string, std::string>();
    if (options.verify && listed.empty())
        fail(Code::kNotFound, "{} has no {} to compare with", quote(folder.string(), 400), kSumsFile);
    bool good = options.verify;
    for (const auto& name : names) {
        InspectedFile file{name.generic_string(), std::filesystem::file_size(folder / name), "", "", ""};
        if (options.sums || options.verify) file.sha256 = file_sha256(folder / name, options.progress);
        if (const auto found = listed.find(file.name); found != listed.end()) {
            file.expected = found->second;
            file.state = file.sha256 == file.expected ? "ok" : "differs";
            good = good && file.state == "ok";
            listed.erase(found);
        } else if (options.verify) {
            file.state = "unlisted";
            // Whoever changes a file could also add one: weights that nobody vouches for are not verified.
            good = good && (file.name == kSumsFile || !(file.name.ends_with(".safetensors") || file.name.ends_with(".gguf")));
        }
        report.files.push_back(std::move(file));
    }
    // Of a single file only its own line counts.
    const bool whole = std::filesystem::is_directory(report.path);
    for (const auto& [name, sum] : listed) {
        if (!whole) break;
        report.files.push_back({name, 0, "", sum, "missing"});
        good = false;
    }
    report.verified = good;
}

}  // namespace

ModelReport inspect_model(const std::filesystem::path& path, const InspectOptions& options) {
    ModelReport report;
    report.path = path.string();
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) {
        // By file, not by folder: a folder whose quantization librag does not compute is listed too.
        const auto whole = path / "model.safetensors";
        add_safetensors(is_there(whole) ? whole : path / "model.safetensors.index.json", report);
        describe_folder(path, report);
        add_files(path, list_files(path), options, report);
        return report;
    }
    if (path.extension() == ".safetensors") {
        add_safetensors(path, report);
    } else if (path.extension() == ".gguf" || !is_there(path)) {
        describe_gguf(*GgufFile::open(path), report);
    } else {
        fail(Code::kInvalidArgument, "{} is neither a folder nor a .gguf or .safetensors file", quote(report.path, 400));
    }
    const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
    add_files(folder, {path.filename()}, options, report);
    return report;
}

void require_verified(const std::filesystem::path& path, const Progress& progress) {
    const ModelReport report = inspect_model(path, {true, true, progress});
    if (report.verified) return;
    std::string which = "no file is listed";
    for (const InspectedFile& file : report.files) {
        const bool weights = file.name.ends_with(".safetensors") || file.name.ends_with(".gguf");
        if (file.state == "ok" || (file.state == "unlisted" && !weights)) continue;
        which = fmt::format("{} {}", quote(file.name, 400), file.state == "unlisted" ? "is not listed" : file.state);
        break;
    }
    fail(Code::kCorrupt, "{} is not what its {} says: {}", quote(report.path, 400), kSumsFile, which);
}

std::string report_json(const ModelReport& report) {
    json tensors = json::array();
    for (const InspectedTensor& tensor : report.tensors)
        tensors.push_back({{"name", tensor.name},
                           {"type", tensor.type},
                           {"shape", tensor.shape},
                           {"bytes", tensor.bytes},
                           {"file", tensor.file}});
    json files = json::array();
    for (const InspectedFile& file : report.files) {
        json entry = {{"name", file.name}, {"bytes", file.bytes}};
        if (!file.sha256.empty()) entry["sha256"] = file.sha256;
        if (!file.expected.empty()) entry["expected"] = file.expected;
        if (!file.state.empty()) entry["state"] = file.state;
        files.push_back(std::move(entry));
    }
    const json object = {{"path", report.path},
                         {"format", report.format},
                         {"architecture", report.architecture},
                         {"tokenizer", report.tokenizer},
                         {"chat_template", report.chat_template},
                         {"parameters", report.parameters},
                         {"tensor_bytes", report.tensor_bytes},
                         {"verified", report.verified},
                         {"files", std::move(files)},
                         {"tensors", std::move(tensors)}};
    // Names come from outside and need not be UTF-8.
    return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace rag::core
