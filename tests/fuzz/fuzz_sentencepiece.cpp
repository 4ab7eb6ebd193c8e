// A SentencePiece model of arbitrary bytes is refused with an Error, or makes a tokenizer whose encodings keep what encoding
// promises.
// link: rag_tokenizer rag_core
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "tokenizer/loading/load.hpp"
#include "tokenizer/tokenizer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace rag::core;
    try {
        const Tokenizer tokenizer(load_sentencepiece(std::as_bytes(std::span(data, size)), "fuzzed.model"));
        const std::string text = "  Some text,\t 123 \xe4\xb8\xad\xe6\x96\x87 \xf0\x9f\x98\x80 <sep> \xe2\x96\x81\xef\xac\x81  ";
        const Encoding encoding = tokenizer.encode(text);
        for (const auto& [start, end] : encoding.offsets) {
            if (start > end || end > text.size()) std::abort();
        }
        if (tokenizer.tokens(encoding).size() != encoding.size()) std::abort();
        if (find_invalid_utf8(tokenizer.decode(encoding.ids, false)) != std::string::npos) std::abort();
    } catch (const Error&) {  // refused, as it should be
    }
    return 0;
}
