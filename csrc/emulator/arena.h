// The memory of one block: a stack per thread, and its shared memory, full of NaN bits, with gaps around each array.
//
// All of it is mapped anew with each arena: ThreadSanitizer forgets what it knew of unmapped memory, so nothing that
// happened in one block seems to order another.
#pragma once

#include <array>
#include <cstddef>
#include <string>

namespace wrcor::emulator {

class Arena {
 public:
  // `limit` is how much shared memory the arrays may take together.
  Arena(unsigned threads, std::size_t limit);
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  static constexpr std::size_t kStackBytes = 128 * 1024;
  void* stack(unsigned thread) const;

  // The array of `declaration`, the same for all threads. Null where it does not fit any more.
  void* array(const void* declaration, const char* name, std::size_t bytes);

  // Where something was written outside of the arrays, "" if nothing was. Once per block, at its end.
  std::string damage() const;

  // Between two blocks: forgets the arrays.
  void reset();

  // An address of its own, for ThreadSanitizer's idea of a barrier.
  void* tag(unsigned index) const;
  static constexpr unsigned kTags = 2048;

 private:
  struct Array {
    const void* declaration;
    const char* name;
    std::size_t offset;
    std::size_t bytes;
  };
  bool clean(std::size_t begin, std::size_t end) const;
  void poison(std::size_t begin, std::size_t end) const;
  void unpoison(std::size_t begin, std::size_t end) const;

  std::size_t limit_;
  std::size_t taken_ = 0;  // of the limit
  std::size_t shared_bytes_;
  std::size_t mapped_bytes_;
  unsigned char* base_;
  unsigned char* shared_;
  unsigned char* stacks_;
  // Not a vector: the threads of a block, which nothing orders in ThreadSanitizer's eyes, must not share the heap's
  // memory.
  static constexpr std::size_t kMaxArrays = 32;
  std::array<Array, kMaxArrays> arrays_;
  std::size_t count_ = 0;
  std::size_t end_;  // of the last array's gap
};

}  // namespace wrcor::emulator
