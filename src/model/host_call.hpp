// What the backend asks while it computes: whether to go on. Wraps a function of the host, which may throw, for an interface
// that no exception crosses; the exception is thrown again when the backend's call has ended. One call, one thread at a time.
#pragma once

#include <exception>
#include <functional>

#include "core/cancel.hpp"
#include "model/backend.hpp"
#include "model/model.hpp"

namespace rag::core {

class StopCheck {
  public:
    /// `stop`: true ends the call; empty never does.
    explicit StopCheck(std::function<bool()> stop) : stop_(std::move(stop)) {}
    HostCall call() { return stop_ ? HostCall{&StopCheck::poll, this} : HostCall{}; }
    /// Throws what `stop` threw, Stopped, or the status' error.
    void finish(const BackendStatus& status) const {
        if (thrown_) std::rethrow_exception(thrown_);
        check_status(status);
    }

  private:
    static bool poll(void* context) {
        auto& self = *static_cast<StopCheck*>(context);
        if (self.thrown_) return true;
        try {
            return self.stop_();
        } catch (...) {
            self.thrown_ = std::current_exception();
            return true;
        }
    }
    std::function<bool()> stop_;
    std::exception_ptr thrown_;
};

}  // namespace rag::core
