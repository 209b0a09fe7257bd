// Correlation, launch one: moments of chunks of features in one pass over memory.
//
//   mean_i = 1/D sum_d x_id                 gram_ij = sum_d (x_id - mean_i)(x_jd - mean_j)
//   C_ij = gram_ij / sqrt(gram_ii gram_jj)
//
// A block takes one chunk of consecutive features, slice by slice. A slice is read once from memory, each row is scaled
// by a power of two, centred by its own mean of the slice and laid out in shared memory; register tiles then accumulate
// products. Moving from the mean of the slice to that of the chunk adds weight * shift_i * shift_j to gram_ij (Chan,
// Golub & LeVeque 1979), which is the product of one more feature, sqrt(weight) * shift. Launch two, in
// correlation_merge.cuh, merges chunks.
#pragma once

#include "correlation_plan.cuh"
#include "element.cuh"

namespace wrcor {

// One 16-byte group of a slice in shared memory: kPack neighbouring rows of one feature.
__device__ inline void store_pack(float* to, const float* values) {
  *reinterpret_cast<float4*>(to) = make_float4(values[0], values[1], values[2], values[3]);
}
__device__ inline void store_pack(double* to, const double* values) {
  *reinterpret_cast<double2*>(to) = make_double2(values[0], values[1]);
}
__device__ inline void load_pack(const float* from, float* out) {
  const float4 raw = *reinterpret_cast<const float4*>(from);
  out[0] = raw.x;
  out[1] = raw.y;
  out[2] = raw.z;
  out[3] = raw.w;
}
__device__ inline void load_pack(const double* from, double* out) {
  const double2 raw = *reinterpret_cast<const double2*>(from);
  out[0] = raw.x;
  out[1] = raw.y;
}

struct Add {
  template <typename C>
  __device__ C operator()(C a, C b) const {
    return a + b;
  }
};
struct Larger {
  template <typename C>
  __device__ C operator()(C a, C b) const {
    return b > a ? b : a;
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
};

// Centres kPack rows of one slice into `z`, updates their state and says whether a scale has changed. `before` features
// of the chunk have been seen. Values stay in registers as they were loaded and are centred anew whenever they are
// used: the sums of the tiles fill the rest of the registers.
template <typename Traits, typename T>
__device__ inline bool center_pack(const T* rows, i64 stride, int present, int count, int before, bool aligned,
                                   int lane, typename Traits::C* z, const RowState<typename Traits::C>& state) {
  using C = typename Traits::C;
  constexpr int kPack = Traits::kPack, kLanes = Traits::kLanes, kValues = Traits::kValues;
  const unsigned all = 0xffffffffu;
  using Values = LaneValues<T, kLanes, kValues, Traits::kLoad>;
  Values values[kPack];
#pragma unroll
  for (int r = 0; r < kPack; ++r) {
    // Rows that are not there are zero.
    values[r].load(rows + r * stride, r < present ? count : 0, aligned, lane);
  }
  const u32 seen = Values::within(count, aligned, lane);
  C sums[kPack], tops[kPack];
  u32 differs = 0;  // bit r: one of this lane's values is not the first one of row r
#pragma unroll
  for (int r = 0; r < kPack; ++r) {
    const C first = state.first[r];
    sums[r] = tops[r] = C(0);
#pragma unroll
    for (int v = 0; v < kValues; ++v) {
      const C value = values[r][v];
      sums[r] += value;
      tops[r] = Larger()(tops[r], value < C(0) ? -value : value);
      differs |= value != first ? (seen >> v & 1u) << r : 0u;
    }
  }
  // From here on a lane looks after one row, `own`, until its scale and centre are known to all.
  constexpr int kShare = kLanes / kPack;
  const int own = lane / kShare;
  const C sum = reduce_pack<kPack, kLanes>(sums, lane, Add());
  const C top = reduce_pack<kPack, kLanes>(tops, lane, Larger());
#pragma unroll
  for (int distance = kLanes / 2; distance > 0; distance /= 2) differs |= __shfl_xor_sync(all, differs, distance);
  bool finite = is_finite(sum);
  C mean = sum / static_cast<C>(count);
  if (__any_sync(all, !finite)) {
    // A NaN or an infinity, or else finite values whose sum overflows: 2^-32 leaves room for any slice.
#pragma unroll
    for (int r = 0; r < kPack; ++r) {
      sums[r] = C(0);
#pragma unroll
      for (int v = 0; v < kValues; ++v) sums[r] += values[r][v] * C(2.3283064365386963e-10);
    }
    const C scaled = reduce_pack<kPack, kLanes>(sums, lane, Add());
    if (!finite) mean = scaled / static_cast<C>(count) * C(4294967296.0);
    finite = is_finite(scaled);
  }
  const bool nonzero = finite && top > C(0);
  const int own_exponent = nonzero ? scale_exponent(top) : kZeroExponent;
  const int old_exponent = state.exponent[own];
  const int exponent = own_exponent > old_exponent ? own_exponent : old_exponent;
  // Zero marks a row that leaves zeros: 0 * infinity would be a NaN.
  const C scale = nonzero ? power_of_two<C>(-exponent) : C(0);
  const C centre = nonzero ? mean * scale : C(0);

  // The mean is rounded to the compute type: what it leaves is the mean of a row that is nearly centred.
  C centred[kPack][kValues];
#pragma unroll
  for (int r = 0; r < kPack; ++r) {
    const C row_scale = __shfl_sync(all, scale, r * kShare, kLanes);
    const C row_centre = __shfl_sync(all, centre, r * kShare, kLanes);
    sums[r] = C(0);
#pragma unroll
    for (int v = 0; v < kValues; ++v) {
      const bool counts = row_scale != C(0) && (seen >> v & 1u) != 0;
      centred[r][v] = counts ? values[r][v] * row_scale - row_centre : C(0);
      sums[r] += centred[r][v];
    }
  }
  const C residual = reduce_pack<kPack, kLanes>(sums, lane, Add()) / static_cast<C>(count);
#pragma unroll
  for (int r = 0; r < kPack; ++r) sums[r] = __shfl_sync(all, residual, r * kShare, kLanes);
  // Value `v` of a lane goes to slot v * kLanes + lane, whichever feature it is: no two lanes of a store share a bank,
  // since a slot is an odd number of 16-byte groups long.
#pragma unroll
  for (int v = 0; v < kValues; ++v) {
    C pack[kPack];
#pragma unroll
    for (int r = 0; r < kPack; ++r) pack[r] = (seen >> v & 1u) != 0 ? centred[r][v] - sums[r] : C(0);
    store_pack(z + (v * kLanes + lane) * Traits::kStride, pack);
  }

  __syncwarp();  // the lanes of a row have read its state
  if (lane % kShare != 0) return false;
  const double seen_before = static_cast<double>(before), added = static_cast<double>(count);
  const double kept = before > 0 ? state.mean[own] * shrink<double>(old_exponent - exponent) : 0.0;
  const double shift = static_cast<double>(centre) + static_cast<double>(residual) - kept;
  z[Traits::kFeatures * Traits::kStride + own] =
      static_cast<C>(sqrt(seen_before * added / (seen_before + added)) * shift);
  state.mean[own] = kept + shift * (added / (seen_before + added));
  state.exponent[own] = exponent;
  state.factor[own] = shrink<C>(old_exponent - exponent);
  state.flags[own] |= ((differs >> own & 1u) != 0 ? kVaries : 0) | (finite ? 0 : kNotFinite);
  return before > 0 && old_exponent != exponent;
}

// Which two sets of kSide rows a thread multiplies. Set s holds the rows s * kPack + [0, kPack) of the lower half of a
// panel and the same ones of its upper half: neighbouring threads read neighbouring 16 bytes.
struct TilePosition {
  int i, j;
};
template <typename Traits>
__device__ inline TilePosition tile_position(int tile) {
  if constexpr (Traits::kPair) {
    return {tile / Traits::kSets, tile % Traits::kSets};
  } else {
    int i = 0;
    for (int length = Traits::kSets; tile >= length; --length) {
      tile -= length;
      ++i;
    }
    return {i, i + tile};
  }
}
template <typename Traits>
__device__ inline int row_of(int set, int element) {
  return (element < Traits::kPack ? 0 : Traits::kRows / 2) + set * Traits::kPack + element % Traits::kPack;
}

// One block: chunk blockIdx.x / pairs of the table, panel pair blockIdx.x % pairs.
template <typename T, int kRows, bool kPair>
__global__ void __launch_bounds__(SliceTraits<T, kRows, kPair>::kThreads, SliceTraits<T, kRows, kPair>::kMinBlocks)
    correlation_slices(const ResponseTable table, const CorrelationPartials partials) {
  using Traits = SliceTraits<T, kRows, kPair>;
  using C = typename Traits::C;
  constexpr int kPack = Traits::kPack, kSide = Traits::kSide, kPanels = Traits::kPanels;
  WRCOR_SHARED(C, slice, Traits::kSharedElements);
  WRCOR_SHARED(i32, first_row, kPanels);  // of each panel
  WRCOR_SHARED(double, row_mean, kPanels* kRows);
  WRCOR_SHARED(i32, row_exponent, kPanels * kRows);
  WRCOR_SHARED(C, row_factor, kPanels * kRows);
  WRCOR_SHARED(C, row_first, kPanels * kRows);
  WRCOR_SHARED(i32, row_flags, kPanels * kRows);

  const int thread = static_cast<int>(threadIdx.x);
  const int panels = kPair ? (table.rows + kRows - 1) / kRows : 1;
  const int pairs = panels * (panels + 1) / 2;
  const int chunk = static_cast<int>(blockIdx.x) / pairs;
  const int pair = static_cast<int>(blockIdx.x) % pairs;
  int which = 0;
  while (which + 1 < table.count && chunk >= table.responses[which + 1].first_chunk) ++which;
  const Response& x = table.responses[which];
  int first_panel = 0, second_panel = pair;
  for (int size = panels; second_panel >= size; --size) {
    second_panel -= size;
    ++first_panel;
  }
  second_panel += first_panel;
  const bool two = kPair && first_panel != second_panel;
  if (thread < kPanels) first_row[thread] = (thread == 0 ? first_panel : second_panel) * kRows;
  __syncthreads();

  for (int r = thread; r < kPanels * kRows; r += Traits::kThreads) {
    row_mean[r] = 0.0;
    row_exponent[r] = kZeroExponent;
    row_flags[r] = 0;
    const int row = first_row[r / kRows] + r % kRows;
    row_first[r] = row < table.rows ? to_compute(static_cast<const T*>(x.data)[row * x.stride]) : C(0);
  }
  const int group = thread / Traits::kTiles;
  const TilePosition at = tile_position<Traits>(thread % Traits::kTiles);
  C sums[kSide][kSide];
#pragma unroll
  for (int a = 0; a < kSide; ++a) {
#pragma unroll
    for (int b = 0; b < kSide; ++b) sums[a][b] = C(0);
  }
  __syncthreads();

  const i64 begin = (chunk - x.first_chunk) * x.slices_per_chunk * Traits::kFeatures;
  const i64 left = x.features - begin;
  const int whole = x.slices_per_chunk * Traits::kFeatures;
  const int length = left < whole ? static_cast<int>(left) : whole;
  const int lane = thread % Traits::kLanes;
  for (int start = 0; start < length; start += Traits::kFeatures) {
    const int count = length - start < Traits::kFeatures ? length - start : Traits::kFeatures;
    bool changed = false;
    // All lanes of a warp go round together, and the compiler can see it: shuffles stay single instructions.
    for (int panel = 0; panel < (two ? 2 : 1); ++panel) {
#pragma unroll 1
      for (int turn = 0; turn < Traits::kTurns; ++turn) {
        const int at_row = (turn * (Traits::kThreads / Traits::kLanes) + thread / Traits::kLanes) * kPack;
        const int local = panel * kRows + at_row;  // row of the block
        const int row = first_row[panel] + at_row;
        const T* rows = static_cast<const T*>(x.data) + row * x.stride + begin + start;
        const RowState<C> state = {row_mean + local, row_exponent + local, row_factor + local, row_first + local,
                                   row_flags + local};
        C* z = slice + panel * Traits::kPanelElements + at_row;
        changed |=
            center_pack<Traits, T>(rows, x.stride, table.rows - row, count, start, x.aligned != 0, lane, z, state);
      }
    }
    if (__syncthreads_or(changed ? 1 : 0) != 0) {
#pragma unroll
      for (int a = 0; a < kSide; ++a) {
        const C factor = row_factor[row_of<Traits>(at.i, a)];
#pragma unroll
        for (int b = 0; b < kSide; ++b) sums[a][b] *= factor * row_factor[(two ? kRows : 0) + row_of<Traits>(at.j, b)];
      }
    }
    if (group < Traits::kGroups) {
      for (int k = group; k <= Traits::kFeatures; k += Traits::kGroups) {
        C left[kSide], right[kSide];
        const C* from = slice + k * Traits::kStride + at.i * kPack;
        load_pack(from, left);
        load_pack(from + kRows / 2, left + kPack);
        from += (two ? Traits::kPanelElements : 0) + (at.j - at.i) * kPack;
        load_pack(from, right);
        load_pack(from + kRows / 2, right + kPack);
#pragma unroll
        for (int a = 0; a < kSide; ++a) {
#pragma unroll
          for (int b = 0; b < kSide; ++b) sums[a][b] += left[a] * right[b];
        }
      }
    }
    __syncthreads();
  }

  // Sums of the groups of threads, half of them at a time, through the memory of the slice.
  constexpr int kWidth = Traits::kTiles * (Traits::kGroups / 2);
  for (int groups = Traits::kGroups; groups > 1;) {
    const int keep = (groups + 1) / 2;
    if (group >= keep && group < groups) {
#pragma unroll
      for (int e = 0; e < kSide * kSide; ++e)
        slice[e * kWidth + thread - keep * Traits::kTiles] = sums[e / kSide][e % kSide];
    }
    __syncthreads();
    if (group + keep < groups) {
#pragma unroll
      for (int e = 0; e < kSide * kSide; ++e) sums[e / kSide][e % kSide] += slice[e * kWidth + thread];
    }
    __syncthreads();
    groups = keep;
  }
  if (group == 0) {  // there, tiles are numbered like threads
    C* gram = static_cast<C*>(partials.gram) + (static_cast<i64>(chunk) * pairs + pair) * Traits::kGramElements;
#pragma unroll
    for (int a = 0; a < kSide; ++a) {
      store_pack(gram + (thread * kSide + a) * kSide, sums[a]);
      store_pack(gram + (thread * kSide + a) * kSide + kPack, sums[a] + kPack);
    }
  }
  if (!two) {
    const i64 panel = static_cast<i64>(chunk) * panels + first_row[0] / kRows;
    i32 any = 0, each = kVaries;  // flags of any row, flags of each row
    for (int r = thread; r < kRows; r += Traits::kThreads) {
      const i64 to = panel * kRows + r;
      partials.mean[to] = row_mean[r];
      partials.exponent[to] = row_exponent[r];
      partials.flags[to] = row_flags[r];
      if (first_row[0] + r < table.rows) {
        any |= row_flags[r];
        each &= row_flags[r];
      }
    }
    const bool bad = __syncthreads_or(any & kNotFinite) != 0;
    const bool constant = __syncthreads_or(each ^ kVaries) != 0;
    if (thread == 0) {
      partials.status[panel] = (bad ? kNotFinite : 0) | (constant ? 0 : kVaries);
    }
  }
}

}  // namespace wrcor
