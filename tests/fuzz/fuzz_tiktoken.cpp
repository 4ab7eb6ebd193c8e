// A tiktoken file or (when it begins like one) an RWKV vocabulary of arbitrary bytes is refused with an Error, or makes a
// tokenizer that gives back the text it encodes.
// link: rag_tokenizer rag_core
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "tokenizer/loading/load.hpp"
#include "tokenizer/tokenizer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace rag::core;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::string pattern = R"( ?\p{L}+|\p{N}{1,3}|\s+$|[^\p{L}\p{N}])";
    try {
        const Tokenizer tokenizer(is_rwkv_vocabulary(input) ? load_rwkv(input, "fuzzed.txt")
                                                            : load_tiktoken_text(input, pattern, {}, "fuzzed.tiktoken"));
        const std::string text = "Some text, 123 \xe4\xb8\xad\xe6\x96\x87 \xf0\x9f\x98\x80.  ";
        const Encoding encoding = tokenizer.encode(text);
        for (const auto& [start, end] : encoding.offsets) {
            if (start > end || end > text.size()) std::abort();
        }
        if (tokenizer.decode(encoding.ids) != text) std::abort();  // every byte has a token, and nothing is lost
    } catch (const Error&) {                                       // refused, as it should be
    }
    return 0;
}
