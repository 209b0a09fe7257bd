// CUDA's device functions, as far as the kernels use them. Sites are taken by default arguments: that names the line of
// the kernel and, unlike a return address, survives the compiler's copying of code.
#pragma once

#include <math.h>  // not <cmath>: isnan, fma and the like are global names in CUDA

#include <cstring>
#include <string>

#include "scheduler.h"

#define WRCOR_SITE(operation) \
  ::wrcor::emulator::Site { operation, file, line }
#define WRCOR_HERE const char *file = __builtin_FILE(), int line = __builtin_LINE()

namespace wrcor::emulator {

constexpr unsigned kWarp = 32;

template <typename To, typename From>
To bits(From value) {
  static_assert(sizeof(To) == sizeof(From), "as many bits");
  To result;
  std::memcpy(&result, &value, sizeof(To));
  return result;
}

template <typename T>
T shuffle(Site site, unsigned mask, T value, unsigned source) {
  static_assert(sizeof(T) <= sizeof(std::uint64_t), "the device shuffles up to eight bytes");
  std::uint64_t posted = 0;
  std::memcpy(&posted, &value, sizeof(T));
  const std::uint64_t received = meet(Collective::shuffle, site, mask, posted, source);
  T result;
  std::memcpy(static_cast<void*>(&result), &received, sizeof(T));
  return result;
}

// First lane of the segment of `width` lanes that the running thread is in.
inline unsigned segment(int width) {
  if (width <= 0 || width > static_cast<int>(kWarp) || (width & (width - 1)) != 0) {
    fail("a shuffle's width is a power of two up to 32, not " + std::to_string(width));
  }
  return lane() & ~static_cast<unsigned>(width - 1);
}

// T stands for float, double, or an integer of 4 or 8 bytes. Relaxed, like the device's: orders nothing.
template <typename T>
T atomic_add(T* address, T value) {
  T expected;
  __atomic_load(address, &expected, __ATOMIC_RELAXED);
  T desired = expected + value;
  while (!__atomic_compare_exchange(address, &expected, &desired, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    desired = expected + value;
  }
  return expected;
}

}  // namespace wrcor::emulator

// CUDA's names, one line each, as in its reference.
#define WRCOR_MEET(kind, operation, ...) \
  ::wrcor::emulator::meet(::wrcor::emulator::Collective::kind, WRCOR_SITE(operation), __VA_ARGS__)

// Barriers and votes of the block.
inline void __syncthreads(WRCOR_HERE) { WRCOR_MEET(block_barrier, "__syncthreads", 0, 0, 0); }
inline int __syncthreads_count(int predicate, WRCOR_HERE) {
  return static_cast<int>(WRCOR_MEET(block_barrier, "__syncthreads_count", 0, predicate != 0, 0));
}
inline int __syncthreads_or(int predicate, WRCOR_HERE) {
  return WRCOR_MEET(block_barrier, "__syncthreads_or", 0, predicate != 0, 0) != 0;
}
inline int __syncthreads_and(int predicate, WRCOR_HERE) {
  return WRCOR_MEET(block_barrier, "__syncthreads_and", 0, predicate == 0, 0) == 0;
}

// Barriers, votes and shuffles of the warp.
inline void __syncwarp(unsigned mask = 0xffffffffu, WRCOR_HERE) { WRCOR_MEET(warp_barrier, "__syncwarp", mask, 0, 0); }
inline unsigned __ballot_sync(unsigned mask, int predicate, WRCOR_HERE) {
  return static_cast<unsigned>(WRCOR_MEET(ballot, "__ballot_sync", mask, predicate != 0, 0));
}
inline int __any_sync(unsigned mask, int predicate, WRCOR_HERE) {
  return WRCOR_MEET(ballot, "__any_sync", mask, predicate != 0, 0) != 0;
}
inline int __all_sync(unsigned mask, int predicate, WRCOR_HERE) {
  return WRCOR_MEET(ballot, "__all_sync", mask, predicate == 0, 0) == 0;
}
template <typename T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, WRCOR_HERE) {
  const unsigned first = wrcor::emulator::segment(width);
  const unsigned from = first + (static_cast<unsigned>(source) & static_cast<unsigned>(width - 1));
  return wrcor::emulator::shuffle(WRCOR_SITE("__shfl_sync"), mask, value, from);
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, WRCOR_HERE) {
  const unsigned lane = wrcor::emulator::lane();
  const unsigned first = wrcor::emulator::segment(width);
  return wrcor::emulator::shuffle(WRCOR_SITE("__shfl_up_sync"), mask, value,
                                  lane - first >= delta ? lane - delta : lane);
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, WRCOR_HERE) {
  const unsigned lane = wrcor::emulator::lane();
  const unsigned end = wrcor::emulator::segment(width) + static_cast<unsigned>(width);
  return wrcor::emulator::shuffle(WRCOR_SITE("__shfl_down_sync"), mask, value,
                                  delta < end - lane ? lane + delta : lane);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, WRCOR_HERE) {
  const unsigned lane = wrcor::emulator::lane();
  const unsigned end = wrcor::emulator::segment(width) + static_cast<unsigned>(width);
  const unsigned from = lane ^ static_cast<unsigned>(lanes);
  return wrcor::emulator::shuffle(WRCOR_SITE("__shfl_xor_sync"), mask, value, from < end ? from : lane);
}

