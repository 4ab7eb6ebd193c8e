#include "train/checkpoints/checkpoint.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "core/atomic_file.hpp"
#include "core/checksum.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "core/mapped_file.hpp"
#include "formats/json_text.hpp"
#include "formats/safetensors.hpp"
#include "formats/safetensors_writer.hpp"
#include "train/model_parts.hpp"

namespace rag::core {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::int64_t kFormat = 2;  // 1 had no checksums
constexpr std::size_t kMaxStateBytes = std::size_t{16} << 20;
constexpr std::string_view kPrefix = "step-";
constexpr std::pair<TrainedPart, const char*> kParts[] = {
    {TrainedPart::kValue, ""}, {TrainedPart::kFirstMoment, "#first_moment"}, {TrainedPart::kSecondMoment, "#second_moment"}};

void sync_folder(const fs::path& folder) {
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool failed = descriptor < 0 || ::fsync(descriptor) != 0;
    const int reason = errno;
    if (descriptor >= 0) ::close(descriptor);
    if (failed) fail(Code::kIo, "{} cannot be synced: {}", quote(folder.string(), 400), std::strerror(reason));
}

json state_json(const RunState& s) {
    json best = json::array();
    for (const BestStep& one : s.best) best.push_back({one.step, one.goodness});
    return {{"step", s.step},          {"epoch", s.epoch}, {"position", s.position},   {"evaluated", s.evaluated},
            {"best", std::move(best)}, {"worse", s.worse}, {"mean_loss", s.mean_loss}, {"least_loss", s.least_loss},
            {"losses", s.losses},      {"above", s.above}, {"seconds", s.seconds},     {"tokens", s.tokens}};
}

/// A number of the state that may not be missing.
template <typename T>
T number(const json& object, const char* key, const std::string& file) {
    const auto found = object.find(key);
    const bool whole =
        found != object.end() && (std::is_unsigned_v<T> ? found->is_number_unsigned() : found->is_number_integer());
    const bool good = std::is_floating_point_v<T> ? found != object.end() && found->is_number() : whole;
    if (!good) fail(Code::kCorrupt, "{}: {} is missing, or no number that it can be", quote(file, 400), key);
    return found->get<T>();
}

RunState read_state(const json& object, const std::string& file) {
    RunState s;
    s.step = number<std::uint64_t>(object, "step", file);
    s.epoch = number<std::uint64_t>(object, "epoch", file);
    s.position = number<std::uint64_t>(object, "position", file);
    s.evaluated = number<std::int64_t>(object, "evaluated", file);
    const json* best = JsonFields(object, file).find("best");
    if (best == nullptr || !best->is_array()) fail(Code::kCorrupt, "{}: best is no list", quote(file, 400));
    for (const json& one : *best) {
        if (!one.is_array() || one.size() != 2 || !one[0].is_number_unsigned() || !one[1].is_number())
            fail(Code::kCorrupt, "{}: best holds what is no pair of a step and a metric", quote(file, 400));
        s.best.push_back({one[0].get<std::uint64_t>(), one[1].get<double>()});
    }
    s.worse = number<std::uint64_t>(object, "worse", file);
    s.mean_loss = number<double>(object, "mean_loss", file);
    s.least_loss = number<double>(object, "least_loss", file);
    s.losses = number<std::uint64_t>(object, "losses", file);
    s.above = number<std::uint64_t>(object, "above", file);
    s.seconds = number<double>(object, "seconds", file);
    s.tokens = number<std::uint64_t>(object, "tokens", file);
    return s;
}

std::string text(const json& object, const char* key, const std::string& file) {
    return JsonFields(object, file).required_text(key);
}

TrainerConfig written_config(const json& settings, const std::string& file) {
    try {
        return parse_trainer_config(settings.dump(-1, ' ', false, json::error_handler_t::replace));
    } catch (const Error& error) {
        fail(Code::kCorrupt, "{}: config: {}", quote(file, 400), error.what());
    }
}

/// With the files, where the checkpoint tells them.
std::string differing_model(const json& object, const RunIdentity& identity) {
    const auto files = object.find("model_files");
    if (files == object.end() || !files->is_object()) return "the model";
    std::map<std::string, std::string> before;
    for (const auto& [name, sum] : files->items()) {
        if (sum.is_string()) before[name] = sum.get<std::string>();
    }
    const std::string differences = describe_differences(before, identity.model_files);
    return differences.empty() ? "the model" : fmt::format("the model ({})", differences);
}

void check_identity(const json& object, const std::string& file, const RunIdentity& identity) {
    std::vector<std::string> differing;
    if (text(object, "task", file) != train_task_name(identity.task)) differing.emplace_back("the task");
    if (text(object, "model_sha256", file) != identity.model_sha256) differing.push_back(differing_model(object, identity));
    if (text(object, "train_sha256", file) != identity.train_sha256) differing.emplace_back("the training data");
    if (text(object, "eval_sha256", file) != identity.eval_sha256) differing.emplace_back("the evaluation data");
    const json* settings = JsonFields(object, file).find("config");
    if (settings == nullptr) fail(Code::kCorrupt, "{}: config is missing", quote(file, 400));
    for (const std::string& name : config_differences(written_config(*settings, file), identity.config))
        differing.push_back("the setting " + name);
    if (differing.empty()) return;
    std::string names;
    for (const std::string& name : differing) names += (names.empty() ? "" : ", ") + name;
    const bool one = differing.size() == 1;
    fail(Code::kInvalidState, "{} belongs to another run: {} {}; take {} as {}, or another output folder", quote(file, 400),
         names, one ? "differs" : "differ", one ? "it" : "them", one ? "it was" : "they were");
}

void read_part(const SafetensorsFile& file, TrainedModel& model, std::size_t index, TrainedPart part, const char* suffix) {
    const TrainedTensor tensor = model.trainer().tensors()[index];
    const TensorInfo* found = file.find(tensor.name + suffix);
    if (found == nullptr || found->type != TensorType::kF32 || found->shape != tensor.shape)
        fail(Code::kCorrupt, "{}: tensor {} is missing, or has another type or shape", quote(file.name(), 400),
             quote(tensor.name + suffix));
    std::vector<float> values(element_count(tensor.shape));
    std::memcpy(values.data(), found->bytes.data(), values.size() * sizeof(float));
    release_pages(found->bytes);
    model.write(index, part, values);
}

std::string checksum_of(std::span<const std::byte> bytes) {
    return fmt::format("{:016x}", checksum64(bytes));
}

/// Of a file, block by block, each sum the seed of the next: three times the weights do not come into memory at once.
std::string file_checksum(const fs::path& path) {
    constexpr std::size_t kBlock = std::size_t{1} << 22;
    const auto file = MappedFile::open(path);
    std::uint64_t sum = 0;
    for (std::span<const std::byte> left = file->bytes(); !left.empty();) {
        const std::span<const std::byte> block = left.first(std::min(left.size(), kBlock));
        sum = checksum64(block, sum);
        release_pages(block);
        left = left.subspan(block.size());
    }
    return fmt::format("{:016x}", sum);
}

/// Of all that the object says but for the sum itself.
std::string own_checksum(json object) {
    object.erase("checksum");
    const std::string text = object.dump(-1, ' ', false, json::error_handler_t::replace);
    return checksum_of(std::as_bytes(std::span(text)));
}

void require_sum(const std::string& found, const std::string& written, const std::string& file) {
    if (found != written)
        fail(Code::kCorrupt, "{} is damaged: its checksum is {}, {} was written", quote(file, 400), found, written);
}

/// An object of a format that is read, and what it was when it was written.
json read_object(std::string_view bytes, const std::string& file) {
    json object = parse_json(bytes, file);
    if (!object.is_object()) fail(Code::kCorrupt, "{} holds no object", quote(file, 400));
    const std::int64_t format = number<std::int64_t>(object, "format", file);
    if (format < 1 || format > kFormat)
        fail(Code::kVersion, "{}: a checkpoint of format {}, formats up to {} are read", quote(file, 400), format, kFormat);
    if (format > 1) require_sum(own_checksum(object), text(object, "checksum", file), file);
    return object;
}

json read_object(const fs::path& path) {
    const std::string file = path.string();
    const auto bytes = MappedFile::open(file);
    if (bytes->bytes().size() > kMaxStateBytes)
        fail(Code::kCorrupt, "{} has {} bytes, at most {} are read", quote(file, 400), bytes->bytes().size(), kMaxStateBytes);
    return read_object({reinterpret_cast<const char*>(bytes->bytes().data()), bytes->bytes().size()}, file);
}

/// The tensors of a checkpoint whose state says `object`, compared with their checksum.
std::shared_ptr<const SafetensorsFile> open_tensors(const fs::path& path, const json& object) {
    const fs::path file = path / "model.safetensors";
    if (object.contains("tensors_checksum")) {
        require_sum(file_checksum(file), text(object, "tensors_checksum", (path / "state.json").string()), file.string());
    }
    return SafetensorsFile::open(file);
}

}  // namespace

