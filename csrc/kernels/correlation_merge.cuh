// Correlation, launch two: merges the chunks of each response in float64 and finishes: C itself, or K += weight * |C|
// for up to kMaxSums sums K.
//
//   mean_i = sum_c n_c mean_ci / D
//   gram_ij = sum_c (gram_cij + n_c (mean_ci - mean_i)(mean_cj - mean_j))
//
// all in units of 2^exponent_i, the largest exponent of a row's chunks. Every term is symmetric in i and j bit for bit,
// and every entry meets the chunks in one and the same order: equal rows end up with equal entries.
#pragma once

#include "correlation_plan.cuh"
#include "element.cuh"

namespace wrcor {

// A block computes kSide x kSide entries and the diagonal entries of the rows that they need.
struct MergeTraits {
  static constexpr int kThreads = 256;
  // Room for eight loads in flight and their sums in registers; left alone, the compiler aims at four blocks and
  // spills.
  static constexpr int kMinBlocks = 2;
  // Whole 32-byte sectors of a tile are read; at N = 64 the upper triangle has 36 blocks.
  static constexpr int kSide = 8;
  static constexpr int kRows = 2 * kSide;
  static constexpr int kProducts = kSide * kSide;
  static constexpr int kEntries = kProducts + kRows;
  // Threads per entry: each takes every third chunk.
  static constexpr int kGroups = kThreads / kEntries;
  // Chunks at a time, whose factors lie in shared memory: enough loads in flight between two barriers.
  static constexpr int kBatch = 64;
  // Threads that share a row while its mean is computed.
  static constexpr int kLanes = kThreads / kRows;
  // Entries of K that a thread looks after: (i, j) and (j, i) of every sum. K stays out of registers, of which eight
  // sums would take 32.
  static constexpr int kOwned = 2 * kMaxSums;
  static_assert(kGroups == 3 && kLanes == 16, "the comments above");
  static_assert(2 * kRows * kBatch * 8 + 2 * kEntries * kGroups * 8 + kOwned * kProducts * 8 <= 48 * 1024,
                "static shared memory");
};

// What to do with the correlation. `out` alone: response_correlation, [N, N], NaN where a row has no variance. `k`:
// add |C| to `sums` matrices, and say of which responses in `counts`, `used` or both; null where nobody asks.
struct CorrelationResult {
  double* out;  // [N, N]
  double* k;    // [sums, N, N]
  i64* counts;  // [2] += (used, skipped)
  i64* used;    // [responses] = 1 or 0
  i32 sums;
};

// Factor of each response in each sum: a parameter like the table.
struct ResponseWeights {
  double of[kMaxSums][kMaxResponses];
};

template <typename C>
struct MergeView {
  CorrelationPartials partials;
  CorrelationPlan plan;  // chunks and slices_per_chunk are those of each response

  __device__ i64 row(i64 chunk, int row) const { return chunk * plan.panels * plan.panel_rows + row; }

