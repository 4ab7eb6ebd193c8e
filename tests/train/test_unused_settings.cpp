// What becomes of settings that a run does not use: refused by name, or left out with a warning where that is asked for.
#include <array>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "require_error.hpp"
#include "train/unused_settings.hpp"
#include "training_runs.hpp"

using namespace rag::core;
using namespace rag::test;
using json = nlohmann::json;

namespace {

std::vector<std::string> unused_names(const std::string& config, TrainTask task) {
    std::vector<std::string> names;
    for (const UnusedSetting& setting : unused_settings(parse_trainer_config(config), task)) names.push_back(setting.name);
    return names;
}

}  // namespace

TEST_CASE("a dtype of a model that is not written is refused") {
    const auto bert = fixture("tiny_bert");
    RAG_NEEDS(bert);
    const TemporaryFolder folder;
    FakeTrainingBackend backend;
    const TrainingRows train = labelled_rows(60);
    using Names = std::vector<std::string>;
    for (const auto& [task, config] : {std::pair(TrainTask::kClassification, R"({"save":"adapter","save_dtype":"float16"})"),
                                       std::pair(TrainTask::kCausalLm, R"({"save_dtype":"float16"})"),
                                       std::pair(TrainTask::kContrastive, R"({"method":"qlora","save_dtype":"float16"})")}) {
        CHECK(unused_names(config, task) == Names{"save_dtype"});
        require_error(Code::kInvalidArgument, {"save_dtype is \"float16\"", "an adapter alone", "\"merged\" or \"both\""},
                      [&, task = task, config = config] {
                          run_training(request_of(bert, task, config, folder / "x", train, backend), {});
                      });
        CHECK_FALSE(std::filesystem::exists(folder / "x"));
        for (const char* save : {"both", "merged"}) {
            json written = json::parse(config);
            written["save"] = save;
            CHECK(unused_names(written.dump(), task).empty());
        }
    }
    const std::string alone = R"({"save_dtype":"float16"})";
    CHECK(unused_names(alone, TrainTask::kClassification).empty());
    CHECK(unused_names(alone, TrainTask::kRerank).empty());
    CHECK(unused_names(alone, TrainTask::kMaskedLm).empty());
    CHECK(unused_names(R"({"save_dtype":"float16","method":"full"})", TrainTask::kCausalLm).empty());
    CHECK(unused_names(R"({"save_dtype":"float16","keep_layers":[0]})", TrainTask::kDistill).empty());
    CHECK(unused_names(R"({"save_dtype":"float32","save":"adapter"})", TrainTask::kClassification).empty());
}

TEST_CASE("settings that are not used are left out with a warning where that is asked for") {
    const auto bert = fixture("tiny_bert");
    RAG_NEEDS(bert);
    const TemporaryFolder folder;
    FakeTrainingBackend backend;
    const TrainingRows train = labelled_rows(60);
    const std::string plain = R"({"method":"full","epochs":1,"learning_rate":0.02,"dropout":0})";
    const std::string more = R"({"method":"full","epochs":1,"learning_rate":0.02,"dropout":0,"hard_weight":0.2,"r":8})";
    TrainRequest request = request_of(bert, TrainTask::kClassification, more, folder / "run", train, backend);
    require_error(Code::kInvalidArgument, {"hard_weight is 0.2"}, [&] { run_training(request, {}); });
    request.drop_unused = true;
    const TrainOutcome outcome = run_training(request, {});
    REQUIRE(outcome.warnings.size() == 2);
    CHECK_THAT(outcome.warnings[0],
               Catch::Matchers::Contains("hard_weight is 0.2, and the task classification does not use it") &&
                   Catch::Matchers::Contains("left out"));
    CHECK_THAT(outcome.warnings[1], Catch::Matchers::Contains("r is 8, and the method \"full\" does not use it"));
    CHECK(json::parse(outcome_json(outcome))["warnings"] == outcome.warnings);
    // What the new manifest says can be repeated without a warning, and nothing else is another.
    std::ifstream in(outcome.manifest);
    const json said = json::parse(in)["config"];
    CHECK(said["hard_weight"] == TrainerConfig().hard_weight);
    CHECK(said["r"] == TrainerConfig().r);
    CHECK(said["learning_rate"] == 0.02);
    request = request_of(bert, TrainTask::kClassification, plain, folder / "plain", train, backend);
    request.drop_unused = true;
    const TrainOutcome without = run_training(request, {});
    CHECK(without.warnings.empty());
    CHECK(tensors_of(without.path / "model.safetensors") == tensors_of(outcome.path / "model.safetensors"));
}

TEST_CASE("what a distilled encoder does not use is left out too") {
    TrainerConfig config = parse_trainer_config(R"({"teacher":"x","hard_weight":0.2,"temperature":3})");
    CHECK(unused_of_distillation(config, false).empty());
    const auto unused = unused_of_distillation(config, true);
    REQUIRE(unused.size() == 2);
    require_error(Code::kInvalidArgument, {"temperature is 3", "keep_layers"}, [&] { refuse_unused(unused); });
    CHECK(drop_unused(config, unused).size() == 2);
    CHECK(config.hard_weight == TrainerConfig().hard_weight);
    CHECK(config.temperature == TrainerConfig().temperature);
    CHECK(config.teacher == "x");
    CHECK(unused_of_distillation(config, true).empty());
}
