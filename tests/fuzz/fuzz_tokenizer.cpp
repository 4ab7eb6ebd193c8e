// A tokenizer.json of arbitrary bytes and a text, with a NUL byte between: the file is refused with an Error, or it makes a
// tokenizer whose encodings keep what encoding promises.
// link: rag_tokenizer rag_core
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "tokenizer/tokenizer.hpp"

namespace {

using namespace rag::core;

void require(bool holds) {
    if (!holds) std::abort();
}

// Options of a call on bytes that may be no text: what comes out keeps its promises, and so does what overflows.
void check_options(const Tokenizer& tokenizer, std::string_view text) {
    EncodeOptions options;
    options.invalid_text = InvalidText::kReplace;
    options.overflow = true;
    options.file_truncation = false;
    options.truncation = Truncation{.max_length = 4 + text.size() % 5, .stride = text.size() % 3};
    for (const OffsetUnit unit : {OffsetUnit::kBytes, OffsetUnit::kCharacters}) {
        options.offset_unit = unit;
        try {
            const Encoding encoding = tokenizer.encode({text, text.substr(text.size() / 2)}, options);
            for (const OverflowingEncoding& more : tokenizer.overflowing(encoding)) {
                for (const auto& [start, end] : more.encoding.offsets) require(start <= end && end <= text.size());
                require(more.encoding.words.size() == more.encoding.size());
            }
        } catch (const Error&) {  // no room for the special tokens
        }
    }
}

// What was loaded can be written, reads back as what it was, and gives the same ids.
void check_saved(const Tokenizer& tokenizer, const std::vector<std::int32_t>& ids, std::string_view text) {
    std::string json;
    try {
        json = tokenizer.to_json();
    } catch (const Error&) {  // JSON cannot say it
        return;
    }
    const auto again = [&]() noexcept { return Tokenizer::from_json(json, "saved.json"); }();  // an Error is a defect here
    require(again->to_json() == json);
    std::vector<std::int32_t> same;
    again->encode_ids(text, false, same);
    require(same == ids);
}

void check_encoding(const Tokenizer& tokenizer, std::string_view text) {
    const Encoding encoding = tokenizer.encode(text, std::nullopt, false);
    const std::size_t count = encoding.size();
    require(encoding.offsets.size() == count && encoding.type_ids.size() == count && encoding.attention_mask.size() == count &&
            encoding.special_tokens_mask.size() == count);
    for (const auto& [start, end] : encoding.offsets) require(start <= end && end <= text.size());
    require(tokenizer.tokens(encoding).size() == count);
    std::vector<std::int32_t> ids;
    tokenizer.encode_ids(text, false, ids);
    require(ids.size() == tokenizer.count_tokens(text));
    for (const std::int32_t id : ids) require(id >= 0 && id < tokenizer.id_limit());
    require(find_invalid_utf8(tokenizer.decode(ids, false)) == std::string_view::npos);
    check_options(tokenizer, text);
    check_saved(tokenizer, ids, text);
    tokenizer.encode(text, text, true);
    ids.clear();
    tokenizer.encode_ids(text, true, ids);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t end = std::min(input.find('\0'), size);
    const std::string_view text =
        end < size ? input.substr(end + 1) : std::string_view("Some text, 123 \xe4\xb8\xad\xe6\x96\x87.");
    try {
        const auto tokenizer = Tokenizer::from_json(input.substr(0, end), "fuzzed.json");
        check_encoding(*tokenizer, text);
    } catch (const Error&) {  // refused, as it should be
    }
    return 0;
}
