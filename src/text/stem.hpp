// Stems by Snowball (Porter's algorithms, snowballstem.org), one language an object, and stop words.
// Stemmer is thread-compatible: one object belongs to one thread at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
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

/// Function words of one language, folded: articles, pronouns, prepositions, auxiliaries, which carry no topic.
using StopWords = std::unordered_set<std::string_view>;

/// Those of a language of Snowball, by its name or ISO code; null where there is no list of them (see stop_words.cpp).
const StopWords* stop_words_of(std::string_view language);

}  // namespace rag::core
