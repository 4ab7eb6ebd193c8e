#include "train/config.hpp"

#include <array>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <set>

#include "core/error.hpp"
#include "train/data/json_value.hpp"
#include "train/schedule.hpp"

namespace rag::core {
namespace {

using json = JsonValue;

constexpr std::array kTasks = {"causal_lm", "classification", "contrastive", "rerank", "distill", "masked_lm"};

/// Shows `visit` each field with its name, in their order. One list for reading, writing and comparing.
template <typename Config, typename Visit>
void visit_fields(Config& c, Visit visit) {
    visit("method", c.method);
    visit("r", c.r);
    visit("alpha", c.alpha);
    visit("rslora", c.rslora);
    visit("lora_dropout", c.lora_dropout);
    visit("target_modules", c.target_modules);
    visit("base_dtype", c.base_dtype);
    visit("dtype", c.dtype);
    visit("freeze_embeddings", c.freeze_embeddings);
    visit("freeze_layers", c.freeze_layers);
    visit("recompute_layers", c.recompute_layers);
    visit("fake_int8", c.fake_int8);
    visit("epochs", c.epochs);
    visit("max_steps", c.max_steps);
    visit("max_minutes", c.max_minutes);
    visit("learning_rate", c.learning_rate);
    visit("schedule", c.schedule);
    visit("warmup_ratio", c.warmup_ratio);
    visit("warmup_steps", c.warmup_steps);
    visit("weight_decay", c.weight_decay);
    visit("beta1", c.beta1);
    visit("beta2", c.beta2);
    visit("epsilon", c.epsilon);
    visit("max_grad_norm", c.max_grad_norm);
    visit("dropout", c.dropout);
    visit("batch_size", c.batch_size);
    visit("batch_tokens", c.batch_tokens);
    visit("accumulation", c.accumulation);
    visit("micro_tokens", c.micro_tokens);
    visit("shuffle", c.shuffle);
    visit("seed", c.seed);
    visit("max_tokens", c.max_tokens);
    visit("long_texts", c.long_texts);
    visit("labels", c.labels);
    visit("scale", c.scale);
    visit("rerank_loss", c.rerank_loss);
    visit("negatives", c.negatives);
    visit("teacher", c.teacher);
    visit("temperature", c.temperature);
    visit("hard_weight", c.hard_weight);
    visit("keep_layers", c.keep_layers);
    visit("mask_ratio", c.mask_ratio);
    visit("eval_steps", c.eval_steps);
    visit("save_steps", c.save_steps);
    visit("keep", c.keep);
    visit("metric", c.metric);
    visit("patience", c.patience);
    visit("output", c.output);
    visit("save", c.save);
    visit("save_dtype", c.save_dtype);
    visit("resume", c.resume);
    visit("threads", c.threads);
    visit("device", c.device);
}

[[noreturn]] void wrong(const char* name, const char* expected, const json& found) {
    fail(Code::kInvalidArgument, "{} must be {}, it is {}", name, expected,
         quote(found.dump(-1, ' ', false, json::error_handler_t::replace)));
}

void read(const char* name, const json& value, std::string& out) {
    if (value.is_null()) return;
    if (!value.is_string()) wrong(name, "a text", value);
    out = value.get<std::string>();
}
void read(const char* name, const json& value, bool& out) {
    if (!value.is_boolean()) wrong(name, "true or false", value);
    out = value.get<bool>();
}
void read(const char* name, const json& value, double& out) {
    if (!value.is_number() || !std::isfinite(value.get<double>())) wrong(name, "a number", value);
    out = value.get<double>();
}
void read(const char* name, const json& value, std::uint64_t& out) {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > std::uint64_t{1} << 53U)
        wrong(name, "a whole number from 0 to 2^53", value);
    out = value.get<std::uint64_t>();
}
void read(const char* name, const json& value, std::int64_t& out) {
    std::uint64_t number = 0;
    read(name, value, number);
    out = static_cast<std::int64_t>(number);
}
template <typename T>
void read(const char* name, const json& value, std::vector<T>& out) {
    out.clear();
    if (value.is_null()) return;
    if (value.is_string()) {  // one alone: target_modules="all-linear"
        if constexpr (std::is_same_v<T, std::string>) return out.push_back(value.get<std::string>());
    }
    if (!value.is_array()) wrong(name, "a list", value);
    for (const json& item : value) read(name, item, out.emplace_back());
}

void check_one_of(const char* name, const std::string& value, std::initializer_list<const char*> known) {
    std::string list;
    for (const char* one : known) {
        if (value == one) return;
        list += (list.empty() ? "" : ", ") + quote(one);
    }
    fail(Code::kInvalidArgument, "{} is {}, it must be one of {}", name, quote(value), list);
}

void check_range(const char* name, double value, double least, double most) {
    if (!(value >= least && value <= most))
        fail(Code::kInvalidArgument, "{} is {}, it must be from {} to {}", name, value, least, most);
}

void check(const TrainerConfig& c) {
    constexpr double kHuge = 1e15;
    check_one_of("method", c.method, {"lora", "full", "qlora"});
    check_one_of("base_dtype", c.base_dtype, {"int8", "int4"});
    check_one_of("dtype", c.dtype, {"bfloat16", "float32"});
    check_one_of("long_texts", c.long_texts, {"cut", "skip", "error"});
    check_one_of("rerank_loss", c.rerank_loss, {"listwise", "binary"});
    check_one_of("save", c.save, {"", "adapter", "merged", "both"});
    check_one_of("save_dtype", c.save_dtype, {"float32", "bfloat16", "float16"});
    parse_schedule(c.schedule);
    check_range("r", static_cast<double>(c.r), 1, 4096);
    check_range("alpha", c.alpha, 1e-6, 1e6);
    check_range("lora_dropout", c.lora_dropout, 0, 0.99);
    check_range("dropout", c.dropout, -1, 0.99);
    check_range("epochs", static_cast<double>(c.epochs), 1, 100'000);
    check_range("max_minutes", c.max_minutes, 0, 1e7);
    check_range("learning_rate", c.learning_rate, 0, 10);
    check_range("warmup_ratio", c.warmup_ratio, 0, 1);
    check_range("weight_decay", c.weight_decay, 0, 10);
    check_range("beta1", c.beta1, 0, 0.999999);
    check_range("beta2", c.beta2, 0, 0.999999999);
    check_range("epsilon", c.epsilon, 1e-20, 1);
    check_range("max_grad_norm", c.max_grad_norm, 0, kHuge);
    check_range("accumulation", static_cast<double>(c.accumulation), 1, 1e6);
    check_range("micro_tokens", static_cast<double>(c.micro_tokens), 1, 1e9);
    check_range("batch_size", static_cast<double>(c.batch_size), 0, 1e6);
    check_range("threads", static_cast<double>(c.threads), 0, 4096);
    check_range("scale", c.scale, 1e-6, 1e6);
    check_range("temperature", c.temperature, 0.01, 1000);
    check_range("hard_weight", c.hard_weight, 0, 1);
    check_range("mask_ratio", c.mask_ratio, 0.001, 0.9);
    check_range("negatives", static_cast<double>(c.negatives), 1, 1024);
    check_range("keep", static_cast<double>(c.keep), 1, 10'000);
    if (c.method != "full" && (c.freeze_embeddings || c.freeze_layers > 0))
        fail(Code::kInvalidArgument, "freeze_embeddings and freeze_layers belong to the method full; method is {}",
             quote(c.method));
    if (c.method == "full" && c.save == "adapter")
        fail(Code::kInvalidArgument, "save is \"adapter\", and the method full makes none");
    if (c.warmup_steps > 0 && c.warmup_ratio > 0 && c.warmup_ratio != TrainerConfig().warmup_ratio)
        fail(Code::kInvalidArgument, "warmup_steps is {} and warmup_ratio {}: give one of them", c.warmup_steps, c.warmup_ratio);
    if (c.labels.size() == 1)
        fail(Code::kInvalidArgument, "labels holds {} alone: there is nothing to tell apart", quote(c.labels.front()));
    std::set<std::string> seen;
    for (const std::string& label : c.labels) {
        if (!seen.insert(label).second) fail(Code::kInvalidArgument, "labels holds {} twice", quote(label));
    }
}

}  // namespace

TrainTask parse_train_task(std::string_view name) {
    std::string known;
    for (std::size_t i = 0; i < kTasks.size(); ++i) {
        if (name == kTasks[i]) return static_cast<TrainTask>(i);
        known += fmt::format("{}{}", known.empty() ? "" : ", ", kTasks[i]);
    }
    fail(Code::kInvalidArgument, "the task is {}, it must be one of {}", quote(name), known);
}

std::string_view train_task_name(TrainTask task) {
    return kTasks.at(static_cast<std::size_t>(task));
}

TrainerConfig parse_trainer_config(std::string_view text) {
    TrainerConfig config;
    const std::optional<json> object = text.empty() ? json::object() : parse_value(text);
    if (!object || !object->is_object()) fail(Code::kInvalidArgument, "the settings of a training are no JSON object");
    std::set<std::string> known;
    visit_fields(config, [&](const char* name, auto& field) {
        known.insert(name);
        if (const auto found = object->find(name); found != object->end()) read(name, *found, field);
    });
    for (const auto& item : object->items()) {
        if (known.contains(item.key())) continue;
        std::string names;
        for (const std::string& name : known) names += (names.empty() ? "" : ", ") + name;
        fail(Code::kInvalidArgument, "{} is no setting of a training; there are {}", quote(item.key()), names);
    }
    check(config);
    return config;
}

std::string trainer_config_json(const TrainerConfig& config) {
    json object = json::object();
    visit_fields(config, [&](const char* name, const auto& field) { object[name] = field; });
    return object.dump(2, ' ', false, json::error_handler_t::replace);
}

bool writes_model(const TrainerConfig& config, TrainTask task) {
    const bool head = task == TrainTask::kClassification || task == TrainTask::kRerank;
    // The head of masked_lm is no layer of PEFT's folders, and an adapter of a student would name layers that the base has under
    // other numbers.
    return config.method == "full" || task == TrainTask::kMaskedLm || !config.keep_layers.empty() || config.save == "merged" ||
           config.save == "both" || (config.save.empty() && head);
}

std::vector<std::string> config_differences(const TrainerConfig& one, const TrainerConfig& other) {
    static const std::set<std::string> kFree = {"output", "resume", "keep", "save", "save_dtype", "max_minutes", "threads"};
    const json a = json::parse(trainer_config_json(one));
    const json b = json::parse(trainer_config_json(other));
    std::vector<std::string> names;
    for (const auto& item : a.items()) {
        if (!kFree.contains(item.key()) && item.value() != b[item.key()]) names.push_back(item.key());
    }
    return names;
}

}  // namespace rag::core
