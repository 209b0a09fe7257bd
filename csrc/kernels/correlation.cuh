// Correlation, launch one: moments of chunks of features in one pass over memory.
//
//   mean_i = 1/D sum_d x_id                 gram_ij = sum_d (x_id - mean_i)(x_jd - mean_j)
//   C_ij = gram_ij / sqrt(gram_ii gram_jj)
//
// A block takes one chunk of consecutive features, slice by slice. A slice is read once from memory, each row is scaled
// by a power of two, centred by its own mean of the slice and laid out in shared memory; then products are summed in
// registers. Moving from the mean of the slice to that of the chunk adds weight * shift_i * shift_j to gram_ij (Chan,
// Golub & LeVeque 1979), which is the product of one more feature, sqrt(weight) * shift. Launch two, in
// correlation_merge.cuh, merges chunks.
#pragma once

#include "correlation_center.cuh"
#include "correlation_fma.cuh"
#include "correlation_mma.cuh"

namespace wrcor {

// How products are summed.
template <typename T, int kRows, bool kPair>
struct ProductsOf {
  using type = MatrixTiles<SliceTraits<T, kRows, kPair>>;
};
template <int kRows, bool kPair>
struct ProductsOf<double, kRows, kPair> {
  using type = RegisterTiles<SliceTraits<double, kRows, kPair>>;
};

// What block `index` works on: a chunk of the table and a pair of panels of rows.
template <int kRows, bool kPair>
struct BlockPlace {
  i32 chunk, pair, pairs, panels;
  i32 first = 0, second;  // panels

