// What models of the same files keep of their weights, once for all of them: packed layers and tables by the files' identity, the
// tensors and the form they are kept in. Nothing is kept alive here: the last model that uses a thing frees it.
// Thread rule: any thread. Two that make the same thing at once both make it, and one is kept.
#pragma once

#include "libtorch/guard.hpp"

namespace rag::core::libtorch {

class SharedWeights {
  public:
    /// What is kept under `key`, or what `make` gives. Without an identity in the key (an empty key) nothing is shared.
    template <typename T, typename Make>
    static std::shared_ptr<const T> get(const std::string& key, const Make& make) {
        if (key.empty()) {
            return make();
        }
        if (auto found = find(key); found != nullptr) {
            return std::static_pointer_cast<const T>(std::move(found));
        }
        return std::static_pointer_cast<const T>(keep(key, make()));
    }

    /// Things that are alive.
    static std::size_t count();

  private:
    static std::shared_ptr<const void> find(const std::string& key);
    /// `made`, or what somebody else has put there meanwhile.
    static std::shared_ptr<const void> keep(const std::string& key, std::shared_ptr<const void> made);
};

}  // namespace rag::core::libtorch
