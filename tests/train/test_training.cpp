// Whole runs of the hand-written model: each task learns, batches and accumulation are what they say, what goes wrong stops the
// run with its step and its rows, and bad settings and data are found before the first step.
#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>

#include "require_error.hpp"
#include "train/schedule.hpp"
#include "training_runs.hpp"

using namespace rag::core;
using rag::test::FakeTrainingBackend;
using rag::test::fixture;
using rag::test::labelled_rows;
using rag::test::request_of;
using rag::test::require_error;
using rag::test::rows_of;
using rag::test::TemporaryFolder;
using rag::test::tensors_of;
using json = nlohmann::json;

namespace {

const std::string kFull = R"({"method":"full","learning_rate":0.02,"epochs":4,"batch_size":8,"dropout":0,"weight_decay":0})";

std::string with(const std::string& config, const std::string& more) {
    json object = json::parse(config);
    object.update(json::parse(more));
    return object.dump();
}

std::string chats() {
    std::string lines;
    for (int i = 0; i < 12; ++i)
        lines += R"({"messages":[{"role":"user","content":"say )" + std::to_string(i % 3) +
                 R"("},{"role":"assistant","content":"yes"}]})" + "\n";
    return lines;
}

std::string questions() {
    std::string lines;
    const char* topics[] = {"red", "green", "blue", "house", "water", "time"};
    for (int i = 0; i < 24; ++i) {
        const std::string topic = topics[i % 6];
        lines += R"({"query":"what is )" + topic + R"(?","positive":")" + topic + " is good " + std::to_string(i) +
                 R"(","negatives":["no )" + std::string(topics[(i + 1) % 6]) + R"("]})" + "\n";
    }
    return lines;
}

}  // namespace

TEST_CASE("classification learns, and writes a folder that is a classifier") {
    const auto model = fixture("tiny_bert");
    RAG_NEEDS(model);
    const TemporaryFolder folder;
    const TrainingRows train = labelled_rows(60), eval = labelled_rows(30);
    FakeTrainingBackend backend;
    TrainRequest request =
        request_of(model, TrainTask::kClassification, with(kFull, R"({"epochs":12})"), folder / "run", train, backend);
    request.eval = &eval;
    std::vector<std::uint64_t> steps;
    std::size_t evaluations = 0;
    const TrainObserver observer = {[&](const StepReport& report) {
                                        if (report.metrics == nullptr) steps.push_back(report.step);
                                        evaluations += report.metrics != nullptr;
                                        return true;
                                    },
                                    {}};
    const TrainOutcome outcome = run_training(request, observer);
    CHECK(outcome.before.at("accuracy") < 0.7);
    CHECK(outcome.metrics.at("accuracy") == 1.0);
    CHECK(outcome.metrics.at("macro_f1") == 1.0);
    CHECK(outcome.ended == "done");
    CHECK(outcome.step == 96);  // ceil(60 / 8) * 12
    CHECK(steps.size() == 96);
    CHECK(steps.front() == 1);
    CHECK(evaluations == 13);
    const json config = json::parse(rag::test::read_file(outcome.path / "config.json"));
    CHECK(config["architectures"][0] == "BertForSequenceClassification");
    CHECK(config["id2label"] == json({{"0", "blue"}, {"1", "green"}, {"2", "red"}}));
    CHECK_FALSE(std::filesystem::exists(outcome.path / "modules.json"));
    const EncoderFiles files = read_classifier_folder(outcome.path);
    CHECK(files.labels == std::vector<std::string>{"blue", "green", "red"});
    const auto tensors = tensors_of(outcome.path / "model.safetensors");
    CHECK(tensors.contains("bert.embeddings.word_embeddings.weight"));
    CHECK(tensors.contains("bert.pooler.dense.weight"));
    CHECK(tensors.contains("classifier.weight"));
    const json history = json::parse(outcome.history);
    CHECK(history.size() == 109);
    CHECK(history[1]["loss"].get<double>() > history[107]["loss"].get<double>());
    CHECK(json::parse(rag::test::read_file(outcome.manifest))["train"]["rows"] == 60);
    // The same again, bit for bit; another seed differs.
    request.config.output = (folder / "again").string();
    CHECK(tensors_of(run_training(request, {}).path / "model.safetensors") == tensors);
    request.config.output = (folder / "other").string();
    request.config.seed = 43;
    CHECK(tensors_of(run_training(request, {}).path / "model.safetensors") != tensors);
}

