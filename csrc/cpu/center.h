// Step one of a slice: read the rows once, centre them by their own means and lay them out for the Gram kernel.
#pragma once

#include "simd.h"

namespace wrcor::WRCOR_ISA {

// Rows are packed in panels of four: for each vector of features, the vectors of the four rows side by side. The Gram
// kernel then reads two streams only, however many rows there are.
constexpr int kPanelRows = 4;

// What one row looks like within a slice. z = (x - centre) / 2^exponent is what the panel holds.
struct RowSlice {
  int exponent;     // so that the largest magnitude over 2^exponent lies in [1, 2), where the type allows
  double centre;    // a value near the row's mean, in units of 2^exponent
  double residual;  // sum of z: what the rounded centre left over
  double low;
  double high;  // NaN if the row holds a NaN or an infinity; its panel entries are then zero
};

// Exponent of an all-zero row: below every other, so that it never decides a common scale.
constexpr int kZeroExponent = -100000;

template <typename T>
struct FloatTraits;
template <>
struct FloatTraits<float> {
  using Bits = uint32_t;
  static constexpr int mantissa = 23, bias = 127;
};
template <>
struct FloatTraits<double> {
  using Bits = uint64_t;
  static constexpr int mantissa = 52, bias = 1023;
};

// 2^exponent for a normal result.
template <typename C>
inline C power_of_two(int exponent) {
  using Traits = FloatTraits<C>;
  const auto bits = static_cast<typename Traits::Bits>(exponent + Traits::bias) << Traits::mantissa;
  C result;
  std::memcpy(&result, &bits, sizeof(result));
  return result;
}

// Exponent of a finite positive value, kept where both 2^exponent and 2^-exponent are normal numbers.
template <typename C>
inline int scale_exponent(C magnitude) {
  using Traits = FloatTraits<C>;
  typename Traits::Bits bits;
  std::memcpy(&bits, &magnitude, sizeof(bits));
  const int exponent = static_cast<int>(bits >> Traits::mantissa) - Traits::bias;
  const int limit = Traits::bias - 1;
  return exponent < -limit ? -limit : exponent > limit ? limit : exponent;
}

template <typename C>
inline bool is_finite(C value) {
  return value - value == C(0);
}

// Sum of row[0, count) times `scale`.
template <typename T>
inline Compute<T> scaled_sum(const T* row, int64_t count, Compute<T> scale) {
  Compute<T> sum = 0;
  for (int64_t d = 0; d < count; ++d) sum += to_float(row[d]) * scale;
  return sum;
}

// Independent chains of a row's reductions: hides the latency of additions and comparisons.
constexpr int kChains = 4;

// Centres row[0, count) into row `slot` of the panel, zero-padded to whole vectors.
template <typename T>
inline RowSlice center_row(const T* row, int64_t count, Vector<Compute<T>>* panel, int slot) {
  using C = Compute<T>;
  using V = Vector<C>;
  constexpr int lanes = kLanes<C>;
  const int64_t whole = count / lanes;
  const int64_t rest = count - whole * lanes;

  const C first = to_float(row[0]);
  V sums[kChains] = {}, lows[kChains], highs[kChains];
  for (int u = 0; u < kChains; ++u) lows[u] = highs[u] = broadcast(first);
  int64_t v = 0;
  for (; v + kChains <= whole; v += kChains) {
    for (int u = 0; u < kChains; ++u) {
      const V value = load(row + (v + u) * lanes);
      sums[u] += value;
      lows[u] = minimum(value, lows[u]);
      highs[u] = maximum(value, highs[u]);
    }
  }
  for (; v < whole; ++v) {
    const V value = load(row + v * lanes);
    sums[0] += value;
    lows[0] = minimum(value, lows[0]);
    highs[0] = maximum(value, highs[0]);
  }
  const V low_lanes = minimum(minimum(lows[0], lows[1]), minimum(lows[2], lows[3]));
  const V high_lanes = maximum(maximum(highs[0], highs[1]), maximum(highs[2], highs[3]));
  C sum = horizontal_sum<C>((sums[0] + sums[1]) + (sums[2] + sums[3]));
  C low = horizontal_minimum<C>(low_lanes), high = horizontal_maximum<C>(high_lanes);
  for (int64_t d = whole * lanes; d < count; ++d) {
    const C value = to_float(row[d]);
    sum += value;
    low = value < low ? value : low;
    high = value > high ? value : high;
  }

  C mean = sum / static_cast<C>(count);
  bool finite = is_finite(sum);
  if (!finite) {
    // A NaN or an infinity, or else finite values whose sum overflows: 2^-32 leaves room for any slice.
    const C scaled = scaled_sum(row, count, C(0x1p-32));
    finite = is_finite(scaled);
    mean = scaled / static_cast<C>(count) * C(0x1p32);
  }
  const int64_t vectors = whole + (rest > 0 ? 1 : 0);
  V* out = panel + slot;
  if (!finite) {
    for (int64_t i = 0; i < vectors; ++i) out[i * kPanelRows] = V{};
    return {kZeroExponent, 0.0, 0.0, 0.0, __builtin_nan("")};
  }
  mean = mean < low ? low : mean > high ? high : mean;
  const C magnitude = -low > high ? -low : high;
  const int exponent = magnitude > C(0) ? scale_exponent(magnitude) : 0;
  const C scale = power_of_two<C>(-exponent);
  const C centre = mean * scale;

  V residuals[kChains] = {};
  for (v = 0; v + kChains <= whole; v += kChains) {
    for (int u = 0; u < kChains; ++u) {
      const V z = load(row + (v + u) * lanes) * scale - centre;
      residuals[u] += z;
      out[(v + u) * kPanelRows] = z;
    }
  }
  for (; v < whole; ++v) {
    const V z = load(row + v * lanes) * scale - centre;
    residuals[0] += z;
    out[v * kPanelRows] = z;
  }
  C residual = horizontal_sum<C>((residuals[0] + residuals[1]) + (residuals[2] + residuals[3]));
  if (rest > 0) {
    V z = {};
    for (int64_t lane = 0; lane < rest; ++lane) {
      z[lane] = to_float(row[whole * lanes + lane]) * scale - centre;
      residual += z[lane];
    }
    out[whole * kPanelRows] = z;
  }
  return {magnitude > C(0) ? exponent : kZeroExponent, centre, residual, low, high};
}

}  // namespace wrcor::WRCOR_ISA