fs::path checkpoint_path(const fs::path& folder, std::uint64_t step) {
    return folder / (std::string(kPrefix) + std::to_string(step));
}

void write_checkpoint(const fs::path& folder, TrainedModel& model, const RunState& state, const RunIdentity& identity) {
    const fs::path target = checkpoint_path(folder, state.step);
    fs::path unfinished = target;
    unfinished += ".unfinished";
    fs::create_directories(folder);
    fs::remove_all(unfinished);
    fs::create_directory(unfinished);
    const std::vector<TrainedTensor> tensors = model.trainer().tensors();
    std::vector<TensorEntry> entries;
    for (const TrainedTensor& tensor : tensors) {
        for (const auto& [part, suffix] : kParts) entries.push_back({tensor.name + suffix, "F32", tensor.shape});
    }
    const auto produce = [&](std::size_t index) {
        return model.read_bytes(index / std::size(kParts), kParts[index % std::size(kParts)].first);
    };
    write_safetensors(unfinished, entries, {}, std::uint64_t{1} << 62U, produce);
    json object = state_json(state);
    object["format"] = kFormat;
    object["task"] = train_task_name(identity.task);
    object["model_sha256"] = identity.model_sha256;
    object["model_files"] = identity.model_files;
    object["train_sha256"] = identity.train_sha256;
    object["eval_sha256"] = identity.eval_sha256;
    object["config"] = json::parse(trainer_config_json(identity.config));
    object["tensors_checksum"] = file_checksum(unfinished / "model.safetensors");
    object["checksum"] = own_checksum(object);
    const std::string text = object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
    AtomicFile file(unfinished / "state.json");
    file.write(std::as_bytes(std::span(text)));
    file.commit();
    fs::remove_all(target);  // the same step, written before a stop
    fs::rename(unfinished, target);
    sync_folder(folder);
}

