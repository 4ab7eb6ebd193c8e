#include "libtorch/train/buffer_pool.hpp"

#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

#include <map>
#include <new>

namespace rag::core::libtorch {

struct PoolRegion {
    std::byte* base = nullptr;
    std::size_t bytes = 0;
    std::map<std::size_t, std::size_t> free;             // offset -> bytes, neighbours joined
    std::unordered_map<std::size_t, std::size_t> taken;  // likewise
    std::uint64_t last_taken = 0;                        // step
    bool abandoned = false;                              // its pool is gone
};

namespace {

constexpr std::size_t kGrain = 4096;
constexpr std::size_t kRegionBytes = std::size_t{256} << 20;
constexpr std::uint64_t kKeptSteps = 8;

thread_local BufferPool* pool_in_use = nullptr;

// All regions by address, so that memory finds its way back by its address alone, which is all that LibTorch's raw interface has.
// Never destroyed: tensors may outlive static objects.
struct Regions {
    std::mutex mutex;
    std::map<std::byte*, std::unique_ptr<PoolRegion>> by_base;
};
Regions& all_regions() {
    static auto* const regions = new Regions;
    return *regions;
}

std::size_t rounded(std::size_t bytes, std::size_t grain) {
    return (bytes + grain - 1) / grain * grain;
}

void unmap(PoolRegion& region) noexcept {
    munmap(region.base, region.bytes);
    all_regions().by_base.erase(region.base);
}

PoolRegion& map_region(std::size_t bytes) {
    auto region = std::make_unique<PoolRegion>();
    region->bytes = rounded(std::max(bytes, kRegionBytes), kRegionBytes);
    void* base = mmap(nullptr, region->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        throw std::bad_alloc();
    }
    madvise(base, region->bytes, MADV_HUGEPAGE);  // fewer faults where the system grants it
    region->base = static_cast<std::byte*>(base);
    region->free.emplace(0, region->bytes);
    PoolRegion& made = *region;
    all_regions().by_base.emplace(made.base, std::move(region));
    return made;
}

// Null where no free range is long enough.
void* take_from(PoolRegion& region, std::size_t bytes) {
    for (auto range = region.free.begin(); range != region.free.end(); ++range) {
        const auto [offset, length] = *range;
        if (length < bytes) {
            continue;
        }
        region.taken.emplace(offset, bytes);
        region.free.erase(range);
        if (length > bytes) {
            region.free.emplace(offset + bytes, length - bytes);
        }
        return region.base + offset;
    }
    return nullptr;
}

void put_back(PoolRegion& region, std::size_t offset) {
    const auto found = region.taken.find(offset);
    std::size_t bytes = found->second;
    region.taken.erase(found);
    const auto next = region.free.lower_bound(offset);
    if (next != region.free.end() && next->first == offset + bytes) {
        bytes += next->second;
        region.free.erase(next);
    }
    const auto after = region.free.lower_bound(offset);
    if (after != region.free.begin()) {
        const auto before = std::prev(after);
        if (before->first + before->second == offset) {
            before->second += bytes;
            return;
        }
    }
    region.free.emplace(offset, bytes);
}

c10::Allocator* usual_allocator = nullptr;

void free_any(void* data) {
    if (!free_pooled(data)) {
        usual_allocator->raw_deleter()(data);
    }
}

// In front of LibTorch's allocator.
class PoolAllocator : public c10::Allocator {
  public:
    c10::DataPtr allocate(std::size_t bytes) override {
        if (pool_in_use == nullptr || bytes < BufferPool::kSmallest) {
            return usual_allocator->allocate(bytes);
        }
        void* data = pool_in_use->allocate(bytes);
        return {data, data, &free_any, c10::Device(c10::DeviceType::CPU)};
    }
    c10::DeleterFnPtr raw_deleter() const override { return &free_any; }
    void copy_data(void* to, const void* from, std::size_t bytes) const override { default_copy_data(to, from, bytes); }
};

void install_allocator() {
    static std::once_flag once;
    std::call_once(once, [] {
        usual_allocator = c10::GetCPUAllocator();
        static auto* const allocator = new PoolAllocator;
        c10::SetCPUAllocator(allocator);
    });
}

}  // namespace

bool free_pooled(void* data) noexcept {
    Regions& regions = all_regions();
    const std::lock_guard lock(regions.mutex);
    auto* address = static_cast<std::byte*>(data);
    auto found = regions.by_base.upper_bound(address);
    if (found == regions.by_base.begin()) {
        return false;
    }
    PoolRegion& region = *std::prev(found)->second;
    if (address >= region.base + region.bytes) {
        return false;
    }
    put_back(region, static_cast<std::size_t>(address - region.base));
    if (region.abandoned && region.taken.empty()) {
        unmap(region);
    }
    return true;
}

BufferPool::~BufferPool() {
    const std::lock_guard lock(all_regions().mutex);
    for (PoolRegion* region : regions_) {
        region->abandoned = true;
        if (region->taken.empty()) {
            unmap(*region);
        }
    }
}

void* BufferPool::allocate(std::size_t bytes) {
    bytes = rounded(bytes, kGrain);
    given_back_ = false;
    const std::lock_guard lock(all_regions().mutex);
    for (PoolRegion* region : regions_) {
        if (void* data = take_from(*region, bytes); data != nullptr) {
            region->last_taken = step_;
            return data;
        }
    }
    regions_.push_back(&map_region(bytes));
    regions_.back()->last_taken = step_;
    return take_from(*regions_.back(), bytes);
}

void BufferPool::end_step() {
    const std::lock_guard lock(all_regions().mutex);
    ++step_;
    std::erase_if(regions_, [this](PoolRegion* region) {
        const bool unused = region->taken.empty() && region->last_taken + kKeptSteps < step_;
        if (unused) {
            unmap(*region);
        }
        return unused;
    });
}

void BufferPool::give_back() {
    if (given_back_) {
        return;
    }
    given_back_ = true;
    const std::lock_guard lock(all_regions().mutex);
    for (const PoolRegion* region : regions_) {
        for (const auto& [offset, bytes] : region->free) {
            madvise(region->base + offset, bytes, MADV_DONTNEED);
        }
    }
}

BufferPool::Use::Use(BufferPool& pool) {
    install_allocator();
    pool_in_use = &pool;
}

BufferPool::Use::~Use() {
    pool_in_use = nullptr;
}

}  // namespace rag::core::libtorch
