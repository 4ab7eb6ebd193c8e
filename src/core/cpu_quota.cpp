#include "core/cpu_quota.hpp"

#include <charconv>
#include <cmath>
#include <fstream>
#include <string>

namespace rag::core {
namespace {

constexpr double kMostCpus = 65536;

/// The first numbers of a small file; fewer where it has other words.
std::size_t read_numbers(const std::filesystem::path& path, double* out, std::size_t wanted) {
    std::ifstream file(path);
    std::string word;
    std::size_t count = 0;
    while (count < wanted && file >> word) {
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), out[count]);
        if (error != std::errc() || end != word.data() + word.size()) break;
        ++count;
    }
    return count;
}

std::size_t whole_cpus(double quota, double period) {
    const double cpus = std::ceil(quota / period);
    return quota > 0 && period > 0 && cpus >= 1 && cpus <= kMostCpus ? static_cast<std::size_t>(cpus) : 0;
}

}  // namespace

std::size_t cpu_quota(const std::filesystem::path& root) {
    double numbers[2] = {0, 0};
    if (read_numbers(root / "cpu.max", numbers, 2) == 2) return whole_cpus(numbers[0], numbers[1]);
    if (read_numbers(root / "cpu" / "cpu.cfs_quota_us", numbers, 1) != 1) return 0;
    if (read_numbers(root / "cpu" / "cpu.cfs_period_us", numbers + 1, 1) != 1) return 0;
    return whole_cpus(numbers[0], numbers[1]);
}

}  // namespace rag::core