std::vector<std::uint64_t> list_checkpoints(const fs::path& folder) {
    std::vector<std::uint64_t> steps;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
        const std::string name = entry.path().filename().string();
        if (!name.starts_with(kPrefix)) continue;
        std::uint64_t step = 0;
        const char* end = name.data() + name.size();
        const auto [rest, error] = std::from_chars(name.data() + kPrefix.size(), end, step);
        if (error == std::errc() && rest == end) steps.push_back(step);
    }
    std::sort(steps.begin(), steps.end());
    return steps;
}

RunState parse_run_state(std::string_view text, const std::string& file, const RunIdentity& identity) {
    const json object = read_object(text, file);
    check_identity(object, file, identity);
    return read_state(object, file);
}

RunState read_checkpoint(const fs::path& path, TrainedModel& model, const RunIdentity& identity) {
    const std::string file = (path / "state.json").string();
    const json object = read_object(fs::path(file));
    check_identity(object, file, identity);
    const RunState state = read_state(object, file);
    const auto tensors = open_tensors(path, object);
    for (std::size_t index = 0; index < model.trainer().tensors().size(); ++index) {
        for (const auto& [part, suffix] : kParts) read_part(*tensors, model, index, part, suffix);
    }
    return state;
}

std::optional<RunState> read_newest_checkpoint(const fs::path& folder, TrainedModel& model, const RunIdentity& identity,
                                               std::vector<std::string>& warnings) {
    std::vector<std::uint64_t> steps = list_checkpoints(folder);
    for (; !steps.empty(); steps.pop_back()) {
        try {
            return read_checkpoint(checkpoint_path(folder, steps.back()), model, identity);
        } catch (const Error& error) {
            // A damaged one is no reason to lose those before it.
            const bool damaged = error.code() == Code::kCorrupt || error.code() == Code::kNotFound;
            if (!damaged) throw;
            if (steps.size() == 1)
                fail(error.code(), "{}; there is no older checkpoint: begin anew in another folder (output)", error.what());
            warnings.push_back(fmt::format("{}; the run goes on from an older checkpoint", error.what()));
            log(LogLevel::kWarning, "{}", warnings.back());
        }
    }
    return std::nullopt;
}

void read_checkpoint_values(const fs::path& path, TrainedModel& model) {
    const auto tensors = open_tensors(path, read_object(path / "state.json"));
    for (std::size_t index = 0; index < model.trainer().tensors().size(); ++index)
        read_part(*tensors, model, index, TrainedPart::kValue, "");
}

void prune_checkpoints(const fs::path& folder, const std::vector<std::uint64_t>& kept) {
    std::error_code ignored;
    std::vector<fs::path> gone;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
        const std::string name = entry.path().filename().string();
        if (name.starts_with(kPrefix) && name.ends_with(".unfinished")) gone.push_back(entry.path());
    }
    for (const std::uint64_t step : list_checkpoints(folder)) {
        if (std::find(kept.begin(), kept.end(), step) == kept.end()) gone.push_back(checkpoint_path(folder, step));
    }
    for (const fs::path& path : gone) {
        // A folder half removed must not look whole.
        fs::path going = path;
        if (!going.string().ends_with(".unfinished")) {
            going += ".unfinished";
            fs::rename(path, going, ignored);
        }
        fs::remove_all(going, ignored);
    }
}

}  // namespace rag::core
