// A stack of its own that can be entered, left and entered again: one per emulated CUDA thread.
//
// Switching uses the compiler's __builtin_setjmp and __builtin_longjmp, which save three registers and let the compiler
// spill what else it needs: no assembly, nothing to install, and much faster than swapcontext, which asks the operating
// system for the signal mask each time. The sanitizers are told of every switch.
#pragma once

#include <ucontext.h>

#include <cstddef>

namespace wrcor::emulator {

class Fiber {
 public:
  using Entry = void (*)();

  // The stack that it is made on: where a scheduler runs.
  Fiber() = default;
  // A new stack, on which `entry` runs from the first switch on. It must never return.
  explicit Fiber(Entry entry);
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  ~Fiber();

  // Leaves this fiber, which must be the running one, for another; returns when somebody switches back.
  void switch_to(Fiber& next);

 private:
  static void start();
  void arrive();

  void* jump_[5] = {};  // the size that __builtin_setjmp documents
  ucontext_t first_ = {};
  Entry entry_ = nullptr;
  bool fresh_ = false;
  void* mapped_ = nullptr;
  void* stack_ = nullptr;  // of the scheduler: learnt from AddressSanitizer
  std::size_t size_ = 0;
  void* fake_stack_ = nullptr;  // AddressSanitizer's
  void* tsan_fiber_ = nullptr;  // ThreadSanitizer's
};

}  // namespace wrcor::emulator
