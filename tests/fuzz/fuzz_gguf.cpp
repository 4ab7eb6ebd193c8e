// A GGUF file of arbitrary bytes is refused with an Error or gives metadata and tensors that can be read by every getter, and is
// refused or taken as a Llama.
// link: rag_model rag_formats rag_core
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "formats/gguf.hpp"
#include "model/decoder_files.hpp"

namespace {

using namespace rag::core;

/// Runs a getter, which may refuse; whether it gave a value.
template <typename Call>
bool ask(Call&& call) {
    try {
        return call();
    } catch (const Error&) {
        return false;
    }
}

std::size_t count_bytes(const std::vector<std::string_view>& texts) {
    std::size_t bytes = 0;
    for (const std::string_view text : texts) bytes += std::string(text).size();
    return bytes;
}

void read_values(const GgufFile& file) {
    for (const auto& [key, value] : file.metadata()) {
        const std::string name(key);
        const bool number = ask([&] { return file.number(name).has_value(); });
        const bool integer = ask([&] { return file.integer(name).has_value(); });
        const bool boolean = ask([&] { return file.boolean(name).has_value(); });
        const bool text = ask([&] { return std::string(file.text(name).value()).size() == value.bytes.size(); });
        const bool numbers = ask([&] { return file.numbers(name).value().size() == value.count; });
        const bool integers = ask([&] { return file.integers(name).value().size() == value.count; });
        const bool texts = ask([&] {
            const auto all = file.texts(name).value();
            return all.size() == value.count && count_bytes(all) <= value.bytes.size();
        });
        // Every value has one kind; whole numbers have two.
        const int kinds = int{number} + int{boolean} + int{text} + int{numbers} + int{texts};
        const bool bools = value.type == GgufType::kArray && value.element_type == GgufType::kBool;
        if (kinds != (bools ? 0 : 1) || (integer && !number)) std::abort();
        if (integers && !numbers) std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        const auto file = GgufFile::parse(std::as_bytes(std::span(data, size)), "fuzzed.gguf");
        read_values(*file);
        unsigned sum = 0;
        for (const TensorInfo& tensor : file->tensors()) {
            for (const std::byte byte : tensor.bytes) sum += std::to_integer<unsigned>(byte);
            if (file->find(tensor.name) != &tensor) std::abort();
        }
        volatile unsigned sink = sum;
        static_cast<void>(sink);
        const DecoderFiles model = read_decoder_gguf(file);
        if (model.weights.tensors.empty()) std::abort();
    } catch (const Error&) {
        // What is expected of a bad file.
    }
    return 0;
}