TEST_CASE("tokens computed at once change rounding alone; batches put together by accumulation give the same step") {
    const auto model = fixture("tiny_bert");
    RAG_NEEDS(model);
    const TrainingRows train = labelled_rows(48), pairs = rows_of(questions());
    for (const TrainTask task : {TrainTask::kClassification, TrainTask::kContrastive, TrainTask::kRerank}) {
        CAPTURE(train_task_name(task));
        const TemporaryFolder folder;
        FakeTrainingBackend backend;
        const TrainingRows& rows = task == TrainTask::kClassification ? train : pairs;
        const auto losses = [&](const std::string& name, const std::string& config) {
            const TrainOutcome outcome =
                run_training(request_of(model, task, with(kFull, config), folder / name, rows, backend), {});
            std::vector<double> out;
            for (const json& line : json::parse(outcome.history)) out.push_back(line["loss"].get<double>());
            return out;
        };
        const std::vector<double> whole = losses("whole", "{}");
        const std::vector<double> parts = losses("parts", R"({"micro_tokens":7})");
        REQUIRE(whole.size() == parts.size());
        for (std::size_t i = 0; i < whole.size(); ++i) CHECK(parts[i] == Approx(whole[i]).epsilon(2e-3));
        if (task != TrainTask::kClassification) continue;  // where a batch is more than the sum of its rows
        const std::vector<double> gathered = losses("gathered", R"({"batch_size":4,"accumulation":2,"epochs":1})");
        CHECK(gathered.size() == 6);
    }
}

TEST_CASE("without shuffling every epoch takes the rows in their order") {
    const auto model = fixture("tiny_bert");
    RAG_NEEDS(model);
    const TrainingRows train = labelled_rows(9);
    const auto losses = [&](const std::string& config) {
        const TemporaryFolder folder;
        FakeTrainingBackend backend;
        // A rate that moves nothing: a step's loss tells its row.
        const std::string still = R"({"epochs":2,"batch_size":1,"learning_rate":1e-30,"dropout":0})";
        const TrainOutcome outcome =
            run_training(request_of(model, TrainTask::kClassification, with(still, config), folder / "run", train, backend), {});
        std::vector<double> out;
        for (const json& line : json::parse(outcome.history)) out.push_back(line["loss"].get<double>());
        return out;
    };
    const std::vector<double> kept = losses(R"({"shuffle":false})"), mixed = losses("{}");
    REQUIRE(kept.size() == 18);
    CHECK(std::vector(kept.begin(), kept.begin() + 9) == std::vector(kept.begin() + 9, kept.end()));
    CHECK(std::vector(mixed.begin(), mixed.begin() + 9) != std::vector(mixed.begin() + 9, mixed.end()));
    CHECK(kept[0] != kept[1]);
}

TEST_CASE("causal_lm learns answers alone, and plain texts; its adapter has PEFT's names") {
    const auto model = fixture("tiny_llama");
    RAG_NEEDS(model);
    const TemporaryFolder folder;
    const TrainingRows train = rows_of(chats());
    FakeTrainingBackend backend;
    const std::string config = R"({"learning_rate":0.05,"epochs":8,"batch_size":4,"r":4,"alpha":8})";
    TrainRequest request = request_of(model, TrainTask::kCausalLm, config, folder / "run", train, backend);
    request.eval = &train;
    const TrainOutcome outcome = run_training(request, {});
    CHECK(outcome.metrics.at("eval_loss") < 0.8 * outcome.before.at("eval_loss"));
    CHECK(outcome.metrics.at("perplexity") == Approx(std::exp(outcome.metrics.at("eval_loss"))));
    CHECK(outcome.path == folder / "run" / "adapter");
    const auto tensors = tensors_of(outcome.path / "adapter_model.safetensors");
    CHECK(tensors.size() == 8);  // q and v of two layers, A and B
    CHECK(tensors.contains("base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight"));
    const json written = json::parse(rag::test::read_file(outcome.path / "adapter_config.json"));
    CHECK(written["task_type"] == "CAUSAL_LM");
    CHECK(written["target_modules"] == json({"q_proj", "v_proj"}));
    CHECK(written["r"] == 4);
    CHECK(written["lora_alpha"] == 8);
    CHECK(backend.options.pairs.front().scale == 2.0F);
    // A of uniform numbers within +-1/sqrt(64).
    const auto fresh = tensors.at("base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight");
    CHECK(*std::max_element(fresh.begin(), fresh.end()) < 0.2F);

    const TrainingRows texts = rows_of("{\"text\":\"one two three\"}\n{\"text\":\"one two four\"}\n", RowKind::kText);
    request.train = &texts;
    request.eval = &texts;
    request.config.output = (folder / "texts").string();
    CHECK(run_training(request, {}).metrics.at("eval_loss") < outcome.before.at("eval_loss"));
}

