// Who waits for whom when there are fewer cores than threads: answers before upkeep. Searches are counted; work that takes long
// (a writer's transaction, the building of a graph) asks at its polling points whether they keep all cores busy, and then pauses
// for a multiple of what it has worked since its last pause. So a search is held up by pieces of work of a fraction of a
// millisecond instead of the scheduler's slices of some, and the work goes on at that share of its speed or more, however many
// searches there are. Thread rule: a Courtesy any thread; a Pace belongs to one thread at a time.
#pragma once

#include <atomic>
#include <cstddef>

namespace rag::core {

class Courtesy {
  public:
    Courtesy();
    /// A search, from its beginning to its end.
    class Guest {
      public:
        explicit Guest(Courtesy& courtesy) noexcept : courtesy_(courtesy) { courtesy_.guests_.fetch_add(1); }
        ~Guest() { courtesy_.guests_.fetch_sub(1); }
        Guest(const Guest&) = delete;
        Guest& operator=(const Guest&) = delete;

      private:
        Courtesy& courtesy_;
    };

  private:
    friend class Pace;
    /// There are searches, and with them and all long work more threads than cores that the process may use.
    bool crowded() const noexcept {
        const std::size_t guests = guests_.load(std::memory_order_relaxed);
        return guests > 0 && guests + workers_.load(std::memory_order_relaxed) > cores_;
    }
    std::atomic<std::size_t> guests_{0};
    std::atomic<std::size_t> workers_{0};
    std::size_t cores_;
};

/// How many times as long as the work between them pauses take (ARCHITECTURE has the figures). A writer waits longer than what
/// builds graphs: what it adds faster than they are built is a tail that every search has to scan.
inline constexpr double kUpkeepPatience = 3;
inline constexpr double kWriterPatience = 4;

/// Of one piece of long work.
class Pace {
  public:
    Pace(Courtesy& courtesy, double patience) noexcept : courtesy_(courtesy), patience_(patience) {
        courtesy_.workers_.fetch_add(1);
    }
    ~Pace() { courtesy_.workers_.fetch_sub(1); }
    Pace(const Pace&) = delete;
    Pace& operator=(const Pace&) = delete;
    /// May pause, for 2 ms at most. Costs nanoseconds where nothing is crowded. To be called several times a millisecond, holding
    /// no lock that a search takes.
    void give_way() noexcept;

  private:
    Courtesy& courtesy_;
    const double patience_;
    bool counting_ = false;
    double worked_to_ms_ = 0;  // the thread's CPU time at the last pause
};

}  // namespace rag::core
