#include "fiber.h"

#include "sanitizers.h"

namespace wrcor::emulator {

namespace {

constexpr unsigned kNoSync = 1;  // __tsan_switch_to_fiber_no_sync: a switch orders nothing, as on the device

Fiber* leaving = nullptr;
Fiber* arriving = nullptr;
Fiber::Entry entering = nullptr;

// In functions of their own: the two builtins must not meet in one.
[[noreturn, gnu::noinline]] void jump(void** buffer) { __builtin_longjmp(buffer, 1); }

}  // namespace

Fiber::~Fiber() {
  if (tsan_fiber_ != nullptr && entry_ != nullptr) __tsan_destroy_fiber(tsan_fiber_);
}

void Fiber::prepare(void* stack, std::size_t size, Entry entry) {
  stack_ = stack;
  size_ = size;
  entry_ = entry;
  fresh_ = true;
  fake_stack_ = nullptr;
  if (__tsan_create_fiber != nullptr) {
    if (tsan_fiber_ != nullptr) __tsan_destroy_fiber(tsan_fiber_);
    tsan_fiber_ = __tsan_create_fiber(0);
  }
  getcontext(&start_);
  start_.uc_stack.ss_sp = stack;
  start_.uc_stack.ss_size = size;
  start_.uc_link = nullptr;
  makecontext(
      &start_,
      [] {
        arriving->arrive();
        entering();
      },
      0);
}

// First thing on the stack that was switched to.
void Fiber::arrive() {
  if (__sanitizer_finish_switch_fiber == nullptr) return;
  const void* bottom = nullptr;
  std::size_t size = 0;
  __sanitizer_finish_switch_fiber(fake_stack_, &bottom, &size);
  leaving->stack_ = const_cast<void*>(bottom);
  leaving->size_ = size;
}

[[gnu::noinline]] void Fiber::switch_to(Fiber& next) {
  leaving = this;
  arriving = &next;
  if (__sanitizer_start_switch_fiber != nullptr) __sanitizer_start_switch_fiber(&fake_stack_, next.stack_, next.size_);
  if (__tsan_switch_to_fiber != nullptr) {
    if (tsan_fiber_ == nullptr) tsan_fiber_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(next.tsan_fiber_, kNoSync);
  }
  if (__builtin_setjmp(jump_) == 0) {
    if (!next.fresh_) jump(next.jump_);
    next.fresh_ = false;
    entering = next.entry_;
    setcontext(&next.start_);
  }
  arriving->arrive();
}

}  // namespace wrcor::emulator
