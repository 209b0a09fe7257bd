// A stack of its own that can be entered, left and entered again: one per emulated CUDA thread.
//
// Switching uses the compiler's __builtin_setjmp and __builtin_longjmp, which save three registers and let the compiler
// spill what else it needs: no assembly, nothing to install, and ten times as fast as swapcontext, which calls the
// kernel for the signal mask each time. The sanitizers are told of every switch.
#pragma once

#include <ucontext.h>

#include <cstddef>

namespace wrcor::emulator {

class Fiber {
 public:
  using Entry = void (*)();

  // The stack that called: where a scheduler runs.
  Fiber() = default;
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  ~Fiber();

  // Makes `entry` run on [stack, stack + size) at the first switch. It must never return.
  void prepare(void* stack, std::size_t size, Entry entry);

  // Leaves this fiber, which must be the running one, for another; returns when somebody switches back.
  void switch_to(Fiber& next);

 private:
  void arrive();

  void* jump_[5] = {};  // the size that __builtin_setjmp documents
  ucontext_t start_ = {};
  Entry entry_ = nullptr;
  bool fresh_ = false;
  void* stack_ = nullptr;  // of the scheduler: asked from AddressSanitizer when first left
  std::size_t size_ = 0;
  void* fake_stack_ = nullptr;  // AddressSanitizer's
  void* tsan_fiber_ = nullptr;  // ThreadSanitizer's
};

}  // namespace wrcor::emulator
