// The quota of a control group, out of folders made to look like one.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "core/cpu_quota.hpp"
#include "core/thread_pool.hpp"

using namespace rag::core;

namespace {

class FakeGroup {
  public:
    FakeGroup() : root_(std::filesystem::temp_directory_path() / ("rag_cgroup_" + std::to_string(::getpid()))) {
        std::filesystem::remove_all(root_);
        std::filesystem::create_directories(root_ / "cpu");
    }
    ~FakeGroup() { std::filesystem::remove_all(root_); }
    FakeGroup(const FakeGroup&) = delete;
    FakeGroup& operator=(const FakeGroup&) = delete;

    void put(const char* name, const std::string& text) const { std::ofstream(root_ / name) << text; }
    std::size_t quota() const { return cpu_quota(root_); }

  private:
    std::filesystem::path root_;
};

}  // namespace

TEST_CASE("a control group's quota is rounded up to whole CPUs", "[core]") {
    const FakeGroup group;
    CHECK(group.quota() == 0);
    struct Case {
        const char* text;
        std::size_t cpus;
    };
    for (const Case& one :
         {Case{"400000 100000\n", 4}, Case{"150000 100000\n", 2}, Case{"100000 100000\n", 1}, Case{"1000 100000\n", 1},
          Case{"max 100000\n", 0}, Case{"0 100000\n", 0}, Case{"-5 100000\n", 0}, Case{"100000 0\n", 0}, Case{"1e300 1\n", 0},
          Case{"nan 1\n", 0}, Case{"four five\n", 0}, Case{"100000\n", 0}, Case{"", 0}}) {
        group.put("cpu.max", one.text);
        INFO(one.text);
        CHECK(group.quota() == one.cpus);
    }
}

TEST_CASE("version 1 of control groups has the quota in two files", "[core]") {
    const FakeGroup group;
    group.put("cpu/cpu.cfs_quota_us", "250000\n");
    CHECK(group.quota() == 0);
    group.put("cpu/cpu.cfs_period_us", "100000\n");
    CHECK(group.quota() == 3);
    group.put("cpu/cpu.cfs_quota_us", "-1\n");
    CHECK(group.quota() == 0);
    group.put("cpu.max", "200000 100000\n");
    CHECK(group.quota() == 2);
}

TEST_CASE("no more threads than the quota are counted as available", "[core]") {
    const std::size_t quota = cpu_quota();
    CHECK(available_cpus() >= 1);
    if (quota != 0) CHECK(available_cpus() <= quota);
}
