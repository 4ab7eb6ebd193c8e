// The state of a training's checkpoint: what is read is a state of this run, or an error that says why not.
// link: rag_train
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "train/checkpoints/checkpoint.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace rag::core;
    RunIdentity identity;
    identity.task = TrainTask::kRerank;
    identity.model_sha256 = "m";
    identity.train_sha256 = "t";
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    try {
        const RunState state = parse_run_state(text, "state.json", identity);
        if (text.find("rerank") == std::string_view::npos && text.find('\\') == std::string_view::npos) std::abort();
        if (state.best.size() > size) std::abort();
    } catch (const Error& error) {
        const Code code = error.code();
        if (code != Code::kCorrupt && code != Code::kVersion && code != Code::kInvalidState) std::abort();
    }
    try {
        static_cast<void>(trainer_config_json(parse_trainer_config(text)));
    } catch (const Error& error) {
        if (error.code() != Code::kInvalidArgument) std::abort();
    }
    return 0;
}
