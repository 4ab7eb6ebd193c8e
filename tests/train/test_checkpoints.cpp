// Runs that end in the middle, by a caller or by kill -9, and go on: the same weights as an undisturbed run, bit for bit.
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "require_error.hpp"
#include "training_runs.hpp"

using namespace rag::core;
using rag::test::FakeTrainingBackend;
using rag::test::fixture;
using rag::test::labelled_rows;
using rag::test::request_of;
using rag::test::require_error;
using rag::test::TemporaryFolder;
using rag::test::tensors_of;

namespace {

const std::string kConfig =
    R"({"method":"full","learning_rate":0.02,"epochs":3,"batch_size":8,"save_steps":3,"dropout":0.2,"micro_tokens":20})";

std::string bytes_of(const std::filesystem::path& folder) {
    return rag::test::read_file(folder / "model.safetensors");
}

/// metrics.jsonl without what time and memory say.
std::vector<std::string> losses_of(const std::string& history) {
    std::vector<std::string> out;
    for (std::size_t at = 0; (at = history.find("\"loss\":", at)) != std::string::npos; ++at)
        out.push_back(history.substr(at, history.find(',', at) - at));
    return out;
}

}  // namespace

TEST_CASE("a run that a caller stops goes on from its last whole step, bit for bit") {
    const auto model = fixture("tiny_bert");
    RAG_NEEDS(model);
    const TemporaryFolder folder;
    const TrainingRows train = labelled_rows(60), eval = labelled_rows(20);
    FakeTrainingBackend backend;
    TrainRequest request = request_of(model, TrainTask::kClassification, kConfig, folder / "whole", train, backend);
    request.eval = &eval;
    const TrainOutcome whole = run_training(request, {});
    request.config.output = (folder / "stopped").string();
    request.config.resume = true;
    TrainOutcome outcome;
    std::uint64_t stops = 0;
    for (bool done = false; !done;) {
        std::uint64_t reports = 0;
        const TrainObserver observer = {[&](const StepReport&) { return ++reports < 5; }, [] { return true; }};
        try {
            outcome = run_training(request, observer);
            done = true;
        } catch (const Stopped&) {
            ++stops;
            REQUIRE(stops < 20);
        }
    }
    CHECK(stops > 3);
    CHECK(outcome.resumed_step > 0);
    CHECK(bytes_of(outcome.path) == bytes_of(whole.path));
    CHECK(losses_of(outcome.history) == losses_of(whole.history));
    CHECK(outcome.best_step == whole.best_step);
    CHECK(outcome.tokens == whole.tokens);
    // What a callback throws goes on to the caller, with a checkpoint written.
    request.config.output = (folder / "thrown").string();
    const TrainObserver thrower = {[](const StepReport& report) -> bool {
                                       if (report.step == 2) throw std::runtime_error("enough");
                                       return true;
                                   },
                                   {}};
    CHECK_THROWS_WITH(run_training(request, thrower), "enough");
    CHECK(std::filesystem::exists(folder / "thrown/checkpoints/step-2/state.json"));
}

TEST_CASE("a run that is killed at any call goes on, bit for bit") {
    const auto model = fixture("tiny_bert");
    RAG_NEEDS(model);
    const TemporaryFolder folder;
    const TrainingRows train = labelled_rows(60);
    FakeTrainingBackend backend;
    TrainRequest request = request_of(model, TrainTask::kClassification, kConfig, folder / "whole", train, backend);
    const TrainOutcome whole = run_training(request, {});
    request.config.output = (folder / "killed").string();
    request.config.resume = true;
    const CounterRandom random(11, "kills");
    int kills = 0;
    for (bool done = false; !done;) {
        const pid_t child = ::fork();
        if (child == 0) {
            // Sometimes in the middle of a step, sometimes while a checkpoint is written.
            backend.faults->calls_to_live =
                kills < 12 ? static_cast<std::int64_t>(30 + random.below(static_cast<std::uint64_t>(kills), 150)) : -1;
            try {
                run_training(request, {});
            } catch (...) {
                ::_exit(1);
            }
            ::_exit(0);
        }
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        if (WIFSIGNALED(status)) {
            ++kills;
        } else {
            REQUIRE(WEXITSTATUS(status) == 0);
            done = true;
        }
    }
    CHECK(kills >= 3);
    CHECK(bytes_of(folder / "killed/model") == bytes_of(whole.path));
    for (const auto& entry : std::filesystem::directory_iterator(folder / "killed/checkpoints"))
        CHECK_FALSE(entry.path().string().ends_with(".unfinished"));
}

