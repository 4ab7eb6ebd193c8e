#include "text/stem.hpp"

#include <libstemmer.h>

#include <limits>

#include "core/error.hpp"

namespace rag::core {

void Stemmer::Delete::operator()(sb_stemmer* stemmer) const noexcept {
    sb_stemmer_delete(stemmer);
}

Stemmer::Stemmer(const std::string& language) : stemmer_(sb_stemmer_new(language.c_str(), "UTF_8")) {
    if (stemmer_) return;
    std::string known;
    for (const std::string& name : languages()) known += (known.empty() ? "" : ", ") + name;
    fail(Code::kInvalidArgument, "no stemmer for language {}; known: auto, none, {}", quote(language), known);
}

Stemmer::~Stemmer() = default;
Stemmer::Stemmer(Stemmer&&) noexcept = default;
Stemmer& Stemmer::operator=(Stemmer&&) noexcept = default;

std::string_view Stemmer::stem(std::string_view word) {
    if (word.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return word;
    const sb_symbol* result =
        sb_stemmer_stem(stemmer_.get(), reinterpret_cast<const sb_symbol*>(word.data()), static_cast<int>(word.size()));
    if (result == nullptr) throw std::bad_alloc();
    return {reinterpret_cast<const char*>(result), static_cast<std::size_t>(sb_stemmer_length(stemmer_.get()))};
}

std::vector<std::string> Stemmer::languages() {
    std::vector<std::string> names;
    for (const char** name = sb_stemmer_list(); *name != nullptr; ++name) names.emplace_back(*name);
    return names;
}

bool Stemmer::knows(const std::string& language) {
    const std::unique_ptr<sb_stemmer, Delete> stemmer(sb_stemmer_new(language.c_str(), "UTF_8"));
    return stemmer != nullptr;
}

}  // namespace rag::core