TEST_CASE("contrastive and rerank learn an order, masked_lm what is missing") {
    const auto model = fixture("tiny_bert");
    RAG_NEEDS(model);
    const TrainingRows pairs = rows_of(questions());
    FakeTrainingBackend backend;
    const TemporaryFolder folder;
    TrainRequest request = request_of(model, TrainTask::kContrastive, kFull, folder / "contrastive", pairs, backend);
    request.eval = &pairs;
    TrainOutcome outcome = run_training(request, {});
    CHECK(outcome.metrics.at("eval_loss") < outcome.before.at("eval_loss"));
    CHECK(outcome.metrics.at("ndcg@10") >= outcome.before.at("ndcg@10"));
    CHECK(std::filesystem::exists(outcome.path / "modules.json"));
    CHECK(read_encoder_folder(outcome.path).normalize);
    for (const std::string loss : {"listwise", "binary"}) {
        request = request_of(model, TrainTask::kRerank, with(kFull, R"({"epochs":8,"rerank_loss":")" + loss + "\"}"),
                             folder / loss, pairs, backend);
        request.eval = &pairs;
        outcome = run_training(request, {});
        CHECK(outcome.metrics.at("eval_loss") < outcome.before.at("eval_loss"));
        CHECK(read_classifier_folder(outcome.path).labels.size() == 1);
    }
    const TrainingRows texts =
        rows_of("{\"text\":\"red house red house\"}\n{\"text\":\"blue water blue water\"}\n", RowKind::kText);
    request = request_of(model, TrainTask::kMaskedLm, with(kFull, R"({"epochs":30,"mask_ratio":0.4})"), folder / "masked", texts,
                         backend);
    request.eval = &texts;
    outcome = run_training(request, {});
    CHECK(outcome.metrics.at("eval_loss") < outcome.before.at("eval_loss"));
    CHECK(tensors_of(outcome.path / "model.safetensors").contains("cls.predictions.transform.LayerNorm.weight"));
    CHECK(json::parse(rag::test::read_file(outcome.path / "config.json"))["architectures"][0] == "BertForMaskedLM");
}

TEST_CASE("a merged model is the base with scale * B A added; a classifier's adapter saves its head") {
    const auto model = fixture("tiny_bert");
    RAG_NEEDS(model);
    const TemporaryFolder folder;
    const TrainingRows train = labelled_rows(24);
    FakeTrainingBackend backend;
    const std::string config =
        R"({"learning_rate":0.05,"r":2,"alpha":6,"rslora":true,"save":"both","dropout":0,"target_modules":["query"]})";
    const TrainOutcome outcome =
        run_training(request_of(model, TrainTask::kClassification, config, folder / "run", train, backend), {});
    const auto adapter = tensors_of(folder / "run/adapter/adapter_model.safetensors");
    const auto merged = tensors_of(outcome.path / "model.safetensors");
    const auto base = tensors_of(model / "model.safetensors");
    const std::string layer = "encoder.layer.0.attention.self.query";
    const auto& a = adapter.at("base_model.model.bert." + layer + ".lora_A.weight");
    const auto& b = adapter.at("base_model.model.bert." + layer + ".lora_B.weight");
    const auto& before = base.at(layer + ".weight");
    const auto& after = merged.at("bert." + layer + ".weight");
    double moved = 0;
    for (std::size_t o = 0; o < 32; ++o) {
        for (std::size_t i = 0; i < 32; ++i) {
            double sum = before[o * 32 + i];
            for (std::size_t r = 0; r < 2; ++r) sum += 6.0 / std::sqrt(2.0) * b[o * 2 + r] * a[r * 32 + i];
            CHECK(after[o * 32 + i] == Approx(sum).margin(1e-6));
            moved += std::abs(after[o * 32 + i] - before[o * 32 + i]);
        }
    }
    CHECK(moved > 0.01);
    CHECK(adapter.contains("base_model.model.classifier.weight"));
    CHECK(adapter.at("base_model.model.classifier.weight") == merged.at("classifier.weight"));
    const json written = json::parse(rag::test::read_file(folder / "run/adapter/adapter_config.json"));
    CHECK(written["task_type"] == "SEQ_CLS");
    CHECK(written["use_rslora"] == true);
    CHECK(written["modules_to_save"].back() == "classifier");
}

