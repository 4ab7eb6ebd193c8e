// What libgomp, which LibTorch computes with, is told about waiting while it is being loaded, the only time at which it asks the
// environment. By itself it lets threads spin for some 15 ms wherever one is done before the others, which on a busy machine is
// most of the time (512 tokens of a prompt on two cores beside four busy processes took 8 s, with this 0.4 s); and where it has
// started more threads than there are cores, as it has as soon as two models are open, it lets them spin so shortly that each of
// a decoder's layers puts them to sleep and wakes them (SmolLM2 in int8 beside an encoder: 115 tokens a second, with this 290).
// Thread rule: one at a time; other threads may read the environment meanwhile.
#pragma once

namespace rag::core {

class ShortWaits {
  public:
    /// GOMP_SPINCOUNT is 10,000 and OMP_WAIT_POLICY active from here on, each where the user has not set it; but where
    /// OMP_WAIT_POLICY is set, nothing changes.
    ShortWaits();
    /// The two are gone; what others have set or removed meanwhile stays.
    ~ShortWaits();
    ShortWaits(const ShortWaits&) = delete;
    ShortWaits& operator=(const ShortWaits&) = delete;

  private:
    bool set_ = false;
};

}  // namespace rag::core
