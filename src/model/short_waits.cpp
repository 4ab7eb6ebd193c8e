#include "model/short_waits.hpp"

#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

namespace rag::core {
namespace {

// Of the policy only the time counts that threads spin when they are more than the cores: it is 1,000 turns instead of 100.
// "active" alone would mean to spin for minutes; the count above goes before it.
char spins[] = "GOMP_SPINCOUNT=10000";
char policy[] = "OMP_WAIT_POLICY=active";

}  // namespace

// setenv() would change what other threads may be reading. So they are given another table of the same strings, which stays for
// ever: one of them may go on reading it.
ShortWaits::ShortWaits() {
    if (std::getenv("OMP_WAIT_POLICY") != nullptr) return;
    static auto& tables = *new std::vector<std::unique_ptr<std::vector<char*>>>();
    auto table = std::make_unique<std::vector<char*>>();
    before_ = __atomic_load_n(&environ, __ATOMIC_ACQUIRE);
    for (char** entry = before_; entry != nullptr && *entry != nullptr; ++entry) table->push_back(*entry);
    if (std::getenv("GOMP_SPINCOUNT") == nullptr) table->push_back(spins);
    table->push_back(policy);
    table->push_back(nullptr);
    during_ = table->data();
    tables.push_back(std::move(table));
    __atomic_store_n(&environ, during_, __ATOMIC_RELEASE);
}

ShortWaits::~ShortWaits() {
    // Who has called setenv() meanwhile has a table of his own, with these two in it; it stays his.
    if (during_ != nullptr) __atomic_compare_exchange_n(&environ, &during_, before_, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

}  // namespace rag::core