TEST_CASE("a checkpoint of another run is refused by the name of what differs; a damaged one is passed over") {
    const auto model = fixture("tiny_bert");
    RAG_NEEDS(model);
    const TemporaryFolder folder;
    const TrainingRows train = labelled_rows(60), other = labelled_rows(54);
    FakeTrainingBackend backend;
    TrainRequest request = request_of(model, TrainTask::kClassification, kConfig, folder / "run", train, backend);
    const TrainObserver observer = {[&](const StepReport& report) { return report.step < 8; }, {}};
    CHECK_THROWS_AS(run_training(request, observer), Stopped);
    request.config.resume = true;
    request.config.learning_rate = 0.01;
    request.config.weight_decay = 0.5;
    require_error(Code::kInvalidState, {"the setting learning_rate", "the setting weight_decay"},
                  [&] { run_training(request, {}); });
    request.config = parse_trainer_config(kConfig);
    request.config.output = (folder / "run").string();
    request.config.resume = true;
    request.config.max_minutes = 50;  // how long it may take is no part of what it is
    request.train = &other;
    require_error(Code::kInvalidState, {"the training data"}, [&] { run_training(request, {}); });
    request.train = &train;
    const auto newest = folder / "run/checkpoints/step-8/model.safetensors";
    std::filesystem::create_directory(folder / "run/checkpoints/step-6");
    std::filesystem::copy(folder / "run/checkpoints/step-8", folder / "run/checkpoints/step-6",
                          std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(newest, std::filesystem::file_size(newest) / 2);
    CHECK(run_training(request, {}).resumed_step == 8);  // the copy says so itself
}

TEST_CASE("a run in a folder inside its model's goes on, and is no part of the model") {
    const auto tiny = fixture("tiny_bert");
    RAG_NEEDS(tiny);
    const TemporaryFolder folder;
    const auto model = folder / "model";
    std::filesystem::copy(tiny, model, std::filesystem::copy_options::recursive);
    const TrainingRows train = labelled_rows(60);
    FakeTrainingBackend backend;
    TrainRequest request = request_of(model, TrainTask::kClassification, kConfig, model / "runs" / "first", train, backend);
    request.config.save_steps = 2;
    const TrainOutcome whole = run_training(request, {});
    request.config.resume = true;
    CHECK(run_training(request, {}).resumed_step == whole.step);
    // Beside it another one, of the same model.
    request.config.resume = false;
    request.config.output = (model / "runs" / "second").string();
    const TrainOutcome second = run_training(request, {});
    CHECK(second.step == whole.step);
    CHECK(bytes_of(second.path) == bytes_of(whole.path));
    // What the loader does not read is no part of the model, wherever it lies.
    std::filesystem::create_directories(model / "notes");
    std::ofstream(model / "notes.json") << "{}";
    std::ofstream(model / "notes" / "notes.txt") << "seen";
    std::ofstream(model / "notes" / "config.json") << "{}";
    request.config.resume = true;
    CHECK(run_training(request, {}).resumed_step == second.step);
    // What it reads is, and is named.
    std::ofstream(model / "tokenizer_config.json", std::ios::app) << "\n";
    require_error(Code::kInvalidState, {"the model (\"tokenizer_config.json\") differs; take it as it was"},
                  [&] { run_training(request, {}); });
    std::ofstream(model / "generation_config.json") << "{}";
    std::ofstream(model / "1_Pooling" / "config.json", std::ios::app) << "\n";
    request.config.learning_rate = 0.03;
    require_error(Code::kInvalidState,
                  {"the model (\"1_Pooling/config.json\", \"generation_config.json\" (added), \"tokenizer_config.json\"), the "
                   "setting learning_rate differ; take them as they were"},
                  [&] { run_training(request, {}); });
}

TEST_CASE("a flipped bit in a checkpoint is noticed and named, and the newest whole one is used") {
    const auto model = fixture("tiny_bert");
    RAG_NEEDS(model);
    const TemporaryFolder folder;
    const TrainingRows train = labelled_rows(60), eval = labelled_rows(20);
    FakeTrainingBackend backend;
    TrainRequest request = request_of(model, TrainTask::kClassification, kConfig, folder / "whole", train, backend);
    request.config.keep = 20;  // with evaluations all checkpoints are among the best
    request.eval = &eval;
    request.config.eval_steps = 3;
    const TrainOutcome whole = run_training(request, {});
    const auto flip = [](const std::filesystem::path& file, std::size_t at) {
        std::string bytes = rag::test::read_file(file);
        bytes.at(at) = static_cast<char>(bytes.at(at) ^ 1);
        rag::test::write_file(file, bytes);
    };
    const CounterRandom random(7, "bits");
    for (const std::string name : {"model.safetensors", "state.json"}) {
        const auto run = folder / ("run-" + name);
        request.config.output = run.string();
        request.config.resume = false;
        const TrainObserver observer = {[&](const StepReport& report) { return report.step < 8; }, {}};
        CHECK_THROWS_AS(run_training(request, observer), Stopped);
        const auto newest = run / "checkpoints/step-8" / name;
        const std::string bytes = rag::test::read_file(newest);
        request.config.resume = true;
        for (std::uint64_t i = 0; i < 12; ++i) {
            // Behind the header of the tensors, and anywhere in what is told of the run.
            const std::size_t from = name == "state.json" ? 0 : 4096;
            REQUIRE(bytes.size() > from);
            const std::size_t at = from + random.below(i, bytes.size() - from);
            if (name == "state.json" && bytes[at] <= ' ') continue;  // white space says nothing
            const auto copy = folder / "copy";
            std::filesystem::remove_all(copy);
            std::filesystem::copy(run, copy, std::filesystem::copy_options::recursive);
            flip(copy / "checkpoints/step-8" / name, at);
            request.config.output = copy.string();
            std::uint64_t resumed = 0;
            try {
                const TrainObserver looker = {[&](const StepReport& report) {
                                                  if (resumed == 0) resumed = report.step;
                                                  return false;
                                              },
                                              {}};
                run_training(request, looker);
            } catch (const Stopped&) {
            }
            INFO(name << " at " << at << ": " << bytes.substr(at > 10 ? at - 10 : 0, 20));
            CHECK(resumed == 7);  // the first step behind step-6
        }
        request.config.output = run.string();
        flip(newest, bytes.size() / 2);
        const TrainOutcome outcome = run_training(request, {});
        CHECK(outcome.resumed_step == 6);
        REQUIRE(outcome.warnings.size() == 1);
        CHECK(outcome.warnings[0].find("step-8") != std::string::npos);
        CHECK(outcome.warnings[0].find("older") != std::string::npos);
        CHECK(bytes_of(outcome.path) == bytes_of(whole.path));
    }
    // With none left that is whole, that is said.
    for (const auto& entry : std::filesystem::directory_iterator(folder / "run-state.json/checkpoints"))
        flip(entry.path() / "model.safetensors", 5000);
    require_error(Code::kCorrupt, {"model.safetensors", "no older checkpoint"}, [&] { run_training(request, {}); });
}

TEST_CASE("a damaged best checkpoint is passed over for the next best, then for the last step") {
    const auto model = fixture("tiny_bert");
    RAG_NEEDS(model);
    const TrainingRows train = labelled_rows(60), eval = labelled_rows(20);
    for (const std::uint64_t keep : {1, 2}) {
        const TemporaryFolder folder;
        FakeTrainingBackend backend;
        TrainRequest request = request_of(model, TrainTask::kClassification, kConfig, folder / "run", train, backend);
        request.eval = &eval;
        request.config.learning_rate = 0.5;  // the last step is not the best
        request.config.eval_steps = 2;
        request.config.keep = keep;
        request.config.resume = true;
        const TrainOutcome whole = run_training(request, {});
        REQUIRE(whole.best_step != whole.step);
        const auto damaged = whole.best_path / "model.safetensors";
        std::string bytes = rag::test::read_file(damaged);
        bytes[bytes.size() - 3] ^= 1;
        rag::test::write_file(damaged, bytes);
        const TrainOutcome again = run_training(request, {});
        INFO("keep " << keep << ", best " << whole.best_step << ", then " << again.best_step << " of " << again.step);
        REQUIRE(again.warnings.size() == 1);
        CHECK(again.warnings[0].find(damaged.string()) != std::string::npos);
        CHECK(again.best_step != whole.best_step);
        if (keep == 1) CHECK(again.best_step == again.step);
        CHECK(std::filesystem::exists(again.best_path / "state.json"));
        // What is written is that checkpoint.
        const auto kept = tensors_of(again.best_path / "model.safetensors"),
                   written = tensors_of(again.path / "model.safetensors");
        std::size_t compared = 0;
        for (const auto& [name, values] : written) {
            const auto found = kept.find(name);
            if (found != kept.end()) CHECK(found->second == values);
            compared += found != kept.end();
        }
        CHECK(compared > 0);
    }
}
