// Working memory of a kernel: one block per thread that grows and is kept, since a score makes hundreds of small calls.
#pragma once

#include <cstdint>
#include <memory>
#include <new>

namespace wrcor {

// 64-byte aligned memory that only grows; its contents do not survive `reserve`.
class AlignedBuffer {
 public:
  char* reserve(int64_t bytes) {
    if (bytes > capacity_) {
      memory_.reset();
      memory_.reset(static_cast<char*>(::operator new(static_cast<size_t>(bytes), kAlignment)));
      capacity_ = bytes;
    }
    return memory_.get();
  }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Release {
    void operator()(char* memory) const { ::operator delete(memory, kAlignment); }
  };
  std::unique_ptr<char, Release> memory_;
  int64_t capacity_ = 0;
};

constexpr int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace wrcor
