// Any bytes as a chat template and its messages: the part before the first NUL is the template, the rest the messages. Only
// core::Error may come out, with one line of text.
// link: rag_tokenizer_chat_template
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/error.hpp"
#include "tokenizer/chat_template/chat_template.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view all(reinterpret_cast<const char*>(data), size);
    const std::size_t cut = all.find('\0');
    const std::string_view source = all.substr(0, cut);
    const std::string_view messages =
        cut == std::string_view::npos ? R"([{"role": "user", "content": "Hi"}])" : all.substr(cut + 1);
    rag::core::ChatTemplateLimits limits;
    limits.max_steps = 20'000;
    limits.max_output_bytes = 1U << 16;
    try {
        rag::core::ChatTemplateInput input;
        input.messages_json = messages;
        input.add_generation_prompt = true;
        input.special_tokens = {{"bos_token", "<s>"}};
        input.now = 1735732800;
        const std::string text = rag::core::ChatTemplate(source, limits).render(input);
        if (text.size() > limits.max_output_bytes) std::abort();
    } catch (const rag::core::Error& error) {
        if (std::string_view(error.what()).find('\n') != std::string_view::npos) std::abort();
    }
    return 0;
}
