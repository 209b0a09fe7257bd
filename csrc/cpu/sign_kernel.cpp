// Sign patterns: B = x > 0 packed to bits, pairs of rows compared by counting the bits of their exclusive or.
//
//   (B B^T + (1 - B)(1 - B)^T)_ij = D - unequal_ij
#include "simd.h"
#include "tables.h"

namespace wrcor::WRCOR_ISA {
namespace {

// Bit `lane` is set where the lane is positive.
inline uint64_t positive_mask(Vector<float> value) {
#if defined(__AVX512F__)
  return _mm512_cmp_ps_mask((__m512)value, _mm512_setzero_ps(), _CMP_GT_OQ);
#elif defined(__AVX2__)
  return static_cast<uint64_t>(_mm256_movemask_ps(_mm256_cmp_ps((__m256)value, _mm256_setzero_ps(), _CMP_GT_OQ)));
#elif defined(__SSE2__)
  return static_cast<uint64_t>(_mm_movemask_ps(_mm_cmpgt_ps((__m128)value, _mm_setzero_ps())));
#else
  uint64_t mask = 0;
  for (int lane = 0; lane < kLanes<float>; ++lane) mask |= static_cast<uint64_t>(value[lane] > 0) << lane;
  return mask;
#endif
}

inline uint64_t positive_mask(Vector<double> value) {
#if defined(__AVX512F__)
  return _mm512_cmp_pd_mask((__m512d)value, _mm512_setzero_pd(), _CMP_GT_OQ);
#elif defined(__AVX2__)
  return static_cast<uint64_t>(_mm256_movemask_pd(_mm256_cmp_pd((__m256d)value, _mm256_setzero_pd(), _CMP_GT_OQ)));
#elif defined(__SSE2__)
  return static_cast<uint64_t>(_mm_movemask_pd(_mm_cmpgt_pd((__m128d)value, _mm_setzero_pd())));
#else
  uint64_t mask = 0;
  for (int lane = 0; lane < kLanes<double>; ++lane) mask |= static_cast<uint64_t>(value[lane] > 0) << lane;
  return mask;
#endif
}

// Packs row[0, count), count <= kSignWords * 64, into whole words; bits behind the end are clear. False if a value is
// not finite.
template <typename T>
bool pack_row(const T* row, int64_t count, uint64_t* words) {
  using C = Compute<T>;
  constexpr int lanes = kLanes<C>;
  Vector<C> zeros = {};  // value - value is zero unless the value is a NaN or an infinity, which then stays
  int64_t d = 0;
  for (; d + 64 <= count; d += 64) {
    uint64_t word = 0;
    for (int part = 0; part < 64; part += lanes) {
      const Vector<C> value = load(row + d + part);
      zeros += value - value;
      word |= positive_mask(value) << part;
    }
    words[d / 64] = word;
  }
  C rest_zeros = 0;
  if (d < count) {
    uint64_t word = 0;
    for (int64_t bit = 0; d + bit < count; ++bit) {
      const C value = to_float(row[d + bit]);
      rest_zeros += value - value;
      word |= static_cast<uint64_t>(value > 0) << bit;
    }
    words[d / 64] = word;
  }
  return horizontal_sum<C>(zeros) + rest_zeros == C(0);
}

inline int64_t bit_count(uint64_t word) { return __builtin_popcountll(word); }

template <typename T>
bool distance(const Rows& x, int64_t begin, int64_t end, uint64_t* bits, int64_t* unequal) {
  constexpr int64_t block = kSignWords * 64;
  for (int64_t start = begin; start < end; start += block) {
    const int64_t count = end - start < block ? end - start : block;
    const int64_t words = (count + 63) / 64;
    const T* rows = static_cast<const T*>(x.data) + start;
    for (int64_t i = 0; i < x.rows; ++i) {
      if (!pack_row(rows + i * x.stride, count, bits + i * kSignWords)) return false;
    }
    for (int64_t i = 0; i < x.rows; ++i) {
      const uint64_t* a = bits + i * kSignWords;
      for (int64_t j = i + 1; j < x.rows; ++j) {
        const uint64_t* b = bits + j * kSignWords;
        int64_t sum = 0;
        for (int64_t w = 0; w < words; ++w) sum += bit_count(a[w] ^ b[w]);
        unequal[i * x.rows + j] += sum;
      }
    }
  }
  return true;
}

}  // namespace

bool sign_distance(const Rows& x, int64_t begin, int64_t end, uint64_t* bits, int64_t* unequal) {
  switch (x.element) {
    case Element::float32: return distance<float>(x, begin, end, bits, unequal);
    case Element::float64: return distance<double>(x, begin, end, bits, unequal);
    case Element::float16: return distance<Float16>(x, begin, end, bits, unequal);
    case Element::bfloat16: return distance<BFloat16>(x, begin, end, bits, unequal);
  }
  return false;
}

}  // namespace wrcor::WRCOR_ISA
