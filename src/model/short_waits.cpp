#include "model/short_waits.hpp"

#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <vector>

namespace rag::core {
namespace {

// Of the policy only the time counts that threads spin when they are more than the cores: it is 1,000 turns instead of 100.
// "active" alone would mean to spin for minutes; the count above goes before it.
char spins[] = "GOMP_SPINCOUNT=10000";
char policy[] = "OMP_WAIT_POLICY=active";

}  // namespace

// setenv() of a new name moves the table while other threads may be reading it. So the table is replaced by a longer one of the
// same strings, which stays, as does the old one, that somebody may still be reading. What others set and remove meanwhile, they
// do in the table of that moment; so the two strings are looked for and taken out there, and nothing else is touched.
ShortWaits::ShortWaits() {
    if (std::getenv("OMP_WAIT_POLICY") != nullptr) return;
    static auto& tables = *new std::vector<std::unique_ptr<std::vector<char*>>>();
    auto table = std::make_unique<std::vector<char*>>();
    for (char** entry = __atomic_load_n(&environ, __ATOMIC_ACQUIRE); entry != nullptr && *entry != nullptr; ++entry)
        table->push_back(*entry);
    if (std::getenv("GOMP_SPINCOUNT") == nullptr) table->push_back(spins);
    table->push_back(policy);
    table->push_back(nullptr);
    __atomic_store_n(&environ, table->data(), __ATOMIC_RELEASE);
    tables.push_back(std::move(table));
    set_ = true;
}

ShortWaits::~ShortWaits() {
    if (!set_) return;
    for (const char* own : {spins, policy}) {
        // Those behind it move up one by one: a reader sees one of them twice at most.
        char** entry = environ;
        while (*entry != nullptr && *entry != own) ++entry;
        for (; *entry != nullptr; ++entry) __atomic_store_n(entry, entry[1], __ATOMIC_RELEASE);
    }
}

}  // namespace rag::core
