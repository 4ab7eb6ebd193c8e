// Memory for kernels that want it aligned to 64 bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

struct AlignedBytes {
    explicit AlignedBytes(std::size_t size) : memory(size + 64) {}
    std::byte* data() {
        const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
        return memory.data() + (64 - address % 64) % 64;
    }
    std::vector<std::byte> memory;
};
