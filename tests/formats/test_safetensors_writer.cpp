// Safetensors written here are read back by the reader: one file, shards, alignment, and nothing left of what failed.
#include "build_files.hpp"
#include "core/cancel.hpp"
#include "formats/safetensors.hpp"
#include "formats/safetensors_writer.hpp"

using namespace rag::core;
using namespace rag::test;

namespace {

const std::vector<TensorEntry> kEntries = {
    {"bytes", "U8", {5}}, {"w", "F32", {2, 3}}, {"half", "BF16", {3}}, {"scalar", "F32", {}}};

std::vector<std::byte> content(std::size_t index) {
    constexpr std::size_t sizes[] = {5, 24, 6, 4};
    return std::vector<std::byte>(sizes[index], static_cast<std::byte>(index + 1));
}

void check(const std::filesystem::path& folder) {
    const auto file = SafetensorsFile::open(folder);
    REQUIRE(file->tensors().size() == kEntries.size());
    for (std::size_t i = 0; i < kEntries.size(); ++i) {
        const TensorInfo* tensor = file->find(kEntries[i].name);
        REQUIRE(tensor != nullptr);
        CHECK(tensor->shape == kEntries[i].shape);
        CHECK(tensor->type_name == kEntries[i].type);
        const auto expected = content(i);
        CHECK(std::equal(tensor->bytes.begin(), tensor->bytes.end(), expected.begin(), expected.end()));
        if (kEntries[i].type == "F32") CHECK(reinterpret_cast<std::uintptr_t>(tensor->bytes.data()) % 4 == 0);
    }
    CHECK(file->metadata().at("format") == "pt");
}

}  // namespace

TEST_CASE("tensors are written to one file or to shards, and read back", "[formats]") {
    for (const std::uint64_t shard : {std::uint64_t{1} << 40, std::uint64_t{25}, std::uint64_t{1}}) {
        const TemporaryFolder folder;
        write_safetensors(folder.path(), kEntries, {{"format", "pt"}}, shard, content);
        check(folder.path());
        const std::size_t files = static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder.path()), {}));
        CHECK(files == (shard > 100 ? 1U : shard == 25 ? 3U : 5U));  // shards and their index
    }
}

TEST_CASE("what cannot be written is refused by name", "[formats]") {
    const TemporaryFolder folder;
    require_error(Code::kInvalidArgument, {"\"x\"", "F64"},
                  [&] { write_safetensors(folder.path(), {{"x", "F64", {1}}}, {}, 100, content); });
    require_error(Code::kInvalidArgument, {"\"x\"", "twice"},
                  [&] { write_safetensors(folder.path(), {{"x", "U8", {5}}, {"x", "U8", {5}}}, {}, 100, content); });
    require_error(Code::kInternal, {"\"x\"", "[4]"},
                  [&] { write_safetensors(folder.path(), {{"x", "U8", {4}}}, {}, 100, content); });
    require_error(Code::kStopped, {}, [&] {
        write_safetensors(folder.path(), kEntries, {}, 100, [](std::size_t) -> std::vector<std::byte> { throw Stopped(); });
    });
    CHECK(std::filesystem::is_empty(folder.path()));
}