  // Place of entry i <= j within a chunk's gram.
  __device__ i64 entry(int i, int j) const {
    const int pi = i / plan.panel_rows, pj = j / plan.panel_rows;
    const int pair = pi * plan.panels - pi * (pi - 1) / 2 + pj - pi;
    const int within = i % plan.panel_rows * plan.panel_rows + j % plan.panel_rows;
    return static_cast<i64>(pair) * plan.gram_elements + within;
  }
  __device__ double gram(i64 chunk, i64 entry) const {
    return static_cast<const C*>(partials.gram)[chunk * plan.pairs * plan.gram_elements + entry];
  }
  // Features of chunk `c` of x.
  __device__ double size(const Response& x, i32 c) const {
    const i64 whole = static_cast<i64>(x.slices_per_chunk) * plan.features;
    const i64 left = x.features - c * whole;
    return static_cast<double>(left < whole ? left : whole);
  }
};

// Whether every row of x is finite and has two different values. Called by all threads of a block; the answer is the
// same in all. `ok` is shared, one entry per panel.
template <typename C>
__device__ inline bool all_rows_vary(const MergeView<C>& view, const Response& x, int rows, i32* ok) {
  const int thread = static_cast<int>(threadIdx.x);
  if (thread < view.plan.panels) ok[thread] = 0;
  __syncthreads();
  bool bad = false;
  for (i32 s = thread; s < x.chunks * view.plan.panels; s += MergeTraits::kThreads) {
    const i32 status = view.partials.status[x.first_chunk * view.plan.panels + s];
    bad = bad || (status & kNotFinite) != 0;
    if ((status & kVaries) != 0) atomicAdd(ok + s % view.plan.panels, 1);
  }
  if (__syncthreads_or(bad ? 1 : 0) != 0) return false;
  // One chunk in which all rows of a panel vary is enough. Seldom there is none: then every row is looked at.
  bool known = true;
  for (int p = 0; p < view.plan.panels; ++p) known = known && ok[p] > 0;
  bool still = false;
  if (!known) {
    for (int r = thread; r < rows; r += MergeTraits::kThreads) {
      i32 flags = 0;
      for (i32 c = 0; c < x.chunks; ++c) flags |= view.partials.flags[view.row(x.first_chunk + c, r)];
      still = still || (flags & kVaries) == 0;
    }
  }
  return __syncthreads_or(still ? 1 : 0) == 0;
}

// Block blockIdx.x: the blockIdx.x-th pair (i <= j) of groups of kSide rows.
template <typename C>
__global__ void __launch_bounds__(MergeTraits::kThreads, MergeTraits::kMinBlocks)
    correlation_merge(const ResponseTable table, const ResponseWeights weights, const MergeView<C> view,
                      const CorrelationResult result) {
  static_assert(sizeof(table) + sizeof(weights) + sizeof(view) + sizeof(result) <= 4096,
                "a kernel takes 4 KB of parameters");
  constexpr int kSide = MergeTraits::kSide, kRows = MergeTraits::kRows, kEntries = MergeTraits::kEntries;
  constexpr int kBatch = MergeTraits::kBatch, kGroups = MergeTraits::kGroups, kLanes = MergeTraits::kLanes;
  constexpr int kProducts = MergeTraits::kProducts, kOwned = MergeTraits::kOwned;
  WRCOR_SHARED(i32, panel_ok, kMaxResponseRows / 16);
  WRCOR_SHARED(i32, row_exponent, kRows);
  WRCOR_SHARED(i32, row_varies, kRows);
  WRCOR_SHARED(double, row_mean, kRows);
  WRCOR_SHARED(double, scale, kRows* kBatch);  // [row, chunk of the batch]: 2^(exponent of the chunk - of the row)
  WRCOR_SHARED(double, shift, kRows* kBatch);  // [row, chunk of the batch]: mean of the chunk - of the row
  WRCOR_SHARED(double, parts, kEntries* kGroups);
  WRCOR_SHARED(double, totals, kEntries);
  WRCOR_SHARED(double, owned, kOwned* kProducts);  // [sum, above or below the diagonal, thread]

  const int thread = static_cast<int>(threadIdx.x);
  const int rows = table.rows;
  const int sides = (rows + kSide - 1) / kSide;
  int first = 0, rest = static_cast<int>(blockIdx.x);
  for (int length = sides; rest >= length; --length) {
    rest -= length;
    ++first;
  }
  const int first_row = first * kSide, second_row = (first + rest) * kSide;
  // Row `r` of the block: the first kSide belong to i, the others to j. Rows past the last one repeat it.
  const auto global_row = [&](int r) {
    const int row = r < kSide ? first_row + r : second_row + r - kSide;
    return row < rows ? row : rows - 1;
  };
  // The entry of this thread: kSide x kSide products first, then the diagonal.
  const int entry = thread % kEntries, group = thread / kEntries;
  const int entry_i = entry < kProducts ? entry / kSide : entry - kProducts;
  const int entry_j = entry < kProducts ? kSide + entry % kSide : entry_i;
  const int global_i = global_row(entry_i), global_j = global_row(entry_j);
  const i64 place = global_i <= global_j ? view.entry(global_i, global_j) : view.entry(global_j, global_i);
  // Entries below the diagonal of K and rows past the end are computed for nothing and not written.
  const int out_i = first_row + entry_i, out_j = second_row + entry_j - kSide;
  const bool writes = thread < kProducts && out_i <= out_j && out_j < rows;
  const i64 above = static_cast<i64>(out_i) * rows + out_j, below = static_cast<i64>(out_j) * rows + out_i;
  const i64 entries = static_cast<i64>(rows) * rows;
  double* const own = owned + thread;  // no other thread looks there: no barrier
  if (writes && result.k != nullptr) {
    for (int s = 0; s < result.sums; ++s) {
      own[2 * s * kProducts] = result.k[s * entries + above];
      own[(2 * s + 1) * kProducts] = result.k[s * entries + below];
    }
  }
  const bool reports = blockIdx.x == 0 && thread == 0;
  i64 used = 0;

  for (int which = 0; which < table.count; ++which) {
    const Response& x = table.responses[which];
    if (result.k != nullptr) {
      const bool usable = all_rows_vary(view, x, rows, panel_ok);
      if (reports && result.used != nullptr) result.used[which] = usable ? 1 : 0;
      if (!usable) continue;
      ++used;
    }
    // Exponent, flags and mean of each row: kLanes threads a row, chunks dealt out in turn.
    {
      const int r = thread / kLanes, lane = thread % kLanes;
      const int row = global_row(r);
      i32 exponent = kZeroExponent;
      i32 flags = 0;
      for (i32 c = lane; c < x.chunks; c += kLanes) {
        const i32 chunk = x.first_chunk + c;
        exponent = max(exponent, view.partials.exponent[view.row(chunk, row)]);
        flags |= view.partials.flags[view.row(chunk, row)];
      }
#pragma unroll
      for (int distance = kLanes / 2; distance > 0; distance /= 2) {
        exponent = max(exponent, __shfl_xor_sync(0xffffffffu, exponent, distance));
        flags |= __shfl_xor_sync(0xffffffffu, flags, distance);
      }
      double sum = 0.0;
      for (i32 c = lane; c < x.chunks; c += kLanes) {
        const i64 at = view.row(x.first_chunk + c, row);
        sum += view.size(x, c) * (view.partials.mean[at] * shrink<double>(view.partials.exponent[at] - exponent));
      }
#pragma unroll
      for (int distance = kLanes / 2; distance > 0; distance /= 2) {
        sum += __shfl_xor_sync(0xffffffffu, sum, distance);
      }
      if (lane == 0) {
        row_exponent[r] = exponent;
        row_mean[r] = sum / static_cast<double>(x.features);
        row_varies[r] = flags == kVaries ? 1 : 0;
      }
    }
    __syncthreads();
    double sum = 0.0;
    for (i32 start = 0; start < x.chunks; start += kBatch) {
      const i32 batch = x.chunks - start < kBatch ? x.chunks - start : kBatch;
      for (int e = thread; e < kRows * kBatch; e += MergeTraits::kThreads) {
        const int r = e / kBatch, c = e % kBatch;
        if (c >= batch) continue;
        const i64 at = view.row(x.first_chunk + start + c, global_row(r));
        const double factor = shrink<double>(view.partials.exponent[at] - row_exponent[r]);
        scale[e] = factor;
        shift[e] = view.partials.mean[at] * factor - row_mean[r];
      }
      __syncthreads();
      if (group < kGroups) {
        const double* scale_i = scale + entry_i * kBatch;
        const double* scale_j = scale + entry_j * kBatch;
        const double* shift_i = shift + entry_i * kBatch;
        const double* shift_j = shift + entry_j * kBatch;
#pragma unroll 8
        for (i32 c = group; c < batch; c += kGroups) {
          const double gram = view.gram(x.first_chunk + start + c, place);
          sum += gram * (scale_i[c] * scale_j[c]);
          sum += view.size(x, start + c) * (shift_i[c] * shift_j[c]);
        }
      }
      __syncthreads();
    }
    if (group < kGroups) parts[entry * kGroups + group] = sum;
    __syncthreads();
    if (thread < kEntries) {
      double total = parts[thread * kGroups];
#pragma unroll
      for (int g = 1; g < kGroups; ++g) total += parts[thread * kGroups + g];
      totals[thread] = total;
    }
    __syncthreads();
    if (writes) {
      const double variance_i = totals[kProducts + entry_i], variance_j = totals[kProducts + entry_j];
      const bool defined = row_varies[entry_i] != 0 && row_varies[entry_j] != 0 && variance_i > 0.0 && variance_j > 0.0;
      const double raw = totals[thread] * (1.0 / sqrt(variance_i) * (1.0 / sqrt(variance_j)));
      const double value = defined ? (raw > 1.0 ? 1.0 : raw < -1.0 ? -1.0 : raw) : quiet_nan();
      if (result.k != nullptr) {
        for (int s = 0; s < result.sums; ++s) {
          own[2 * s * kProducts] += weights.of[s][which] * fabs(value);
          own[(2 * s + 1) * kProducts] += weights.of[s][which] * fabs(value);
        }
      } else {
        result.out[above] = value;
        result.out[below] = value;
      }
    }
    __syncthreads();
  }
  if (writes && result.k != nullptr) {
    for (int s = 0; s < result.sums; ++s) {
      result.k[s * entries + above] = own[2 * s * kProducts];
      if (out_i != out_j) result.k[s * entries + below] = own[(2 * s + 1) * kProducts];
    }
  }
  if (reports && result.counts != nullptr) {
    result.counts[0] += used;
    result.counts[1] += table.count - used;
  }
}

}  // namespace wrcor
