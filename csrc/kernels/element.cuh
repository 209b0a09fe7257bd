// Elements of a response: the type each is computed in, 16-byte loads, exact powers of two.
#pragma once

#include "platform.cuh"

namespace wrcor {

// The type that a stored element is computed in.
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

// Bytes of the widest load of a thread, and elements in it.
constexpr int kLoadBytes = 16;
template <typename T>
constexpr int kVector = kLoadBytes / static_cast<int>(sizeof(T));

__device__ inline float to_compute(float value) { return value; }
__device__ inline double to_compute(double value) { return value; }
__device__ inline float to_compute(__half value) { return __half2float(value); }
__device__ inline float to_compute(__nv_bfloat16 value) { return __bfloat162float(value); }

// How a thread keeps elements in registers: float32 and float64 as they are, the others two to a word, the first one
// below, and converted wherever they are used. Bits, not values: a copy never changes a NaN.
template <typename T>
struct Storage {
  using Word = T;
  static constexpr int kPerWord = 1;
  __device__ static Compute<T> get(const Word* words, int v) { return words[v]; }
};
template <>
struct Storage<__half> {
  using Word = u32;
  static constexpr int kPerWord = 2;
  __device__ static Word pack(__half value) { return __half_as_ushort(value); }
  __device__ static float get(const Word* words, int v) {
    return __half2float(__ushort_as_half(static_cast<unsigned short>(words[v / 2] >> (v % 2 * 16))));
  }
};
template <>
struct Storage<__nv_bfloat16> {
  using Word = u32;
  static constexpr int kPerWord = 2;
  __device__ static Word pack(__nv_bfloat16 value) { return __bfloat16_as_ushort(value); }
  __device__ static float get(const Word* words, int v) {
    return __uint_as_float(v % 2 == 0 ? words[v / 2] << 16 : words[v / 2] & 0xffff0000u);
  }
};

// out = 16 bytes at `from`, which lies on 16 bytes.
__device__ inline void load_words(const void* from, float* out) {
  const float4 raw = __ldg(static_cast<const float4*>(from));
  out[0] = raw.x;
  out[1] = raw.y;
  out[2] = raw.z;
  out[3] = raw.w;
}
__device__ inline void load_words(const void* from, double* out) {
  const double2 raw = __ldg(static_cast<const double2*>(from));
  out[0] = raw.x;
  out[1] = raw.y;
}
__device__ inline void load_words(const void* from, u32* out) {
  const uint4 raw = __ldg(static_cast<const uint4*>(from));
  out[0] = raw.x;
  out[1] = raw.y;
  out[2] = raw.z;
  out[3] = raw.w;
}

// Values of one lane out of row[0, count); elements from `count` on are zero and are not read. A lane loads 16 bytes at
// once where rows are aligned; where they are not, neighbouring lanes load neighbours. One order holds for all rows of
// a response, and neither correlation nor counting depends on which it is.
template <typename T, int kLanes, int kValues>
struct LaneValues {
  using Words = Storage<T>;
  static constexpr int kLoad = kVector<T>;
  static constexpr int kWords = kValues / Words::kPerWord;
  static_assert(kValues % kLoad == 0 && kValues <= 32, "whole loads, a bit per value");
  typename Words::Word words[kWords];

  __device__ Compute<T> operator[](int v) const { return Words::get(words, v); }

  // Index of value `v` of a lane.
  __device__ static int index(bool aligned, int lane, int v) {
    const int first = aligned ? lane * kLoad : lane, step = aligned ? 1 : kLanes;
    return (v - v % kLoad) * kLanes + first + v % kLoad * step;
  }

  // Bit v is set where value v is one of the first `count` elements.
  __device__ static u32 within(int count, bool aligned, int lane) {
    u32 mask = 0;
#pragma unroll
    for (int v = 0; v < kValues; ++v) mask |= index(aligned, lane, v) < count ? 1u << v : 0u;
    return mask;
  }

  __device__ void load(const T* row, int count, bool aligned, int lane) {
#pragma unroll
    for (int start = 0; start < kValues; start += kLoad) {
      const int first = index(true, lane, start);
      if (aligned && first + kLoad <= count) {
        load_words(row + first, words + start / Words::kPerWord);
      } else {
#pragma unroll
        for (int v = start; v < start + kLoad; v += Words::kPerWord) {
          typename Words::Word word = 0;
#pragma unroll
          for (int part = 0; part < Words::kPerWord; ++part) {
            const int at = index(aligned, lane, v + part);
            if (at >= count) continue;
            if constexpr (Words::kPerWord == 1) {
              word = row[at];
            } else {
              word |= Words::pack(row[at]) << (part * 16);
            }
          }
          words[v / Words::kPerWord] = word;
        }
      }
    }
  }
};

// 1 / value, within two units in the last place, for values between 1 and 2^31. IEEE's division would call a function
// for what is rare, and a call takes registers.
__device__ inline float reciprocal(float value) { return __fdividef(1.0f, value); }
__device__ inline double reciprocal(double value) { return 1.0 / value; }

// False for a NaN and for an infinity.
template <typename C>
__host__ __device__ inline bool is_finite(C value) {
  return value - value == C(0);
}

// NVRTC has no INFINITY and no NAN.
__device__ inline double infinity() { return __longlong_as_double(0x7ff0000000000000ll); }
__device__ inline double quiet_nan() { return __longlong_as_double(0x7ff8000000000000ll); }

// Exponent of an all-zero row: below every other, so that it never decides a common scale.
constexpr int kZeroExponent = -100000;

// Exponents e for which 2^e and 2^-e are both normal numbers: |e| <= kExponentLimit.
template <typename C>
constexpr int kExponentLimit = sizeof(C) == 8 ? 1022 : 126;

// 2^exponent for |exponent| <= kExponentLimit.
template <typename C>
__device__ inline C power_of_two(int exponent) {
  if constexpr (sizeof(C) == 8) {
    return __longlong_as_double(static_cast<i64>(exponent + 1023) << 52);
  } else {
    return __int_as_float((exponent + 127) << 23);
  }
}

// 2^exponent for exponent <= 0, flushed to zero where it would not be a normal number.
template <typename C>
__device__ inline C shrink(int exponent) {
  return exponent < -kExponentLimit<C> ? C(0) : power_of_two<C>(exponent);
}

// Exponent of a finite positive value, kept within kExponentLimit.
template <typename C>
__device__ inline int scale_exponent(C magnitude) {
  int exponent;
  if constexpr (sizeof(C) == 8) {
    exponent = static_cast<int>(__double_as_longlong(magnitude) >> 52) - 1023;
  } else {
    exponent = (__float_as_int(magnitude) >> 23) - 127;
  }
  const int limit = kExponentLimit<C>;
  return exponent < -limit ? -limit : exponent > limit ? limit : exponent;
}

}  // namespace wrcor