TEST_CASE("a loss that is no number, or runs away, stops the run and names step and rows") {
    const auto model = fixture("tiny_bert");
    RAG_NEEDS(model);
    const TemporaryFolder folder;
    const TrainingRows train = labelled_rows(60);
    FakeTrainingBackend backend;
    backend.faults->nan_loss_at = 3;
    require_error(Code::kInvalidState, {"step 4", "the loss is nan", "rows.jsonl", "lines "}, [&] {
        run_training(request_of(model, TrainTask::kClassification, kFull, folder / "nan", train, backend), {});
    });
    for (const int first : {5, 20}) {  // also in the first steps
        FakeTrainingBackend other;
        other.faults->blow_up_from = first;
        require_error(Code::kInvalidState, {"runs away", "rows.jsonl"}, [&] {
            run_training(request_of(model, TrainTask::kClassification, with(kFull, R"({"epochs":20})"),
                                    folder / ("away" + std::to_string(first)), train, other),
                         {});
        });
    }
}

TEST_CASE("a run replaces nothing that no run made") {
    const auto model = fixture("tiny_bert");
    RAG_NEEDS(model);
    const TemporaryFolder folder;
    const TrainingRows train = labelled_rows(60);
    FakeTrainingBackend backend;
    std::filesystem::create_directories(folder / "mine");
    std::filesystem::copy(model, folder / "mine" / "model", std::filesystem::copy_options::recursive);
    const auto refused = [&](const std::filesystem::path& output, const std::string& part) {
        require_error(Code::kAlreadyExists, {part, "another"}, [&] {
            run_training(request_of(folder / "mine" / "model", TrainTask::kClassification, kFull, output, train, backend), {});
        });
    };
    refused(folder / "mine", "\"model\" that no run made");
    refused(folder / "mine" / "model", "the model's own folder");
    refused(folder / "mine" / "model" / "1_Pooling", "a part of the model");
    refused(folder / "mine" / "model" / "1_Pooling" / "runs" / "first", "a part of the model");
    refused(folder / "mine" / "model" / "runs" / ".." / "1_Pooling" / "first", "a part of the model");
    CHECK(!std::filesystem::exists(folder / "mine" / "model" / "1_Pooling" / "manifest.json"));
    CHECK(!std::filesystem::exists(folder / "mine" / "model" / "1_Pooling" / "runs"));
    for (const auto& file : std::filesystem::recursive_directory_iterator(model))
        CHECK(std::filesystem::exists(folder / "mine" / "model" / std::filesystem::relative(file.path(), model)));
    CHECK(!std::filesystem::exists(folder / "mine" / "manifest.json"));
    CHECK(!std::filesystem::exists(folder / "mine" / "model" / "manifest.json"));
}

