// What tasks ask of a model: which tokens of a conversation, which of a masked text, which documents of a batch.
#include <catch2/catch.hpp>
#include <set>

#include "require_error.hpp"
#include "train/tasks/chat_spans.hpp"
#include "train/tasks/task.hpp"
#include "train/tasks/token_examples.hpp"
#include "training_runs.hpp"

using namespace rag::core;
using rag::test::FakeTrainingBackend;
using rag::test::fixture;
using rag::test::require_error;
using rag::test::rows_of;
using rag::test::TemporaryFolder;

namespace {

/// A tokenizer of single bytes' letters with a chat template.
std::shared_ptr<const Tokenizer> with_template(const std::filesystem::path& model, const std::string& chat_template,
                                               const TemporaryFolder& folder) {
    std::filesystem::copy_file(model / "tokenizer.json", folder / "tokenizer.json",
                               std::filesystem::copy_options::overwrite_existing);
    std::string config = R"({"bos_token":"<|im_start|>","eos_token":"<|im_end|>","chat_template":")";
    for (const char c : chat_template) config += c == '"' ? "\\\"" : c == '\n' ? "\\n" : std::string(1, c);
    rag::test::write_file(folder / "tokenizer_config.json", config + "\"}");
    return Tokenizer::from_pretrained((folder / "tokenizer.json").parent_path());
}

const std::string kTurns =
    R"([{"role":"system","content":"be kind"},{"role":"user","content":"one?"},{"role":"assistant","content":"yes"},)"
    R"({"role":"user","content":"two?"},{"role":"assistant","content":"no, \u4e0d"}])";

}  // namespace

TEST_CASE("answers are found with their end marks, in every turn") {
    const auto model = fixture("tiny_llama");
    RAG_NEEDS(model);
    const ChatText chat = mark_answers(*Tokenizer::from_pretrained(model), kTurns, "");
    REQUIRE(chat.answers.size() == 2);
    const auto text_of = [&](std::size_t i) {
        return chat.text.substr(chat.answers[i].begin, chat.answers[i].end - chat.answers[i].begin);
    };
    CHECK(text_of(0) == "yes<|im_end|>");
    CHECK(text_of(1) == "no, \xe4\xb8\x8d<|im_end|>");
    CHECK(chat.text.substr(0, chat.answers[0].begin).ends_with("<|im_start|>assistant\n"));
    // A conversation that begins with an answer: nothing stands before it but what opens it.
    const ChatText first = mark_answers(*Tokenizer::from_pretrained(model), R"([{"role":"assistant","content":"hello"}])", "");
    REQUIRE(first.answers.size() == 1);
    CHECK(first.text.substr(first.answers[0].begin).starts_with("<|im_start|>"));
}

TEST_CASE("templates whose beginnings do not agree are refused; a prompt that opens more than the answer is not") {
    const auto model = fixture("tiny_llama");
    RAG_NEEDS(model);
    const TemporaryFolder folder;
    // Only the last answer keeps its text, as templates that drop earlier thoughts have it.
    const std::string forgetful =
        "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] if loop.last or m['role'] != 'assistant' else '...' }};{% "
        "endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}";
    require_error(Code::kInvalidArgument, {"chat template", "message 3"},
                  [&] { mark_answers(*with_template(model, forgetful, folder), kTurns, ""); });
    const std::string one = R"([{"role":"user","content":"q"},{"role":"assistant","content":"a"}])";
    CHECK(mark_answers(*with_template(model, forgetful, folder), one, "").answers.size() == 1);
    const std::string thoughtful =
        "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }};{% endfor %}"
        "{% if add_generation_prompt %}[assistant]<think></think>{% endif %}";
    const ChatText chat = mark_answers(*with_template(model, thoughtful, folder), one, "");
    REQUIRE(chat.answers.size() == 1);
    CHECK(chat.text.substr(chat.answers[0].begin) == "[assistant]a;");
}

TEST_CASE("of a conversation's tokens those of answers are asked, and the end mark is one of them") {
    const auto path = fixture("tiny_llama");
    RAG_NEEDS(path);
    const TrainingRows rows = rows_of(R"({"messages":[{"role":"user","content":"1?"},{"role":"assistant","content":"yes"},)"
                                      R"({"role":"user","content":"2?"},{"role":"assistant","content":"\u4e0d"}]})");
    FakeTrainingBackend backend;
    TrainerConfig config;
    TrainedModel model(path, TrainTask::kCausalLm, config, {}, &backend);
    RowNotes notes;
    const std::vector<TokenExample> examples = read_token_examples({model, config, rows, nullptr}, rows, &notes);
    REQUIRE(examples.size() == 1);
    REQUIRE(notes.cut == 0);
    const Tokenizer& tokenizer = *model.tokenizer();
    std::vector<std::int32_t> asked;
    for (const std::int32_t target : examples[0].targets)
        if (target >= 0) asked.push_back(target);
    CHECK(asked.size() == examples[0].asked);
    CHECK(tokenizer.decode(asked, false) == "yes<|im_end|>\xe4\xb8\x8d<|im_end|>");
    for (std::size_t i = 0; i + 1 < examples[0].ids.size(); ++i)
        CHECK((examples[0].targets[i] == -1 || examples[0].targets[i] == examples[0].ids[i + 1]));
    CHECK(examples[0].targets.back() == -1);
}

