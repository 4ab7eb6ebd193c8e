// Fuzzes the query language of BM25: any bytes are a query or an error of one kind, and what is found is what scoring every
// document finds.
// link: rag_index_bm25 rag_core
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "index/bm25/bm25_index.hpp"

using namespace rag::core;

namespace {

std::unique_ptr<Bm25Index> make_library() {
    Bm25Options options;
    options.positions = true;
    auto index = std::make_unique<Bm25Index>(options);
    const std::vector<std::int64_t> ids{1, 2, 3};
    const std::vector<std::string_view> texts{"the quick brown fox", "covid-19 and a dog",
                                              "\xE9\xAB\x98\xE8\xA1\x80\xE5\x8E\x8B fox"};
    index->add(ids, texts);
    return index;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::unique_ptr<Bm25Index> library = make_library();
    const std::string_view query(reinterpret_cast<const char*>(data), size);
    static_cast<void>(library->search(query, 3));
    try {
        const auto hits = library->search(query, 3, nullptr, Bm25Syntax::kLanguage);
        if (hits != library->search_exhaustive(query, 3, nullptr, Bm25Syntax::kLanguage)) std::abort();
        for (const Bm25Hit& hit : hits) {
            if (library->explain(query, hit.id, Bm25Syntax::kLanguage).score != hit.score) std::abort();
        }
        static_cast<void>(library->highlight(query, "a quick fox, a dog", Bm25Syntax::kLanguage));
    } catch (const Error& error) {
        if (error.code() != Code::kInvalidArgument) std::abort();
    }
    return 0;
}