TEST_CASE("a run deletes and replaces no file that another program made") {
    const auto model = fixture("tiny_bert");
    RAG_NEEDS(model);
    const TrainingRows train = labelled_rows(60);
    FakeTrainingBackend backend;
    const std::string resumed = with(kFull, R"({"resume":true})");
    for (const std::string name :
         {"checkpoints/checkpoint-500/weights.bin", "checkpoints/mine.bin", "metrics.jsonl", "manifest.json"}) {
        const TemporaryFolder folder;
        std::filesystem::create_directories((folder / "out" / name).parent_path());
        rag::test::write_file(folder / "out" / name, "{\"mine\":1}\n");
        for (const std::string& config : {kFull, resumed}) {
            INFO(name << " " << config);
            require_error(Code::kAlreadyExists, {name.substr(0, name.find('/')), "no run made", "another folder"}, [&] {
                run_training(request_of(model, TrainTask::kClassification, config, folder / "out", train, backend), {});
            });
            CHECK(rag::test::read_file(folder / "out" / name) == "{\"mine\":1}\n");
        }
    }
    // A run that fails before its first checkpoint takes back what it made itself, and nothing that came meanwhile.
    const TemporaryFolder folder;
    std::filesystem::create_directories(folder / "out" / "checkpoints");
    rag::test::write_file(folder / "out" / "notes.txt", "x");
    backend.faults->nan_loss_at = 3;
    const auto fails = [&](FakeTrainingBackend& failing, const TrainObserver& observer) {
        require_error(Code::kInvalidState, {"step 4"}, [&] {
            run_training(request_of(model, TrainTask::kClassification, kFull, folder / "out", train, failing), observer);
        });
        for (const char* name : {"manifest.json", "metrics.jsonl"}) CHECK(!std::filesystem::exists(folder / "out" / name));
    };
    fails(backend, {});
    CHECK(std::filesystem::exists(folder / "out" / "notes.txt"));
    CHECK(!std::filesystem::exists(folder / "out" / "checkpoints"));
    const auto mine = folder / "out" / "checkpoints" / "mine.bin";
    const auto add_mine = [&](const StepReport&) {
        std::filesystem::create_directories(mine.parent_path());
        rag::test::write_file(mine, "x");
        return true;
    };
    FakeTrainingBackend other;
    other.faults->nan_loss_at = 3;
    fails(other, {add_mine, [] { return true; }});
    CHECK(rag::test::read_file(mine) == "x");
}

TEST_CASE("limits end a run in good order: steps, minutes, patience") {
    const auto model = fixture("tiny_bert");
    RAG_NEEDS(model);
    const TemporaryFolder folder;
    const TrainingRows train = labelled_rows(60);
    FakeTrainingBackend backend;
    CHECK(run_training(
              request_of(model, TrainTask::kClassification, with(kFull, R"({"max_steps":5})"), folder / "a", train, backend), {})
              .step == 5);
    const TrainObserver slow = {[](const StepReport&) {
                                    std::this_thread::sleep_for(std::chrono::milliseconds(20));
                                    return true;
                                },
                                {}};
    const TrainOutcome quick = run_training(
        request_of(model, TrainTask::kClassification, with(kFull, R"({"max_minutes":0.001})"), folder / "b", train, backend),
        slow);
    CHECK(quick.ended == "max_minutes");
    CHECK(quick.step >= 1);
    CHECK(quick.step < 32);
    TrainRequest request =
        request_of(model, TrainTask::kClassification, with(kFull, R"({"epochs":50,"patience":2,"eval_steps":4,"keep":2})"),
                   folder / "c", train, backend);
    request.eval = &train;
    const TrainOutcome patient = run_training(request, {});
    CHECK(patient.ended == "patience");
    CHECK(patient.step < 400);
    CHECK(patient.best_step == patient.step - 8);
    CHECK(std::filesystem::exists(patient.best_path / "state.json"));
    std::size_t kept = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder / "c/checkpoints")) kept += entry.is_directory();
    CHECK(kept == 3);  // the two best and the newest
}

