// The shared memory of one block: full of NaN bits, with gaps around each array.
#pragma once

#include <array>
#include <cstddef>
#include <string>

namespace wrcor::emulator {

class SharedMemory {
 public:
  // `limit` is how much the arrays may take together.
  explicit SharedMemory(std::size_t limit);
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory();

  // The array of `declaration`, the same for all threads. Null where it does not fit any more.
  void* array(const void* declaration, const char* name, std::size_t bytes);

  // Where something was written outside of the arrays, "" if nothing was.
  std::string damage() const;

  // An address of its own, for ThreadSanitizer's idea of a barrier.
  void* tag(unsigned index) const { return mapped_ + index * kTagBytes; }
  static constexpr unsigned kTags = 1024;

 private:
  struct Array {
    const void* declaration;
    const char* name;
    std::size_t offset;
    std::size_t bytes;
  };
  bool clean(std::size_t begin, std::size_t end) const;

  static constexpr std::size_t kTagBytes = 8;
  // Not a vector: the threads of a block, which nothing orders in ThreadSanitizer's eyes, must not share memory of the
  // heap.
  static constexpr std::size_t kMaxArrays = 32;
  std::array<Array, kMaxArrays> arrays_;
  std::size_t count_ = 0;
  std::size_t left_;
  std::size_t shared_bytes_;
  std::size_t mapped_bytes_;
  unsigned char* mapped_;
  unsigned char* shared_;
  std::size_t end_;  // of the last array's gap
};

}  // namespace wrcor::emulator