  __device__ BlockPlace(u32 index, i32 rows) {
    panels = kPair ? (rows + kRows - 1) / kRows : 1;
    pairs = panels * (panels + 1) / 2;
    chunk = static_cast<i32>(index) / pairs;
    pair = static_cast<i32>(index) % pairs;
    second = pair;
    for (i32 size = panels; second >= size; --size) {
      second -= size;
      ++first;
    }
    second += first;
  }
};

// Adds up the sums of the groups of threads in group 0, half of the groups at a time, through the memory of the slice.
template <typename Traits, typename Products>
__device__ inline void merge_groups(Products& products, typename Traits::C* memory) {
  constexpr int kWidth = Traits::kGroupThreads * (Traits::kGroups / 2);
  const int thread = static_cast<int>(thread_index()), group = thread / Traits::kGroupThreads;
  for (int groups = Traits::kGroups; groups > 1;) {
    const int keep = (groups + 1) / 2;
    if (group >= keep && group < groups) {
#pragma unroll
      for (int e = 0; e < Products::kSums; ++e) {
        memory[e * kWidth + thread - keep * Traits::kGroupThreads] = products.sums[e];
      }
    }
    __syncthreads();
    if (group + keep < groups) {
#pragma unroll
      for (int e = 0; e < Products::kSums; ++e) products.sums[e] += memory[e * kWidth + thread];
    }
    __syncthreads();
    groups = keep;
  }
}

template <typename T, int kRows, bool kPair>
__global__ void __launch_bounds__(SliceTraits<T, kRows, kPair>::kThreads, SliceTraits<T, kRows, kPair>::kMinBlocks)
    correlation_slices(const ResponseTable table, const CorrelationPartials partials) {
  using Traits = SliceTraits<T, kRows, kPair>;
  using C = typename Traits::C;
  using Products = typename ProductsOf<T, kRows, kPair>::type;
  using Place = BlockPlace<kRows, kPair>;
  constexpr int kThreads = Traits::kThreads, kFeatures = Traits::kFeatures;
  constexpr int kPack = Traits::kPack, kPanels = Traits::kPanels;
  WRCOR_SHARED(C, slice, Traits::kSharedElements);
  WRCOR_SHARED(i32, first_row, kPanels);  // of each panel
  WRCOR_SHARED(double, row_mean, kPanels* kRows);
  WRCOR_SHARED(i32, row_exponent, kPanels * kRows);
  WRCOR_SHARED(C, row_factor, kPanels * kRows);
  WRCOR_SHARED(C, row_first, kPanels * kRows);
  WRCOR_SHARED(i32, row_flags, kPanels * kRows);

  const Place place(blockIdx.x, table.rows);
  const bool two = kPair && place.first != place.second;
  int which = 0;
  while (which + 1 < table.count && place.chunk >= table.responses[which + 1].first_chunk) ++which;
  const Response& x = table.responses[which];
  if (threadIdx.x < kPanels) first_row[threadIdx.x] = (threadIdx.x == 0 ? place.first : place.second) * kRows;
  __syncthreads();
  for (int r = static_cast<int>(threadIdx.x); r < kPanels * kRows; r += kThreads) {
    row_mean[r] = 0.0;
    row_exponent[r] = kZeroExponent;
    row_flags[r] = 0;
    const int row = first_row[r / kRows] + r % kRows;
    row_first[r] = row < table.rows ? to_compute(static_cast<const T*>(x.data)[row * x.stride]) : C(0);
  }
  __syncthreads();

  Products products(table.rows - first_row[0], table.rows - first_row[two ? 1 : 0], two);
  const int whole = x.slices_per_chunk * kFeatures;
  const i64 begin = static_cast<i64>(place.chunk - x.first_chunk) * whole;
  const i64 left = x.features - begin;
  const int length = left < whole ? static_cast<int>(left) : whole;
  const T* const data = static_cast<const T*>(x.data) + begin;
  const u32 used_rows = two ? 2 * kRows : kRows;
  // The pack of this thread in turn `turn`: its first row in the block.
  const auto pack_row = [](u32 turn) {
    return (turn * (kThreads / Traits::kLanes) + thread_index() / Traits::kLanes) * kPack;
  };
  const auto lane_of_row = [] { return static_cast<int>(thread_index() % Traits::kLanes); };
  const auto slice_length = [&](int start) { return length - start < kFeatures ? length - start : kFeatures; };
  const auto load = [&](Pack<Traits, T>& pack, u32 local, int start) {
    if (local >= used_rows) return;
    const int row = first_row[local / kRows] + static_cast<int>(local % kRows);
    pack.load(data + row * x.stride + start, x.stride, table.rows - row, slice_length(start), x.aligned != 0,
              lane_of_row());
  };
  Pack<Traits, T> pack;
  if constexpr (Traits::kPrefetch) load(pack, pack_row(0), 0);
  for (int start = 0; start < length; start += kFeatures) {
    bool changed = false;
    // All lanes of a warp go round together, and the compiler can see it: shuffles stay single instructions.
#pragma unroll 1
    for (u32 turn = 0; turn < Traits::kTurns; ++turn) {
      const u32 local = pack_row(turn);
      if (local >= used_rows) continue;  // whole warps
      const int at_row = static_cast<int>(local % kRows), lane = lane_of_row(), count = slice_length(start);
      if constexpr (!Traits::kPrefetch) load(pack, local, start);
      C* const panel = slice + local / kRows * Traits::kPanelElements;
      const RowState<C> state = {row_mean + local,  row_exponent + local, row_factor + local,
                                 row_first + local, row_flags + local,    panel + kFeatures * Traits::kStride + at_row};
      const u32 seen = Pack<Traits, T>::Values::within(count, x.aligned != 0, lane);
      C centred[kPack][Traits::kValues];
      const OwnRow<C> own = center_pack<Traits, T>(pack, seen, count, lane, state, centred);
      Products::store(panel, at_row, lane, centred);
      changed |= update_rows<Traits>(own, count, start, lane, state);
    }
    const bool rescale = __syncthreads_or(changed ? 1 : 0) != 0;
    if constexpr (Traits::kPrefetch) {
      if (start + kFeatures < length) load(pack, pack_row(0), start + kFeatures);
    }
    if (rescale) products.rescale(row_factor, row_factor + (two ? kRows : 0));
    const int group = static_cast<int>(thread_index() / Traits::kGroupThreads);
    if (group < Traits::kGroups) products.multiply(slice, slice + (two ? Traits::kPanelElements : 0), group);
    __syncthreads();
  }
  merge_groups<Traits>(products, slice);

  const Place done(block_index(), table.rows);
  const u32 thread = thread_index();
  if (thread < Traits::kGroupThreads) {
    const i64 at = (static_cast<i64>(done.chunk) * done.pairs + done.pair) * Traits::kGramElements;
    products.write(static_cast<C*>(partials.gram) + at);
  }
  if (!two) {
    const i64 panel = static_cast<i64>(done.chunk) * done.panels + done.first;
    i32 any = 0, each = kVaries;  // flags of any row, flags of each row
    for (int r = static_cast<int>(thread); r < kRows; r += kThreads) {
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