TEST_CASE("settings and data are refused before the first step") {
    const auto bert = fixture("tiny_bert");
    RAG_NEEDS(bert);
    const auto llama = fixture("tiny_llama");
    RAG_NEEDS(llama);
    const TemporaryFolder folder;
    FakeTrainingBackend backend;
    const TrainingRows labelled = labelled_rows(9), chat = rows_of(chats());
    const auto refuse = [&](const std::filesystem::path& model, TrainTask task, const std::string& config,
                            const TrainingRows& rows, std::initializer_list<std::string> parts) {
        require_error(Code::kInvalidArgument, parts,
                      [&] { run_training(request_of(model, task, config, folder / "x", rows, backend), {}); });
        CHECK_FALSE(std::filesystem::exists(folder / "x"));
    };
    refuse(bert, TrainTask::kClassification, R"({"labels":["red","green"]})", labelled, {"rows.jsonl", "line 3", "\"blue\""});
    refuse(bert, TrainTask::kContrastive, "{}", labelled, {"labelled", "contrastive"});
    refuse(bert, TrainTask::kClassification, R"({"target_modules":["q_proj"]})", labelled, {"\"q_proj\"", "query"});
    refuse(bert, TrainTask::kClassification, R"({"max_tokens":6,"long_texts":"error"})", labelled,
           {"rows.jsonl", "line 1", "max_tokens"});
    refuse(bert, TrainTask::kClassification, R"({"method":"full","freeze_layers":9,"freeze_embeddings":true,"save":"adapter"})",
           labelled, {"adapter"});
    refuse(llama, TrainTask::kCausalLm, R"({"max_tokens":3})", chat, {"no answer within 3 tokens", "line 1"});
    refuse(bert, TrainTask::kMaskedLm, R"({"save":"adapter"})", rows_of(R"({"text":"a b"})", RowKind::kText), {"masked_lm"});
    // Those that have more tokens than max_tokens, and no others.
    std::vector<std::uint64_t> long_lines;
    const auto tokenizer = Tokenizer::from_pretrained(bert);
    for (const TrainingRow& row : labelled.rows)
        if (tokenizer->count_tokens(row.text) + 2 > 11) long_lines.push_back(row.line);
    REQUIRE(long_lines.size() > 1);
    REQUIRE(long_lines.size() < 8);
    const TrainOutcome skipped =
        run_training(request_of(bert, TrainTask::kClassification, R"({"max_tokens":11,"long_texts":"skip","epochs":1})",
                                folder / "y", labelled, backend),
                     {});
    CHECK(skipped.notes.skipped_count == long_lines.size());
    for (std::size_t i = 0; i < long_lines.size(); ++i) CHECK(skipped.notes.skipped[i].line == long_lines[i]);
    require_error(Code::kAlreadyExists, {"holds a run"},
                  [&] { run_training(request_of(bert, TrainTask::kClassification, "{}", folder / "y", labelled, backend), {}); });
    for (const auto& [config, part] : std::map<std::string, std::string>{{R"({"epoch":3})", "\"epoch\" is no setting"},
                                                                         {R"({"r":0})", "r is 0"},
                                                                         {R"({"r":"a"})", "r must be a whole number"},
                                                                         {R"({"schedule":"x"})", "schedule"},
                                                                         {R"({"labels":["a","a"]})", "twice"},
                                                                         {R"([1])", "no JSON object"},
                                                                         {R"({"freeze_layers":1})", "method full"}}) {
        require_error(Code::kInvalidArgument, {part}, [&] { parse_trainer_config(config); });
    }
    CHECK(trainer_config_json(parse_trainer_config(trainer_config_json(TrainerConfig()))) ==
          trainer_config_json(TrainerConfig()));
}

