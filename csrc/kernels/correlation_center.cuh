// Correlation, the first half of launch one: rows of a slice, scaled and centred in registers.
#pragma once

#include "correlation_plan.cuh"
#include "element.cuh"

namespace wrcor {

struct Add {
  template <typename C>
  __device__ C operator()(C a, C b) const {
    return a + b;
  }
};
struct Larger {
  template <typename C>
  __device__ C operator()(C a, C b) const {
    return max(a, b);  // of a NaN and a number: the number
  }
};

// Reduces kPack values over kLanes lanes at once; lane l gets result l / (kLanes / kPack). Half of the lanes drop half
// of the values in each of the first steps: 6 shuffles for 4 values instead of 20. All values meet their lanes in the
// same order, so equal rows have equal sums.
template <int kPack, int kLanes, typename C, typename Combine>
__device__ inline C reduce_pack(const C* values, int lane, Combine combine) {
  static_assert((kPack == 4 || kPack == 2) && kLanes >= 2 * kPack && kLanes <= 32, "lanes outnumber values");
  const unsigned all = 0xffffffffu;
  C mine;
  if constexpr (kPack == 4) {
    const bool upper = (lane & (kLanes / 2)) != 0;
    const C low =
        combine(upper ? values[2] : values[0], __shfl_xor_sync(all, upper ? values[0] : values[2], kLanes / 2));
    const C high =
        combine(upper ? values[3] : values[1], __shfl_xor_sync(all, upper ? values[1] : values[3], kLanes / 2));
    const bool odd = (lane & (kLanes / 4)) != 0;
    mine = combine(odd ? high : low, __shfl_xor_sync(all, odd ? low : high, kLanes / 4));
  } else {
    const bool odd = (lane & (kLanes / 2)) != 0;
    mine = combine(odd ? values[1] : values[0], __shfl_xor_sync(all, odd ? values[0] : values[1], kLanes / 2));
  }
#pragma unroll
  for (int distance = kLanes / kPack / 2; distance > 0; distance /= 2) {
    mine = combine(mine, __shfl_xor_sync(all, mine, distance));
  }
  return mine;
}

// What a block knows of its rows; arrays of one entry per row in shared memory.
template <typename C>
struct RowState {
  double* mean;    // of the chunk so far, in units of 2^exponent
  i32* exponent;   // largest of the slices so far
  C* factor;       // 2^(exponent before the slice - exponent)
  const C* first;  // first value of the whole row
  i32* flags;      // kVaries, kNotFinite
  C* shift;        // of the mean, as a feature of the slice
};

// kPack rows of a slice, as loaded.
template <typename Traits, typename T>
struct Pack {
  using Values = LaneValues<T, Traits::kLanes, Traits::kValues>;
  Values row[Traits::kPack];

