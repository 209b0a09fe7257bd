// Sign patterns: B = x > 0 is packed to bits once (launch one); pairs of rows are compared by counting the bits of
// their exclusive or (launch two).
//
//   (B B^T + (1 - B)(1 - B)^T)_ij = D - unequal_ij
//
// Counts are integers: the result is exact, whatever the order.
#pragma once

#include "element.cuh"

namespace wrcor {

struct PackTraits {
  static constexpr int kThreads = 256;
  // Blocks of one launch: 8 for each multiprocessor of an H100, each leaves one flag that the second launch reads.
  static constexpr i64 kMaxBlocks = 1056;
  // A row's words are a multiple of 4, so that the second launch loads 16 bytes.
  static constexpr int kWordGroup = 4;
};

// Features that a warp packs at a time: 16 bytes for each lane, twice that for float64.
template <typename T>
constexpr int kSignFeatures = kVector<T> * 32 < 128 ? 128 : kVector<T> * 32;

template <typename T>
__host__ __device__ constexpr i64 sign_words(i64 features) {
  return (features + kSignFeatures<T> - 1) / kSignFeatures<T> * (kSignFeatures<T> / 32);
}

// x [rows, features] -> bits [rows, sign_words], not_finite [blocks]. Bits of features past the end are clear. The
// order of bits within a row is that of the loads, the same for all rows.
template <typename T>
__global__ void __launch_bounds__(PackTraits::kThreads)
    sign_pack(const void* data, i64 rows, i64 features, i64 stride, i32 aligned, u32* bits, i32* not_finite) {
  using C = Compute<T>;
  constexpr int kValues = kSignFeatures<T> / 32;
  static_assert(kValues % PackTraits::kWordGroup == 0, "whole groups of words");
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const i64 warps = static_cast<i64>(gridDim.x) * (PackTraits::kThreads / 32);
  const i64 words = sign_words<T>(features);
  const i64 pieces = words / kValues;  // per row
  bool bad = false;
  for (i64 piece = blockIdx.x * static_cast<i64>(PackTraits::kThreads / 32) + threadIdx.x / 32; piece < rows * pieces;
       piece += warps) {
    const i64 row = piece / pieces, start = piece % pieces * kSignFeatures<T>;
    const i64 left = features - start;
    const int count = static_cast<int>(left < kSignFeatures<T> ? left : kSignFeatures<T>);
    LaneValues<T, 32, kValues> values;
    values.load(static_cast<const T*>(data) + row * stride + start, count, aligned != 0, lane);
    u32 mine = 0;
#pragma unroll
    for (int v = 0; v < kValues; ++v) {
      bad = bad || !is_finite(values[v]);
      const u32 word = __ballot_sync(0xffffffffu, values[v] > C(0));
      mine = lane == v ? word : mine;
    }
    if (lane < kValues) bits[row * words + piece % pieces * kValues + lane] = mine;
  }
  const int any = __syncthreads_or(bad ? 1 : 0);
  if (threadIdx.x == 0) not_finite[blockIdx.x] = any != 0 ? 1 : 0;
}

// Launch configuration of sign_count: a block compares kTile rows with kTile rows.
template <int kTileRows>
struct CountTraits {
  static constexpr int kThreads = 256;
  // 8 x 8 pairs have 64 sums and nine loads of 16 bytes in flight: more than 128 registers.
  static constexpr int kMinBlocks = kTileRows == 8 ? 1 : 2;
  // 4: at N = 64 the triangle has 136 blocks, one per multiprocessor of an H100. 8: above, half the reads per pair.
  static constexpr int kTile = kTileRows;
  static constexpr int kPairs = kTile * kTile;
  static constexpr int kWarps = kThreads / 32;
  // Lanes that end up with the same pair, and pairs of a lane, after a warp has added.
  static constexpr int kShare = kPairs < 32 ? 32 / kPairs : 1;
  static constexpr int kOwn = kPairs < 32 ? 1 : kPairs / 32;
  static_assert(kPairs <= kThreads, "a thread per pair finishes");
};
// From here on reads from the second-level cache cost more than idle multiprocessors.
constexpr i64 kWideTileRows = 128;

// Adds kCount sums over the lanes of a warp: in each step a lane drops half of them, and lane l is left with kOwn sums
// from l / kShare * kOwn on, kOwn and kShare as in CountTraits.
template <int kCount, int kDistance>
__device__ inline void add_over_lanes(u32* sums, int lane) {
  constexpr int kHalf = kCount > 1 ? kCount / 2 : 0;
  if constexpr (kHalf == 0) {
    sums[0] += __shfl_xor_sync(0xffffffffu, sums[0], kDistance);
  } else {
    const bool upper = (lane & kDistance) != 0;
#pragma unroll
    for (int e = 0; e < kHalf; ++e) {
      const u32 received = __shfl_xor_sync(0xffffffffu, upper ? sums[e] : sums[e + kHalf], kDistance);
      sums[e] = (upper ? sums[e + kHalf] : sums[e]) + received;
    }
  }
  if constexpr (kDistance > 1) add_over_lanes<(kHalf > 0 ? kHalf : 1), kDistance / 2>(sums, lane);
}

// k [rows, rows] += weight * (features - unequal), counts += (1, 0); or counts += (0, 1) if a flag is set.
template <int kTileRows>
__global__ void __launch_bounds__(CountTraits<kTileRows>::kThreads, CountTraits<kTileRows>::kMinBlocks)
    sign_count(const u32* bits, i64 words, const i32* not_finite, i32 flags, i32 rows, i64 features, double weight,
               double* k, i64* counts) {
  using Traits = CountTraits<kTileRows>;
  constexpr int kTile = Traits::kTile;
  WRCOR_SHARED(i64, parts, Traits::kPairs * Traits::kWarps);
  const int thread = static_cast<int>(threadIdx.x);
  bool bad = false;
  for (i32 f = thread; f < flags; f += Traits::kThreads) bad = bad || not_finite[f] != 0;
  const bool skipped = __syncthreads_or(bad ? 1 : 0) != 0;
  if (blockIdx.x == 0 && thread == 0) counts[skipped ? 1 : 0] += 1;
  if (skipped) return;

  int first = 0, rest = static_cast<int>(blockIdx.x);
  for (int length = (rows + kTile - 1) / kTile; rest >= length; --length) {
    rest -= length;
    ++first;
  }
  const int first_row = first * kTile, second_row = (first + rest) * kTile;
  // Rows past the end repeat the last one and are not written.
  const auto row_words = [&](int row) {
    return reinterpret_cast<const uint4*>(bits + static_cast<i64>(row < rows ? row : rows - 1) * words);
  };
  u32 sums[Traits::kPairs] = {};  // features with unequal signs; of one warp: far below 2^32
#pragma unroll 1
  for (i64 w = thread; w < words / PackTraits::kWordGroup; w += Traits::kThreads) {
    uint4 left[kTile];
#pragma unroll
    for (int a = 0; a < kTile; ++a) left[a] = __ldg(row_words(first_row + a) + w);
#pragma unroll
    for (int b = 0; b < kTile; ++b) {
      const uint4 right = __ldg(row_words(second_row + b) + w);
#pragma unroll
      for (int a = 0; a < kTile; ++a) {
        sums[a * kTile + b] += __popc(left[a].x ^ right.x) + __popc(left[a].y ^ right.y) + __popc(left[a].z ^ right.z) +
                               __popc(left[a].w ^ right.w);
      }
    }
  }
  const int lane = thread % 32;
  add_over_lanes<Traits::kPairs, 16>(sums, lane);
  if (lane % Traits::kShare == 0) {
#pragma unroll
    for (int e = 0; e < Traits::kOwn; ++e) {
      parts[(lane / Traits::kShare * Traits::kOwn + e) * Traits::kWarps + thread / 32] = sums[e];
    }
  }
  __syncthreads();
  if (thread < Traits::kPairs) {
    const int i = first_row + thread / kTile, j = second_row + thread % kTile;
    i64 sum = 0;
    for (int warp = 0; warp < Traits::kWarps; ++warp) sum += parts[thread * Traits::kWarps + warp];
    if (i <= j && j < rows) {
      const double value = weight * static_cast<double>(features - sum);
      k[static_cast<i64>(i) * rows + j] += value;
      if (i != j) k[static_cast<i64>(j) * rows + i] += value;
    }
  }
}

}  // namespace wrcor