// Memory.
inline int atomicAdd(int* address, int value) { return wrcor::emulator::atomic_add(address, value); }
inline unsigned atomicAdd(unsigned* address, unsigned value) { return wrcor::emulator::atomic_add(address, value); }
inline unsigned long long atomicAdd(unsigned long long* address, unsigned long long value) {
  return wrcor::emulator::atomic_add(address, value);
}
inline float atomicAdd(float* address, float value) { return wrcor::emulator::atomic_add(address, value); }
inline double atomicAdd(double* address, double value) { return wrcor::emulator::atomic_add(address, value); }
template <typename T>
T __ldg(const T* address) {
  return *address;
}

// Bits.
inline int __popc(unsigned value) { return __builtin_popcount(value); }
inline int __popcll(unsigned long long value) { return __builtin_popcountll(value); }
inline int __ffs(int value) { return __builtin_ffs(value); }
inline int __clz(int value) { return value == 0 ? 32 : __builtin_clz(static_cast<unsigned>(value)); }
inline int __float_as_int(float value) { return wrcor::emulator::bits<int>(value); }
inline unsigned __float_as_uint(float value) { return wrcor::emulator::bits<unsigned>(value); }
inline float __int_as_float(int value) { return wrcor::emulator::bits<float>(value); }
inline float __uint_as_float(unsigned value) { return wrcor::emulator::bits<float>(value); }
inline long long __double_as_longlong(double value) { return wrcor::emulator::bits<long long>(value); }
inline double __longlong_as_double(long long value) { return wrcor::emulator::bits<double>(value); }

// Arithmetic. CUDA's min and max are overloads, not templates: arguments of different types are an error or convert.
#define WRCOR_MIN_MAX(type)                                 \
  inline type min(type a, type b) { return b < a ? b : a; } \
  inline type max(type a, type b) { return a < b ? b : a; }
WRCOR_MIN_MAX(int)
WRCOR_MIN_MAX(unsigned)
WRCOR_MIN_MAX(long)
WRCOR_MIN_MAX(unsigned long)
WRCOR_MIN_MAX(long long)
WRCOR_MIN_MAX(unsigned long long)
#undef WRCOR_MIN_MAX
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }
inline float __fdividef(float a, float b) { return a / b; }
inline float rsqrtf(float value) { return 1.0f / sqrtf(value); }
inline float rsqrt(float value) { return rsqrtf(value); }
inline double rsqrt(double value) { return 1.0 / sqrt(value); }

#undef WRCOR_MEET