TEST_CASE("what would be taken silently is refused, and leaves nothing in the way of the corrected run") {
    const auto bert = fixture("tiny_bert");
    RAG_NEEDS(bert);
    const TemporaryFolder folder;
    FakeTrainingBackend backend;
    const TrainingRows train = labelled_rows(60);
    const auto refuse = [&](const std::string& config, std::initializer_list<std::string> parts,
                            const TrainingRows* eval = nullptr, Code code = Code::kInvalidArgument) {
        require_error(code, parts, [&] {
            TrainRequest request =
                request_of(bert, TrainTask::kClassification, with(kFull, config), folder / "x", train, backend);
            request.eval = eval;
            run_training(request, {});
        });
        CHECK_FALSE(std::filesystem::exists(folder / "x"));
    };
    refuse(R"({"metric":"acuracy"})", {"\"acuracy\"", "accuracy, macro_f1, eval_loss"}, &train);
    refuse(R"({"metric":"accuracy"})", {"metric", "no rows are held out"});
    refuse(R"({"patience":3})", {"patience is 3", "no rows are held out"});
    refuse(R"({"warmup_steps":1000000000000})", {"warmup_steps is 1000000000000", "32 steps"});
    refuse(R"({"eval_steps":7})", {"eval_steps is 7", "no rows are held out", "save_steps"});
    refuse(R"({"teacher":"somewhere"})", {"teacher is \"somewhere\"", "classification does not use it (distill does)", "labels"});
    refuse(R"({"hard_weight":0.2})", {"hard_weight is 0.2", "(distill does)"});
    refuse(R"({"temperature":3})", {"temperature is 3"});
    refuse(R"({"mask_ratio":0.3})", {"mask_ratio is 0.3", "(masked_lm does)"});
    refuse(R"({"scale":10})", {"scale is 10", "(contrastive does)"});
    refuse(R"({"negatives":2})", {"negatives is 2", "(rerank does)"});
    refuse(R"({"rerank_loss":"binary"})", {"rerank_loss is \"binary\""});
    refuse(R"({"r":8})", {"r is 8", "the method \"full\" does not use it", "freeze_embeddings, freeze_layers"});
    refuse(R"({"alpha":8})", {"alpha is 8"});
    refuse(R"({"target_modules":["query"]})", {"target_modules is [\"query\"]"});
    refuse(R"({"base_dtype":"int8"})", {"base_dtype is \"int8\""});
    require_error(Code::kInvalidArgument, {"base_dtype", "\"lora\"", "target_modules"}, [&] {
        run_training(request_of(bert, TrainTask::kClassification, R"({"base_dtype":"int8"})", folder / "x", train, backend), {});
    });
    require_error(Code::kInvalidArgument, {"labels is [\"a\",\"b\"]", "causal_lm", "it has no settings of its own"}, [&] {
        run_training(request_of(bert, TrainTask::kCausalLm, R"({"labels":["a","b"]})", folder / "x", train, backend), {});
    });
    const TrainingRows texts = rows_of(R"({"text":"a b c"})", RowKind::kText);
    require_error(Code::kInvalidArgument, {"hard_weight is 0.2", "learns its teacher's vectors", "keep_layers"}, [&] {
        run_training(request_of(bert, TrainTask::kDistill, R"({"hard_weight":0.2,"teacher":"x"})", folder / "x", texts, backend),
                     {});
    });
    CHECK_FALSE(std::filesystem::exists(folder / "x"));
    refuse(R"({"freeze_layers":99})", {"freeze_layers is 99", "2 layers"});
    refuse(R"({"max_minutes":1e-9})", {"max_minutes", "before the first step"});
    refuse(R"({"max_tokens":6,"long_texts":"error"})", {"rows.jsonl", "line 1", "max_tokens"}, &train);
    const TrainingRows alike = rows_of("{\"text\":\"a\",\"label\":\"red\"}\n{\"text\":\"b\",\"label\":\"blue\"}\n");
    TrainingRows one_class = alike;
    one_class.rows.pop_back();
    require_error(Code::kInvalidArgument, {"all 1 rows", "\"red\""}, [&] {
        run_training(
            request_of(bert, TrainTask::kClassification, R"({"labels":["red","blue"]})", folder / "x", one_class, backend), {});
    });
    backend.faults->nan_loss_at = backend.faults->passes;
    refuse("{}", {"step 1", "nan"}, nullptr, Code::kInvalidState);
    backend.faults->nan_loss_at = -1;

    for (const auto& [config, part] : std::map<std::string, std::string>{
             {R"({"r":null})", "r must be a whole number"},
             {R"({"alpha":null})", "alpha must be a number"},
             {R"({"epochs":null})", "epochs must be"},
             {R"({"warmup_steps":5,"warmup_ratio":0.2})", "warmup_steps is 5 and warmup_ratio 0.2: give one"},
             {R"({"labels":["a"]})", "nothing to tell apart"}}) {
        require_error(Code::kInvalidArgument, {part}, [&] { parse_trainer_config(config); });
    }
    CHECK(parse_trainer_config(R"({"target_modules":null,"metric":null})").metric.empty());
    CHECK(parse_trainer_config(R"({"warmup_steps":5,"warmup_ratio":0})").warmup_steps == 5);

    // Held-out rows that are too long are skipped and told like the others; all of them: there is nothing to evaluate.
    TrainRequest request =
        request_of(bert, TrainTask::kClassification, with(kFull, R"({"max_tokens":11,"long_texts":"skip","epochs":1})"),
                   folder / "x", train, backend);
    const TrainingRows eval = labelled_rows(9);
    request.eval = &eval;
    const TrainOutcome outcome = run_training(request, {});
    std::uint64_t of_train = 0;
    const auto tokenizer = Tokenizer::from_pretrained(bert);
    for (const TrainingRow& row : train.rows) of_train += tokenizer->count_tokens(row.text) + 2 > 11 ? 1U : 0U;
    CHECK(outcome.notes.skipped_count > of_train);
    // A single step learns too.
    CHECK(warmup_length(0, 0.1, 1) == 0);
    CHECK(warmup_length(0, 0.1, 2) == 1);
}

