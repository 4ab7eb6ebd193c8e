// How many CPUs a container may use: the quota of its control group, which neither the number of processors nor the affinity mask
// tells (14 threads on a quota of 4 are several times slower than 4). Stateless, any thread.
#pragma once

#include <cstddef>
#include <filesystem>

namespace rag::core {

/// The quota rounded up to whole CPUs, from cgroup v2's cpu.max ("max 100000" or "150000 100000"), else v1's cpu/cpu.cfs_quota_us
/// and cpu.cfs_period_us below `root`; 0 if there is none, or if what stands there is no quota.
std::size_t cpu_quota(const std::filesystem::path& root = "/sys/fs/cgroup");

}  // namespace rag::core