  // Rows from `present` on are not there: they are zero.
  __device__ void load(const T* rows, i64 stride, int present, int count, bool aligned, int lane) {
#pragma unroll
    for (int r = 0; r < Traits::kPack; ++r) row[r].load(rows + r * stride, r < present ? count : 0, aligned, lane);
  }
};

// What a lane has found out about one row of its pack in this slice: lane / (kLanes / kPack).
template <typename C>
struct OwnRow {
  i32 exponent;  // of the slice and those before
  C centre;      // mean of the slice in units of 2^exponent
  C residual;    // what rounding the mean has left, to be added
  bool varies;
  bool finite;
};

// out = kLift (x - mean of the slice) in units of 2^exponent; zero where bit v of `seen` is not set. Values stay in
// registers as they were loaded and are converted anew whenever they are used: sums fill the rest of the registers.
template <typename Traits, typename T>
__device__ inline OwnRow<Compute<T>> center_pack(const Pack<Traits, T>& pack, u32 seen, int count, int lane,
                                                 const RowState<Compute<T>>& state,
                                                 Compute<T> (&out)[Traits::kPack][Traits::kValues]) {
  using C = Compute<T>;
  constexpr int kPack = Traits::kPack, kLanes = Traits::kLanes, kValues = Traits::kValues;
  const unsigned all = 0xffffffffu;
  C sums[kPack], tops[kPack];
  u32 differs = 0;  // bit r: one of this lane's values is not the first one of row r
#pragma unroll
  for (int r = 0; r < kPack; ++r) {
    const C first = state.first[r];
    bool unlike = false;
#pragma unroll
    for (int v = 0; v < kValues; ++v) {
      const C value = pack.row[r][v];
      sums[r] = v == 0 ? value : sums[r] + value;
      tops[r] = v == 0 ? fabs(value) : max(tops[r], fabs(value));
      unlike = unlike || (value != first && (seen >> v & 1u) != 0);
    }
    differs |= unlike ? 1u << r : 0u;
  }
  // From here on a lane looks after one row, `own`, until its scale and centre are known to all.
  constexpr int kShare = kLanes / kPack;
  const int own = lane / kShare;
  const C sum = reduce_pack<kPack, kLanes>(sums, lane, Add());
  const C top = reduce_pack<kPack, kLanes>(tops, lane, Larger());
#pragma unroll
  for (int distance = kLanes / 2; distance > 0; distance /= 2) differs |= __shfl_xor_sync(all, differs, distance);
  bool finite = is_finite(sum);
  const C per_feature = reciprocal(static_cast<C>(count));
  C mean = sum * per_feature;
  if (__any_sync(all, !finite)) {
    // A NaN or an infinity, or else finite values whose sum overflows: 2^-32 leaves room for any slice.
#pragma unroll
    for (int r = 0; r < kPack; ++r) {
      sums[r] = C(0);
#pragma unroll
      for (int v = 0; v < kValues; ++v) sums[r] += pack.row[r][v] * C(2.3283064365386963e-10);
    }
    const C scaled = reduce_pack<kPack, kLanes>(sums, lane, Add());
    if (!finite) mean = scaled * per_feature * C(4294967296.0);
    finite = is_finite(scaled);
  }
  const bool nonzero = finite && top > C(0);
  const int own_exponent = nonzero ? scale_exponent(top) : kZeroExponent;
  const int old_exponent = state.exponent[own];
  const int exponent = own_exponent > old_exponent ? own_exponent : old_exponent;
  const C scale = nonzero ? power_of_two<C>(-exponent) : C(0);
  const C centre = nonzero ? mean * scale : C(0);

  // The mean is rounded to the compute type: what it leaves is the mean of a row that is nearly centred. A row that is
  // not finite may stay so: its correlations are undefined, and those of other rows never meet it.
#pragma unroll
  for (int r = 0; r < kPack; ++r) {
    const C row_scale = __shfl_sync(all, scale, r * kShare, kLanes);
    const C row_centre = __shfl_sync(all, centre, r * kShare, kLanes);
#pragma unroll
    for (int v = 0; v < kValues; ++v) {
      out[r][v] = (seen >> v & 1u) != 0 ? pack.row[r][v] * row_scale - row_centre : C(0);
      sums[r] = v == 0 ? out[r][v] : sums[r] + out[r][v];
    }
  }
  const C residual = reduce_pack<kPack, kLanes>(sums, lane, Add()) * per_feature;
#pragma unroll
  for (int r = 0; r < kPack; ++r) {
    const C lifted = __shfl_sync(all, residual, r * kShare, kLanes) * Traits::kLift;
#pragma unroll
    for (int v = 0; v < kValues; ++v) out[r][v] = (seen >> v & 1u) != 0 ? out[r][v] * Traits::kLift - lifted : C(0);
  }
  return {exponent, centre, residual, (differs >> own & 1u) != 0, finite};
}

// Takes the slice into the state of the rows; `before` features of the chunk have been seen. True if a scale has
// changed. Moving from the mean of the slice to that of the chunk adds weight * shift_i * shift_j to gram_ij.
template <typename Traits>
__device__ inline bool update_rows(const OwnRow<typename Traits::C>& row, int count, int before, int lane,
                                   const RowState<typename Traits::C>& state) {
  using C = typename Traits::C;
  constexpr int kShare = Traits::kLanes / Traits::kPack;
  const int own = lane / kShare;
  __syncwarp();  // the lanes of a row have read its state
  if (lane % kShare != 0) return false;
  const int old_exponent = state.exponent[own];
  const double centre = static_cast<double>(row.centre) + static_cast<double>(row.residual);
  if (before > 0) {
    const C old = static_cast<C>(before), share = static_cast<C>(count) * reciprocal(old + static_cast<C>(count));
    const double kept = state.mean[own] * shrink<double>(old_exponent - row.exponent), shift = centre - kept;
    state.shift[own] = old * share * rsqrt(old * share) * Traits::kLift * static_cast<C>(shift);
    state.mean[own] = kept + shift * static_cast<double>(share);
  } else {
    state.shift[own] = C(0);
    state.mean[own] = centre;
  }
  state.exponent[own] = row.exponent;
  state.factor[own] = shrink<C>(old_exponent - row.exponent);
  state.flags[own] |= (row.varies ? kVaries : 0) | (row.finite ? 0 : kNotFinite);
  return before > 0 && old_exponent != row.exponent;
}

}  // namespace wrcor
