#include "model/encoder_prompt.hpp"

#include <span>

#include "core/error.hpp"

namespace rag::core {

const std::string& find_prompt(const EncoderFiles& files, const EncoderPrompt& prompt, const std::string& source) {
    static const std::string kNone;
    const auto& prompts = files.prompts;
    const auto first_of = [&](std::span<const char* const> names) -> const std::string* {
        for (const char* name : names) {
            if (const auto found = prompts.find(name); found != prompts.end()) return &found->second;
        }
        return nullptr;
    };
    const std::string* found = nullptr;
    switch (prompt.kind) {
        case EncoderPrompt::Kind::kText:
            return prompt.text;
        case EncoderPrompt::Kind::kNamed: {
            const auto named = prompts.find(prompt.text);
            if (named != prompts.end()) return named->second;
            std::string known;
            for (const auto& [name, text] : prompts) known += fmt::format("{}{}", known.empty() ? "" : ", ", quote(name));
            fail(Code::kNotFound, "{} has no prompt {}; it has {}", quote(source, 400), quote(prompt.text),
                 known.empty() ? "none" : known);
        }
        case EncoderPrompt::Kind::kQuery: {
            static constexpr const char* kNames[] = {"query"};
            found = first_of(kNames);
            break;
        }
        case EncoderPrompt::Kind::kDocument: {
            static constexpr const char* kNames[] = {"document", "passage", "corpus"};
            found = first_of(kNames);
            break;
        }
        case EncoderPrompt::Kind::kDefault:
            if (!files.default_prompt_name.empty()) found = &prompts.at(files.default_prompt_name);
            break;
    }
    return found != nullptr ? *found : kNone;
}

}  // namespace rag::core
