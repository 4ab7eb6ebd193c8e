// What inspect tells of files and folders, and how a manifest is compared.
#include "build_files.hpp"
#include "formats/file_sums.hpp"
#include "formats/inspect.hpp"
#include "formats/safetensors_writer.hpp"

using namespace rag::core;
using namespace rag::test;

namespace {

void make_folder(const std::filesystem::path& folder) {
    write_safetensors(folder, {{"w", "F32", {2, 3}}, {"b", "BF16", {4}}}, {}, 1000,
                      [](std::size_t i) { return std::vector<std::byte>(i == 0 ? 24 : 8); });
    write_file(folder / "config.json", R"({"model_type": "mamba", "quantization_config": {"quant_method": "awq"}})");
    write_file(folder / "tokenizer.json", R"({"model": {"type": "BPE"}})");
    write_file(folder / "tokenizer_config.json", R"({"chat_template": "{{ messages }}"})");
}

void write_sums(const std::filesystem::path& folder, std::initializer_list<const char*> names) {
    std::string text;
    for (const char* name : names) text += file_sha256(folder / name) + "  " + name + "\n";
    write_file(folder / "SHA256SUMS", text);
}

std::string state_of(const ModelReport& report, const std::string& name) {
    for (const InspectedFile& file : report.files) {
        if (file.name == name) return file.state;
    }
    return "absent";
}

}  // namespace

TEST_CASE("a folder is described from its headers, whatever its architecture", "[formats]") {
    const TemporaryFolder folder;
    make_folder(folder.path());
    const ModelReport report = inspect_model(folder.path(), {});
    CHECK(report.format == "safetensors");
    CHECK(report.architecture == "mamba");
    CHECK(report.tokenizer == "tokenizer.json (BPE)");
    CHECK(report.chat_template);
    CHECK(report.parameters == 10);
    CHECK(report.tensor_bytes == 32);
    REQUIRE(report.tensors.size() == 2);
    CHECK(report.tensors[1].name == "w");
    CHECK(report.tensors[1].shape == std::vector<std::int64_t>{2, 3});
    CHECK(report.tensors[1].file == "model.safetensors");
    CHECK(report.files.size() == 4);
    CHECK(report.files[0].sha256.empty());
    CHECK_FALSE(report.verified);
    const std::string json = report_json(report);
    CHECK_THAT(json, Catch::Matchers::Contains("\"architecture\":\"mamba\"") && Catch::Matchers::Contains("\"shape\":[2,3]"));
}

TEST_CASE("a GGUF file is described", "[formats]") {
    const TemporaryFolder folder;
    GgufBuilder builder;
    builder.text("general.architecture", "llama").text("tokenizer.ggml.model", "gpt2").tensor("w", {32, 2}, 12, 0);
    builder = GgufBuilder();
    builder.text("general.architecture", "llama").text("tokenizer.ggml.model", "gpt2").tensor("w", {256, 2}, 12, 0);
    write_file(folder / "m.gguf", builder.build(std::string(288, 'x')));
    const ModelReport report = inspect_model(folder / "m.gguf", {true, false, {}});
    CHECK(report.format == "gguf");
    CHECK(report.architecture == "llama");
    CHECK(report.tokenizer == "gguf (gpt2)");
    CHECK_FALSE(report.chat_template);
    CHECK(report.parameters == 512);
    CHECK(report.tensors.at(0).type == "Q4_K");
    CHECK(report.files.at(0).sha256.size() == 64);
}

TEST_CASE("a manifest tells what differs, is missing or is not listed", "[formats]") {
    const TemporaryFolder folder;
    make_folder(folder.path());
    const InspectOptions verify{false, true, {}};
    require_error(Code::kNotFound, {"SHA256SUMS"}, [&] { inspect_model(folder.path(), verify); });
    write_sums(folder.path(), {"model.safetensors", "config.json"});
    ModelReport report = inspect_model(folder.path(), verify);
    CHECK(report.verified);
    CHECK(state_of(report, "model.safetensors") == "ok");
    CHECK(state_of(report, "tokenizer.json") == "unlisted");
    CHECK(inspect_model(folder / "model.safetensors", verify).verified);
    write_file(folder / "config.json", "{}");
    report = inspect_model(folder.path(), verify);
    CHECK_FALSE(report.verified);
    CHECK(state_of(report, "config.json") == "differs");
    write_sums(folder.path(), {"tokenizer.json", "config.json"});
    CHECK_FALSE(inspect_model(folder.path(), verify).verified);  // weights that nobody vouches for
    write_file(folder / "SHA256SUMS", read_file(folder / "SHA256SUMS") + std::string(64, 'a') + "  gone.bin\n");
    CHECK(state_of(inspect_model(folder.path(), verify), "gone.bin") == "missing");
}

TEST_CASE("what is no model is refused", "[formats]") {
    const TemporaryFolder folder;
    require_error(Code::kNotFound, {"model.safetensors"}, [&] { inspect_model(folder.path(), {}); });
    write_file(folder / "notes.txt", "x");
    require_error(Code::kInvalidArgument, {"notes.txt"}, [&] { inspect_model(folder / "notes.txt", {}); });
    require_error(Code::kNotFound, {"none.gguf"}, [&] { inspect_model(folder / "none.gguf", {}); });
}
