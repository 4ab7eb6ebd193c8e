#include "libtorch/quant/shared_weights.hpp"

#include <mutex>

namespace rag::core::libtorch {
namespace {

struct Registry {
    std::mutex mutex;
    std::unordered_map<std::string, std::weak_ptr<const void>> things;

    // Entries of what has been freed go when there are as many as of what lives: so they are never more than twice as many.
    void sweep() {
        if (things.size() < next_sweep) {
            return;
        }
        std::erase_if(things, [](const auto& entry) { return entry.second.expired(); });
        next_sweep = std::max(kFirstSweep, 2 * things.size());
    }

    static constexpr std::size_t kFirstSweep = 256;
    std::size_t next_sweep = kFirstSweep;
};

// Never destroyed: models may be in use while static objects are destroyed.
Registry& registry() {
    static Registry* const only = new Registry;
    return *only;
}

}  // namespace

std::shared_ptr<const void> SharedWeights::find(const std::string& key) {
    const std::lock_guard lock(registry().mutex);
    const auto found = registry().things.find(key);
    return found == registry().things.end() ? nullptr : found->second.lock();
}

std::shared_ptr<const void> SharedWeights::keep(const std::string& key, std::shared_ptr<const void> made) {
    const std::lock_guard lock(registry().mutex);
    registry().sweep();
    std::weak_ptr<const void>& entry = registry().things[key];
    if (auto other = entry.lock(); other != nullptr) {
        return other;
    }
    entry = made;
    return made;
}

std::size_t SharedWeights::count() {
    const std::lock_guard lock(registry().mutex);
    return static_cast<std::size_t>(std::count_if(registry().things.begin(), registry().things.end(),
                                                  [](const auto& entry) { return !entry.second.expired(); }));
}

}  // namespace rag::core::libtorch
