// Step three: merging the moments of two disjoint sets of features (Chan, Golub & LeVeque 1979), scale by scale.
#pragma once

#include "../cpu/kernels.h"
#include "center.h"

namespace wrcor::WRCOR_ISA {

// 2^exponent for exponent <= 0, flushed to zero where it would not be a normal number.
inline double shrink(int exponent) { return exponent < -1022 ? 0.0 : power_of_two<double>(exponent); }

// Per-row factors of a merge; each array has `padded` entries.
struct MergeScratch {
  double* keep;      // brings the total's row to the common scale
  double* take;      // brings the part's row to the common scale
  double* shift;     // difference of the means, common scale
  double* residual;  // sum of the part's deviations from its centre, common scale
};

constexpr int64_t kMergeArrays = 4;

inline MergeScratch merge_scratch(double* memory, int64_t padded) {
  return {memory, memory + padded, memory + 2 * padded, memory + 3 * padded};
}

// One row of the merge: updates exponent, mean, low and high of the total and leaves its factors in `scratch`.
// The part's row has mean = centre + residual / count.
inline void merge_row(Moments& total, int64_t i, int exponent, double centre, double residual, double low, double high,
                      int64_t count, const MergeScratch& scratch) {
  const int old = total.count > 0 ? total.exponent[i] : kZeroExponent;
  const int common = old > exponent ? old : exponent;
  const double keep = total.count > 0 ? shrink(old - common) : 0.0;
  const double take = shrink(exponent - common);
  const double before = total.count > 0 ? total.mean[i] * keep : 0.0;
  const double part_mean = (centre + residual / static_cast<double>(count)) * take;
  const double shift = part_mean - before;
  const double share = static_cast<double>(count) / static_cast<double>(total.count + count);
  total.exponent[i] = common;
  total.mean[i] = before + shift * share;
  if (total.count == 0) {
    total.low[i] = low;
    total.high[i] = high;
  } else {
    total.low[i] = low < total.low[i] ? low : total.low[i];
    // Keeps a NaN from either side: one bad value spoils the row for good.
    total.high[i] = total.high[i] != total.high[i] || high <= total.high[i] ? total.high[i] : high;
  }
  scratch.keep[i] = keep;
  scratch.take[i] = take;
  scratch.shift[i] = shift;
  scratch.residual[i] = residual * take;
}

// total.gram becomes, in the common scale, total + part - residual residual^T / count + weight shift shift^T, where
// weight = total.count * count / (total.count + count). Then adds the counts. `gram` is the part's, [padded, padded].
// Each term is symmetric in i and j bit for bit: equal rows end up with equal entries.
template <typename C>
inline void merge_gram(Moments& total, const C* gram, int64_t count, const MergeScratch& scratch) {
  const int64_t padded = total.padded;
  const double before = static_cast<double>(total.count), added = static_cast<double>(count);
  const double weight = before * added / (before + added);
  const double inverse = 1.0 / added;
  for (int64_t i = 0; i < padded; ++i) {
    const double keep = scratch.keep[i], take = scratch.take[i], shift = scratch.shift[i];
    const double residual = scratch.residual[i];
    double* out = total.gram + i * padded;
    const C* in = gram + i * padded;
    const int64_t start = i / kRowPadding * kRowPadding;
    if (total.count == 0) {
      for (int64_t j = start; j < padded; ++j) {
        out[j] = static_cast<double>(in[j]) * (take * scratch.take[j]) - inverse * (residual * scratch.residual[j]);
      }
    } else {
      for (int64_t j = start; j < padded; ++j) {
        out[j] = out[j] * (keep * scratch.keep[j]) + static_cast<double>(in[j]) * (take * scratch.take[j]) +
                 (weight * (shift * scratch.shift[j]) - inverse * (residual * scratch.residual[j]));
      }
    }
  }
  total.count += count;
}

}  // namespace wrcor::WRCOR_ISA
