#include "arena.h"

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
constexpr std::size_t kTagBytes = 8;

std::size_t round_up(std::size_t bytes, std::size_t to) { return (bytes + to - 1) / to * to; }

}  // namespace

Arena::Arena(unsigned threads, std::size_t limit) : limit_(limit) {
  const std::size_t tag_bytes = round_up(kTags * kTagBytes, kPage);
  shared_bytes_ = round_up(limit + (kMaxArrays + 1) * kGap, kPage);
  mapped_bytes_ = tag_bytes + shared_bytes_ + threads * (kPage + kStackBytes);
  void* const mapped =
      mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  base_ = static_cast<unsigned char*>(mapped);
  shared_ = base_ + tag_bytes;
  stacks_ = shared_ + shared_bytes_;
  // Stacks grow down into a page that nobody may touch.
  for (unsigned thread = 0; thread < threads; ++thread) {
    mprotect(stacks_ + thread * (kPage + kStackBytes), kPage, PROT_NONE);
  }
  std::memset(shared_, kNothing, shared_bytes_);
  end_ = kGap;
  poison(0, shared_bytes_);
}

Arena::~Arena() {
  if (__asan_unpoison_memory_region != nullptr) __asan_unpoison_memory_region(base_, mapped_bytes_);
  munmap(base_, mapped_bytes_);
}

void* Arena::stack(unsigned thread) const { return stacks_ + thread * (kPage + kStackBytes) + kPage; }

void* Arena::tag(unsigned index) const { return base_ + index * kTagBytes; }

void* Arena::array(const void* declaration, const char* name, std::size_t bytes) {
  for (std::size_t at = 0; at < count_; ++at) {
    if (arrays_[at].declaration == declaration) return shared_ + arrays_[at].offset;
  }
  const std::size_t room = round_up(bytes, kAlignment);
  if (room > limit_ - taken_ || count_ == kMaxArrays) return nullptr;
  void* const array = shared_ + end_;
  arrays_[count_++] = {declaration, name, end_, bytes};
  unpoison(end_, end_ + bytes);
  taken_ += room;
  end_ += room + kGap;
  return array;
}

std::string Arena::damage() const {
  std::size_t gap_begin = 0;
  for (std::size_t at = 0; at < count_; ++at) {
    const Array& array = arrays_[at];
    if (!clean(gap_begin, array.offset)) return std::string("just before shared array ") + array.name;
    gap_begin = array.offset + array.bytes;
    const std::size_t gap_end = round_up(gap_begin, kAlignment) + kGap;
    if (!clean(gap_begin, gap_end)) {
      return "behind shared array " + std::string(array.name) + " of " + std::to_string(array.bytes) + " bytes";
    }
    gap_begin = gap_end;
  }
  return "";
}

void Arena::reset() {
  unpoison(0, end_);
  std::memset(shared_, kNothing, end_);
  poison(0, end_);
  count_ = 0;
  taken_ = 0;
  end_ = kGap;
}

bool Arena::clean(std::size_t begin, std::size_t end) const {
  for (std::size_t at = begin; at < end; ++at) {
    if (shared_[at] != kNothing) return false;
  }
  return true;
}

void Arena::poison(std::size_t begin, std::size_t end) const {
  if (__asan_poison_memory_region != nullptr) __asan_poison_memory_region(shared_ + begin, end - begin);
}

void Arena::unpoison(std::size_t begin, std::size_t end) const {
  if (__asan_unpoison_memory_region != nullptr) __asan_unpoison_memory_region(shared_ + begin, end - begin);
}

}  // namespace wrcor::emulator
