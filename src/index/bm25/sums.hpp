// The array in which the scores of a window of documents are added up (scorer.cpp): 64 KiB a thread, all 0 between searches, so
// that a search need not clear it. One search of a thread at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <exception>
#include <memory>

namespace rag::core {

/// A thread's array of sums, all 0 between searches.
class Sums {
  public:
    static constexpr std::size_t kSize = 16384;

    class Use {
      public:
        explicit Use(Sums& sums) : sums_(sums) {
            if (sums_.in_use_) std::fill_n(values(), kSize, 0.0F);  // by a search that ran out of memory
            sums_.in_use_ = true;
        }
        ~Use() { sums_.in_use_ = std::uncaught_exceptions() > exceptions_; }
        Use(const Use&) = delete;
        Use& operator=(const Use&) = delete;
        float* values() const noexcept { return sums_.values_.get(); }

      private:
        Sums& sums_;
        int exceptions_ = std::uncaught_exceptions();
    };

  private:
    std::unique_ptr<float[]> values_ = std::make_unique<float[]>(kSize);
    bool in_use_ = false;
};

}  // namespace rag::core
