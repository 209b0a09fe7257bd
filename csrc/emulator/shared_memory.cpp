#include "shared_memory.h"

#include <sys/mman.h>

#include <cstring>
#include <new>

#include "sanitizers.h"

namespace wrcor::emulator {

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kAlignment = 16;    // platform.cuh promises it
constexpr std::size_t kGap = 1024;        // wider than a row of the usual tiles, so that a row too many hits it
constexpr unsigned char kNothing = 0xff;  // all bits set are NaN in every floating-point type, and -1

std::size_t round_up(std::size_t bytes, std::size_t to) { return (bytes + to - 1) / to * to; }

}  // namespace

// Mapped anew for each block: ThreadSanitizer forgets what it knew of unmapped memory, so that nothing that happened in
// one block seems to order another or to race with it.
SharedMemory::SharedMemory(std::size_t limit) : left_(limit), end_(kGap) {
  const std::size_t tag_bytes = round_up(kTags * kTagBytes, kPage);
  shared_bytes_ = round_up(limit + kGap + kMaxArrays * (kGap + kAlignment), kPage);
  mapped_bytes_ = tag_bytes + shared_bytes_;
  void* const mapped = mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  mapped_ = static_cast<unsigned char*>(mapped);
  shared_ = mapped_ + tag_bytes;
  std::memset(shared_, kNothing, shared_bytes_);
  if (__asan_poison_memory_region != nullptr) __asan_poison_memory_region(shared_, shared_bytes_);
}

SharedMemory::~SharedMemory() {
  if (__asan_unpoison_memory_region != nullptr) __asan_unpoison_memory_region(shared_, shared_bytes_);
  munmap(mapped_, mapped_bytes_);
}

void* SharedMemory::array(const void* declaration, const char* name, std::size_t bytes) {
  for (std::size_t at = 0; at < count_; ++at) {
    if (arrays_[at].declaration == declaration) return shared_ + arrays_[at].offset;
  }
  const std::size_t room = round_up(bytes, kAlignment);
  if (room > left_ || count_ == kMaxArrays) return nullptr;
  void* const array = shared_ + end_;
  arrays_[count_++] = {declaration, name, end_, bytes};
  if (__asan_unpoison_memory_region != nullptr) __asan_unpoison_memory_region(array, bytes);
  left_ -= room;
  end_ += room + kGap;
  return array;
}

std::string SharedMemory::damage() const {
  std::size_t gap = 0;
  for (std::size_t at = 0; at < count_; ++at) {
    const Array& array = arrays_[at];
    if (!clean(gap, array.offset)) return std::string("just before shared array ") + array.name;
    gap = array.offset + array.bytes;
    const std::size_t gap_end = round_up(gap, kAlignment) + kGap;
    if (!clean(gap, gap_end)) {
      return std::string("behind shared array ") + array.name + " of " + std::to_string(array.bytes) + " bytes";
    }
    gap = gap_end;
  }
  return "";
}

bool SharedMemory::clean(std::size_t begin, std::size_t end) const {
  for (std::size_t at = begin; at < end; ++at) {
    if (shared_[at] != kNothing) return false;
  }
  return true;
}

}  // namespace wrcor::emulator
