// Stems by Snowball (Porter's algorithms, snowballstem.org), one language an object, and the English stop words.
// Stemmer is thread-compatible: one object belongs to one thread at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct sb_stemmer;

namespace rag::core {

class Stemmer {
  public:
    /// `language`: a name or ISO code that Snowball knows ("english", "de"). kInvalidArgument names it and lists what there is.
    explicit Stemmer(const std::string& language);
    ~Stemmer();
    Stemmer(Stemmer&&) noexcept;
    Stemmer& operator=(Stemmer&&) noexcept;

    /// The stem of a folded (lower-case) word; valid until the next call.
    std::string_view stem(std::string_view word);

    static std::vector<std::string> languages();
    static bool knows(const std::string& language);

  private:
    struct Delete {
        void operator()(sb_stemmer* stemmer) const noexcept;
    };
    std::unique_ptr<sb_stemmer, Delete> stemmer_;
};

/// True for the function words of English (folded form) that carry no topic: articles, pronouns, prepositions, auxiliaries.
bool is_english_stop_word(std::string_view word) noexcept;

}  // namespace rag::core
