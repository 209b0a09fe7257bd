#include "fiber.h"

#include <sys/mman.h>

#include <new>

#include "sanitizers.h"

namespace wrcor::emulator {

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kStack = 128 * 1024;  // AddressSanitizer's frames are several times as large as they look
constexpr unsigned kNoSync = 1;             // __tsan_switch_to_fiber_no_sync: a switch orders nothing, as on the device

Fiber* leaving = nullptr;
Fiber* arriving = nullptr;

// In a function of its own: the two builtins must not meet in one.
[[noreturn, gnu::noinline]] void jump(void** buffer) { __builtin_longjmp(buffer, 1); }

}  // namespace

Fiber::Fiber(Entry entry) : entry_(entry), fresh_(true), size_(kStack) {
  // Stacks grow down into a page that nobody may touch.
  mapped_ = mmap(nullptr, kPage + kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped_ == MAP_FAILED) throw std::bad_alloc();
  mprotect(mapped_, kPage, PROT_NONE);
  stack_ = static_cast<char*>(mapped_) + kPage;
  if (__tsan_create_fiber != nullptr) tsan_fiber_ = __tsan_create_fiber(0);
  getcontext(&first_);
  first_.uc_stack.ss_sp = stack_;
  first_.uc_stack.ss_size = size_;
  makecontext(&first_, start, 0);
}

Fiber::~Fiber() {
  if (entry_ == nullptr) return;
  if (tsan_fiber_ != nullptr) __tsan_destroy_fiber(tsan_fiber_);
  if (__asan_unpoison_memory_region != nullptr) __asan_unpoison_memory_region(stack_, size_);
  munmap(mapped_, kPage + kStack);
}

void Fiber::start() {
  arriving->arrive();
  arriving->entry_();
}

// First thing on the stack that was switched to.
void Fiber::arrive() {
  if (__sanitizer_finish_switch_fiber == nullptr) return;
  const void* bottom = nullptr;
  __sanitizer_finish_switch_fiber(fake_stack_, &bottom, &leaving->size_);
  leaving->stack_ = const_cast<void*>(bottom);
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
    setcontext(&next.first_);
  }
  arriving->arrive();
}

}  // namespace wrcor::emulator
