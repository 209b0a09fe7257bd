// Fixed-width vectors for one instruction set, on the compilers' vector extension: arithmetic is written with plain
// operators. Included only by kernel sources; everything lives in the namespace WRCOR_ISA, so that code compiled for
// one instruction set can never be linked in the place of another's.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#ifndef WRCOR_ISA
#error "kernel sources are compiled with -DWRCOR_ISA=<instruction set>"
#endif

namespace wrcor::WRCOR_ISA {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

template <typename T>
struct VectorOf {
  typedef T type __attribute__((vector_size(kVectorBytes)));
};
template <typename T>
using Vector = typename VectorOf<T>::type;

template <typename T>
constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));

// Storage types of half precision: bits only, arithmetic happens after `load`.
struct Float16 {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};

// The type a stored element is computed in.
template <typename T>
struct ComputeOf {
  using type = float;
};
template <>
struct ComputeOf<double> {
  using type = double;
};
template <typename T>
using Compute = typename ComputeOf<T>::type;

template <typename V, typename T>
inline V load_unaligned(const T* from) {
  V value;
  std::memcpy(&value, from, sizeof(V));
  return value;
}

inline float to_float(float value) { return value; }
inline double to_float(double value) { return value; }

inline float to_float(BFloat16 value) {
  const uint32_t bits = static_cast<uint32_t>(value.bits) << 16;
  float result;
  std::memcpy(&result, &bits, sizeof(result));
  return result;
}

inline float to_float(Float16 value) {
#if defined(__F16C__)
  return _cvtsh_ss(value.bits);
#else
  const uint32_t sign = static_cast<uint32_t>(value.bits & 0x8000u) << 16;
  const uint32_t magnitude = value.bits & 0x7fffu;
  float result;
  if (magnitude < 0x0400u) {  // zero or subnormal: an integer multiple of 2^-24
    result = static_cast<float>(magnitude) * 0x1p-24f;
    return sign != 0 ? -result : result;
  }
  // Rebias the exponent by 127 - 15; an all-ones exponent (infinity, NaN) stays all ones.
  const uint32_t rebias = magnitude >= 0x7c00u ? 224u << 23 : 112u << 23;
  const uint32_t bits = sign | ((magnitude << 13) + rebias);
  std::memcpy(&result, &bits, sizeof(result));
  return result;
#endif
}

// kLanes<Compute<T>> consecutive elements as one vector of the compute type.
inline Vector<float> load(const float* from) { return load_unaligned<Vector<float>>(from); }
inline Vector<double> load(const double* from) { return load_unaligned<Vector<double>>(from); }

inline Vector<float> load(const BFloat16* from) {
  typedef uint16_t Narrow __attribute__((vector_size(kVectorBytes / 2)));
  const auto bits = __builtin_convertvector(load_unaligned<Narrow>(from), Vector<uint32_t>) << 16;
  return load_unaligned<Vector<float>>(&bits);
}

inline Vector<float> load(const Float16* from) {
#if defined(__AVX512F__)
  // The unmasked form warns of an uninitialised value in GCC 12.
  return (Vector<float>)_mm512_maskz_cvtph_ps(0xffff, load_unaligned<__m256i>(from));
#elif defined(__F16C__)
  return (Vector<float>)_mm256_cvtph_ps(load_unaligned<__m128i>(from));
#else
  Vector<float> result;
  for (int lane = 0; lane < kLanes<float>; ++lane) result[lane] = to_float(from[lane]);
  return result;
#endif
}

template <typename T>
inline Vector<T> broadcast(T value) {
  return Vector<T>{} + value;
}

