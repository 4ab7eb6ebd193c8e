// The settings of a training run, and their JSON: one object with the members below, which is what C, Python, the command line
// and manifests all speak. Values; thread-safe as values are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rag::core {

enum class TrainTask : std::uint32_t { kCausalLm, kClassification, kContrastive, kRerank, kDistill, kMaskedLm };

/// "causal_lm", "classification", "contrastive", "rerank", "distill", "masked_lm". Throws kInvalidArgument for another.
TrainTask parse_train_task(std::string_view name);
std::string_view train_task_name(TrainTask task);

/// Members of the JSON have the names of the fields. Where a field says so, 0 or an empty text stands for what suits the task and
/// the method.
struct TrainerConfig {
    // Method.
    std::string method = "lora";  // "lora", "full", "qlora" (LoRA over a base in base_dtype)
    std::int64_t r = 16;          // rank of the pairs
    double alpha = 32.0;          // their scale is alpha / r, or alpha / sqrt(r) with rslora
    bool rslora = false;
    double lora_dropout = 0.0;
    std::vector<std::string> target_modules = {};  // last parts of names; "all-linear": every layer; empty: queries and values
    std::string base_dtype = "int4";               // of qlora: "int8", "int4"
    std::string dtype = "bfloat16";                // of products: "bfloat16", "float32"; masters, norms and sums are float32
    bool freeze_embeddings = false;                // full
    std::int64_t freeze_layers = 0;                // full: so many first layers stay as they are
    bool recompute_layers = false;                 // activations are computed again instead of being kept: less memory, slower
    bool fake_int8 = false;                        // quantisation-aware: for a model that will run in int8

    // Length of the run: whichever comes first.
    std::uint64_t epochs = 3;
    std::uint64_t max_steps = 0;  // 0: no limit
    double max_minutes = 0.0;     // 0: no limit; a run that reaches it ends as if it were done

    // Steps.
    double learning_rate = 0.0;       // highest; 0: 2e-4, with method full 5e-5
    std::string schedule = "linear";  // "linear", "cosine", "constant"
    double warmup_ratio = 0.1;        // of all steps
    std::uint64_t warmup_steps = 0;   // instead of the ratio
    double weight_decay = 0.01;       // AdamW; biases and norms do not decay
    double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
    double max_grad_norm = 1.0;      // 0: gradients are not clipped
    double dropout = -1.0;           // below 0: 0.1 for encoders, 0 for decoders
    std::uint64_t batch_size = 0;    // examples; 0: 8 (causal_lm), 64 (contrastive), 32, or no limit where batch_tokens is given
    std::uint64_t batch_tokens = 0;  // tokens of a batch at most; 0: no limit
    std::uint64_t accumulation = 1;  // batches a step
    std::uint64_t micro_tokens = 4096;  // tokens computed at once: memory, not results, depends on it
    bool shuffle = true;                // batches of random texts of about one length; false: in the order of the data
    std::uint64_t seed = 42;

    // Texts.
    std::uint64_t max_tokens = 0;          // longest text; 0: 1024 (causal_lm), else what the model takes
    std::string long_texts = "cut";        // "cut", "skip" (and count), "error"
    std::vector<std::string> labels = {};  // classification, in the order of their numbers; empty: those of the data

    // Losses.
    double scale = 20.0;                         // contrastive: of the cosines
    std::string rerank_loss = "listwise";        // "listwise": softmax over a positive and its negatives; "binary": cross entropy
    std::uint64_t negatives = 4;                 // rerank: drawn from other rows where a row has none
    std::string teacher = {};                    // distill: its folder or file
    double temperature = 2.0;                    // distill, decoders
    double hard_weight = 0.5;                    // distill, decoders: of the data's own tokens beside the teacher
    std::vector<std::int64_t> keep_layers = {};  // distill, encoders: layers of `model` that the student is made of; empty: all
    double mask_ratio = 0.15;                    // masked_lm

    // Evaluation and checkpoints.
    std::uint64_t eval_steps = 0;  // 0: after each epoch
    std::uint64_t save_steps = 0;  // 0: when evaluated, or after each epoch
    std::uint64_t keep = 1;        // best checkpoints that stay, beside the newest
    std::string metric = {};       // by which checkpoints are compared; empty: the task's
    std::uint64_t patience = 0;    // evaluations without a better metric before the run ends; 0: it does not end early

    // Where and with what.
    std::string output = {};             // folder of the run
    std::string save = {};               // "adapter", "merged", "both"; empty: adapter, and of rerank and classification both
    std::string save_dtype = "float32";  // of a merged or full model: "float32", "bfloat16", "float16"
    bool resume = false;                 // goes on from the newest checkpoint in `output`, if there is one
    std::uint64_t threads = 0;           // 0: as many as the process may use
    std::string device = "cpu";
};

/// `json`: an object; members that are not there, and texts and lists that are null, keep their defaults. Throws kInvalidArgument
/// naming the member: unknown, of another type, outside its range, or contradicting another.
TrainerConfig parse_trainer_config(std::string_view json);
/// All members, in the order above.
std::string trainer_config_json(const TrainerConfig& config);

/// Whether a run writes a whole model, not an adapter alone.
bool writes_model(const TrainerConfig& config, TrainTask task);

/// Names of members in which two runs differ whose weights depend on them: all but output, resume, keep, save, save_dtype,
/// max_minutes and threads.
std::vector<std::string> config_differences(const TrainerConfig& one, const TrainerConfig& other);

}  // namespace rag::core