TEST_CASE("plain texts are cut into windows that lose nothing") {
    const auto path = fixture("tiny_llama");
    RAG_NEEDS(path);
    std::string text;
    for (int i = 0; i < 40; ++i) text += "word" + std::to_string(i) + " ";
    const TrainingRows rows = rows_of("{\"text\":\"" + text + "\"}\n", RowKind::kText);
    FakeTrainingBackend backend;
    TrainerConfig config;
    config.max_tokens = 16;
    TrainedModel model(path, TrainTask::kCausalLm, config, {}, &backend);
    const auto examples = read_token_examples({model, config, rows, nullptr}, rows, nullptr);
    std::vector<std::int32_t> all, whole;
    for (const TokenExample& example : examples) {
        CHECK(example.ids.size() <= 16);
        CHECK(example.asked == example.ids.size() - 1);
        all.insert(all.end(), example.ids.begin(), example.ids.end());
    }
    model.tokenizer()->encode_ids(text, true, whole);
    whole.push_back(*model.tokenizer()->eos_id());
    whole.resize(all.size());  // a last window of one token teaches nothing
    CHECK(all == whole);
}

TEST_CASE("masked texts: a share of the tokens is asked, 80, 10 and 10 in 100 masked, changed and left, special ones never") {
    const auto path = fixture("tiny_bert");
    RAG_NEEDS(path);
    std::string lines;
    for (int i = 0; i < 400; ++i) lines += "{\"text\":\"red house and green water " + std::to_string(i) + "\"}\n";
    const TrainingRows rows = rows_of(lines, RowKind::kText);
    FakeTrainingBackend backend;
    TrainerConfig config = parse_trainer_config(R"({"method":"full","mask_ratio":0.3})");
    TrainedModel model(path, TrainTask::kMaskedLm, config, {}, &backend);
    const auto task = make_task({model, config, rows, nullptr}, &backend);
    std::vector<std::uint32_t> all(task->lengths().size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint32_t>(i);
    const std::vector<std::vector<std::uint32_t>> batches = {all};
    task->add_gradients(batches, {5, {}});
    const Tokenizer& tokenizer = *model.tokenizer();
    const std::int32_t mask = *tokenizer.token_to_id("[MASK]");
    double asked = 0, masked = 0, same = 0, all_tokens = 0;
    for (const auto& [id, target] : backend.faults->tokens) {
        const bool special = id != mask && tokenizer.is_special(id);
        if (target < 0) {
            all_tokens += special ? 0 : 1;
            CHECK(id != mask);
            continue;
        }
        CHECK_FALSE(tokenizer.is_special(target));
        ++asked;
        ++all_tokens;
        masked += id == mask;
        same += id == target;
    }
    CHECK(asked / all_tokens == Approx(0.3).margin(0.03));
    CHECK(masked / asked == Approx(0.8).margin(0.03));
    CHECK(same / asked == Approx(0.1).margin(0.03));
    // Drawn anew in another step, the same again in this one.
    const auto before = backend.faults->tokens;
    backend.faults->tokens.clear();
    task->add_gradients(batches, {5, {}});
    CHECK(backend.faults->tokens == before);
    backend.faults->tokens.clear();
    task->add_gradients(batches, {6, {}});
    CHECK(backend.faults->tokens != before);
}

TEST_CASE("a student has the layers that it was given") {
    const auto path = fixture("tiny_bert");
    RAG_NEEDS(path);
    FakeTrainingBackend backend;
    TrainerConfig config = parse_trainer_config(R"({"method":"full","keep_layers":[1]})");
    TrainedModel model(path, TrainTask::kDistill, config, {}, &backend);
    CHECK(model.encoder().config.layers == 1);
    const auto whole = rag::test::tensors_of(path / "model.safetensors");
    for (const TensorView& tensor : model.weights().tensors) {
        CHECK(layer_number(tensor.name) <= 0);
        if (tensor.name == "encoder.layer.0.output.dense.bias") {
            const auto& from = whole.at("encoder.layer.1.output.dense.bias");
            CHECK(std::memcmp(from.data(), tensor.bytes.data(), tensor.bytes.size()) == 0);
        }
    }
    for (const auto& [text, part] :
         std::map<std::string, std::string>{{R"({"keep_layers":[2]})", "layers 0 to 1"}, {R"({"keep_layers":[1,1]})", "twice"}}) {
        require_error(Code::kInvalidArgument, {part},
                      [&] { TrainedModel(path, TrainTask::kDistill, parse_trainer_config(text), {}, &backend); });
    }
    require_error(Code::kInvalidArgument, {"keep_layers"},
                  [&] { TrainedModel(path, TrainTask::kContrastive, config, {}, &backend); });
}