// minimum(a, b) is b where a or b is a NaN, like the instruction; GCC does not make one of `a < b ? a : b`.
#if defined(__AVX512F__)
inline Vector<float> minimum(Vector<float> a, Vector<float> b) {
  return (Vector<float>)_mm512_maskz_min_ps(0xffff, a, b);
}
inline Vector<float> maximum(Vector<float> a, Vector<float> b) {
  return (Vector<float>)_mm512_maskz_max_ps(0xffff, a, b);
}
inline Vector<double> minimum(Vector<double> a, Vector<double> b) {
  return (Vector<double>)_mm512_maskz_min_pd(0xff, a, b);
}
inline Vector<double> maximum(Vector<double> a, Vector<double> b) {
  return (Vector<double>)_mm512_maskz_max_pd(0xff, a, b);
}
#elif defined(__AVX2__)
inline Vector<float> minimum(Vector<float> a, Vector<float> b) { return _mm256_min_ps(a, b); }
inline Vector<float> maximum(Vector<float> a, Vector<float> b) { return _mm256_max_ps(a, b); }
inline Vector<double> minimum(Vector<double> a, Vector<double> b) { return _mm256_min_pd(a, b); }
inline Vector<double> maximum(Vector<double> a, Vector<double> b) { return _mm256_max_pd(a, b); }
#elif defined(__SSE2__)
inline Vector<float> minimum(Vector<float> a, Vector<float> b) { return _mm_min_ps(a, b); }
inline Vector<float> maximum(Vector<float> a, Vector<float> b) { return _mm_max_ps(a, b); }
inline Vector<double> minimum(Vector<double> a, Vector<double> b) { return _mm_min_pd(a, b); }
inline Vector<double> maximum(Vector<double> a, Vector<double> b) { return _mm_max_pd(a, b); }
#else
template <typename V>
inline V minimum(V a, V b) {
  return a < b ? a : b;
}
template <typename V>
inline V maximum(V a, V b) {
  return a > b ? a : b;
}
#endif

namespace detail {

// One level of the reduction below. Lanes with bit `Half` clear get the sums of x, the others those of y.
template <int Half, typename V, int... Lane>
inline V fold(V x, V y, std::integer_sequence<int, Lane...>) {
  constexpr int n = sizeof...(Lane);
  const V straight = __builtin_shufflevector(x, y, ((Lane & Half) != 0 ? n + Lane : Lane)...);
  const V crossed = __builtin_shufflevector(x, y, ((Lane & Half) != 0 ? n + Lane - Half : Lane + Half)...);
  return straight + crossed;
}

template <typename T, int Half>
inline void fold_all(Vector<T>* sums) {
  if constexpr (Half > 0) {
    for (int i = 0; i < Half; ++i) {
      sums[i] = fold<Half>(sums[i], sums[i + Half], std::make_integer_sequence<int, kLanes<T>>());
    }
    fold_all<T, Half / 2>(sums);
  }
}

}  // namespace detail

// Sums of kLanes<T> vectors: lane i of the result is the sum over the lanes of sums[i]. All sums add their lanes in one
// and the same order, so equal inputs give equal sums. Overwrites `sums`.
template <typename T>
inline Vector<T> horizontal_sums(Vector<T>* sums) {
  detail::fold_all<T, kLanes<T> / 2>(sums);
  return sums[0];
}

namespace detail {

// Combines lanes at distance Half, Half / 2, ..., 1: every lane ends up with the result over all lanes.
template <int Half, typename V, typename Combine, int... Lane>
inline V butterfly(V value, Combine combine, std::integer_sequence<int, Lane...> lanes) {
  value = combine(value, (V)__builtin_shufflevector(value, value, (Lane ^ Half)...));
  if constexpr (Half > 1) value = butterfly<Half / 2>(value, combine, lanes);
  return value;
}

template <typename T, typename Combine>
inline T across(Vector<T> value, Combine combine) {
  return butterfly<kLanes<T> / 2>(value, combine, std::make_integer_sequence<int, kLanes<T>>())[0];
}

}  // namespace detail

template <typename T>
inline T horizontal_sum(Vector<T> value) {
  return detail::across<T>(value, [](Vector<T> a, Vector<T> b) { return a + b; });
}
template <typename T>
inline T horizontal_minimum(Vector<T> value) {
  return detail::across<T>(value, [](Vector<T> a, Vector<T> b) { return minimum(a, b); });
}
template <typename T>
inline T horizontal_maximum(Vector<T> value) {
  return detail::across<T>(value, [](Vector<T> a, Vector<T> b) { return maximum(a, b); });
}

}  // namespace wrcor::WRCOR_ISA