TEST_CASE("rows that teach nothing end the run instead of being called done") {
    const auto bert = fixture("tiny_bert");
    RAG_NEEDS(bert);
    const TemporaryFolder folder;
    FakeTrainingBackend backend;
    std::string lines;
    for (int i = 0; i < 30; ++i) lines += R"({"query":"what is red?","positive":"red is good )" + std::to_string(i) + "\"}\n";
    const TrainingRows rows = rows_of(lines);
    // Every document of a batch belongs to the only query, so that none is wrong.
    require_error(Code::kInvalidState, {"teach nothing", "lines"}, [&] {
        run_training(request_of(bert, TrainTask::kContrastive, R"({"batch_size":2,"epochs":3})", folder / "x", rows, backend),
                     {});
    });
    // Batches by tokens alone: the held-out loss needs a size of its own.
    const TrainingRows good = rows_of(questions());
    TrainRequest request =
        request_of(bert, TrainTask::kContrastive, R"({"batch_tokens":200,"epochs":1})", folder / "y", good, backend);
    request.eval = &good;
    CHECK(run_training(request, {}).metrics.contains("eval_loss"));
}

TEST_CASE("the manifest says how rows were read and where things lie") {
    const auto bert = fixture("tiny_bert");
    RAG_NEEDS(bert);
    const TemporaryFolder folder;
    FakeTrainingBackend backend;
    rag::test::write_file(folder / "data.csv", "question,intent\nred house,red\ngreen water,green\nred time,red\n");
    ReadRowsOptions options;
    options.columns.text = "question";
    options.columns.label = "intent";
    options.skip_bad_rows = true;
    const TrainingRows rows = read_rows(folder / "data.csv", options), held = labelled_rows(9);
    TrainRequest request =
        request_of(bert, TrainTask::kClassification, with(kFull, R"({"epochs":1})"), folder / "x", rows, backend);
    request.caller_json = R"({"python":"3.11"})";
    TrainingRows relative = rows;
    relative.source = std::filesystem::proximate(folder / "data.csv").string();
    request.train = &relative;
    const TrainOutcome outcome = run_training(request, {});
    const json said = json::parse(rag::test::read_file(outcome.manifest));
    CHECK(said["train"]["read"]["columns"] == json{{"text", "question"}, {"label", "intent"}});
    CHECK(said["train"]["read"]["on_bad_row"] == "skip");
    CHECK(said["train"]["in_memory"] == false);
    CHECK(said["train"]["from_manifest"] == "../data.csv");
    CHECK(said["caller"]["python"] == "3.11");
    CHECK_FALSE(said["backend"].get<std::string>().empty());
    CHECK_FALSE(said["model"].contains("from_manifest"));  // an absolute path stays one
    CHECK(held.in_memory);
    // Rows from memory have a name, not a place, even where a file has that name.
    TrainingRows named = held;
    named.source = relative.source;
    request.train = &named;
    request.config.output = (folder / "y").string();
    CHECK_FALSE(json::parse(rag::test::read_file(run_training(request, {}).manifest))["train"].contains("from_manifest"));
    request.caller_json = "[1]";
    require_error(Code::kInvalidArgument, {"JSON object"}, [&] { run_training(request, {}); });
}

TEST_CASE("frozen layers and targets are what is trained") {
    const auto model = fixture("tiny_bert");
    RAG_NEEDS(model);
    const TemporaryFolder folder;
    const TrainingRows train = labelled_rows(9);
    FakeTrainingBackend backend;
    const auto run = [&](const std::string& name, const std::string& config) {
        run_training(
            request_of(model, TrainTask::kClassification, with(config, R"({"epochs":1})"), folder / name, train, backend), {});
    };
    run("frozen", R"({"method":"full","freeze_layers":1,"freeze_embeddings":true})");
    for (const std::string& name : backend.options.tensors) {
        CHECK_FALSE(name.starts_with("embeddings."));
        CHECK_FALSE(name.starts_with("encoder.layer.0."));
    }
    CHECK(backend.options.tensors.size() == 16 + 4);
    run("all", R"({"target_modules":"all-linear","base_dtype":"int8","method":"qlora","save":"adapter"})");
    CHECK(backend.options.precision == Precision::kInt8);
    CHECK(backend.options.pairs.size() == 12);
    CHECK(backend.options.dropout == Approx(0.1F));
}
