// Correlation, products of what is computed in float32: tensor cores, at the precision of float32.
//
// A centred value z is split into two float16, z = high + low / 2^11 with 22 bits together, and
//
//   z_i z_j = high_i high_j + (low_i high_j + high_i low_j) / 2^11 + less than 2^-22 of it
//
// takes three products of float16, which are exact (Ootomo & Yokota 2022, "Recovering single precision accuracy from
// tensor cores while surpassing the FP32 theoretical peak performance"). Rows have been scaled: float16's range is
// no limit. Tensor cores round sums towards zero: left to themselves they would lose of a long sum of squares
// more and more, and always in one direction. So each sums 16 features anew, mixed products first, and their results
// are added in float32 with ordinary rounding. The two mixed products are summed apart from each other: added up they
// are the same bits for (i, j) and (j, i), so that equal rows have equal entries.
#pragma once

#include "correlation_plan.cuh"

namespace wrcor {

// A row of a slice is a number of chunks of 16 bytes, eight float16: first the high parts of the values in the order of
// lanes, then the low parts. Two chunks of each make the 16 features of one instruction; which features these are is of
// no concern, as long as it is the same in all rows.
//
// Rows are multiples of 128 bytes apart, so the same chunk of eight neighbouring rows would lie in the same four banks.
// Hence chunk c of a row is stored at place c ^ s, where s differs among the eight rows: reading one chunk of each
// meets all 32 banks. So does storing: a warp that writes two rows at once, half of the chunks each (rows of 32
// features), writes to two different halves of the banks. The two functions below prove it at compile time.
__host__ __device__ constexpr int place_of_chunk(int row, int chunk) {
  return chunk ^ ((row & 3) | ((row ^ row << 1) & 4));
}

// Whether each chunk of eight rows, which one matrix is read from, meets all 32 banks.
__host__ __device__ constexpr bool reads_meet_all_banks() {
  for (int chunk = 0; chunk < 8; ++chunk) {
    u32 places = 0;
    for (int row = 0; row < 8; ++row) places |= 1u << place_of_chunk(row, chunk) % 8;
    if (places != 0xffu) return false;
  }
  return true;
}

// The same of what a warp stores at once, 128 bytes: 2 or 4 words of each lane, `lanes` of them to a row.
__host__ __device__ constexpr bool stores_meet_all_banks(int lanes, int pack, int words) {
  const int together = 32 / words;
  for (int first = 0; first < 32; first += together) {
    u32 places = 0;  // of 8 bytes
    for (int l = first; l < first + together; ++l) {
      const int place = place_of_chunk(l / lanes * pack, l % lanes * words / 4) % 8;
      places |= (words == 4 ? 3u : 1u << l % 2) << 2 * place;
    }
    if (places != 0xffffu) return false;
  }
  return true;
}

template <typename Traits>
class MatrixTiles {
  static_assert(reads_meet_all_banks(), "no bank is asked twice");
  static_assert(stores_meet_all_banks(Traits::kLanes, Traits::kPack, Traits::kValues / 2), "no bank is asked twice");

 public:
  static constexpr int kSums = Traits::kSums;
  float sums[kSums] = {};

  // Rows that are there, of either panel; `two` of them, or one against itself.
  __device__ MatrixTiles(int left_rows, int right_rows, bool two) {
    const Place at;
    // Nothing is to be done for a tile below the diagonal of a panel against itself, and for one without rows.
    idle_ = at.row >= left_rows || at.column >= right_rows || (!two && at.row > at.column);
  }

  // Puts the centred rows [row, row + kPack) into their panel.
  __device__ static void store(float* panel, int row, int lane, const float (&values)[Traits::kPack][Traits::kValues]) {
    constexpr int kWords = Traits::kValues / 2;
    const int chunk = lane * kWords / 4, word = lane * kWords % 4;
#pragma unroll
    for (int r = 0; r < Traits::kPack; ++r) {
      u32 high[kWords], low[kWords];
#pragma unroll
      for (int w = 0; w < kWords; ++w) split(values[r][2 * w], values[r][2 * w + 1], high + w, low + w);
      float* const to = panel + (row + r) * Traits::kFeatures + word;
      store_words(to + 4 * place_of_chunk(row + r, chunk), high);
      store_words(to + 4 * place_of_chunk(row + r, chunk + kLowChunk), low);
    }
  }

  // sums *= left right, the factors of rows.
  __device__ void rescale(const float* left, const float* right) {
    for_each([&](int i, int j, float& sum) { sum *= left[i] * right[j]; });
  }

  // Every kGroups-th 16 features from `group` on.
  __device__ void multiply(const float* left, const float* right, int group) {
    if (idle_) return;
    const Place at;
#pragma unroll 1
    for (int step = group; step < Traits::kSteps; step += Traits::kGroups) {
      u32 high_a[kDown][4], low_a[kDown][4];
#pragma unroll
      for (int d = 0; d < kDown; ++d) {
        // Matrices: 16 rows, then the same rows eight features on.
        const auto a = [&](int chunk, u32 from) {
          return chunk_of(left, at.row, 16 * d, from % 16, chunk + 2 * step + static_cast<int>(from / 16));
        };
        load_matrices([&](u32 from) { return a(0, from); }, at.lane, high_a[d]);
        load_matrices([&](u32 from) { return a(kLowChunk, from); }, at.lane, low_a[d]);
      }
#pragma unroll
      for (int n = 0; n < kTileSpan; ++n) {
        __syncwarp();  // for the compiler: loads that it begins earlier would need registers that are not there
        // Matrices: 16 features, two of the high parts and two of the low ones.
        u32 b[4];
        const auto address = [&](u32 from) {
          const int chunk = static_cast<int>(from / 16 * kLowChunk + from / 8 % 2);
          return chunk_of(right, at.column, 8 * n, from % 8, chunk + 2 * step);
        };
        load_matrices(address, at.lane, b);
#pragma unroll
        for (int d = 0; d < kDown; ++d) {
          const float4 none = {};
          const float4 one = multiply_halves(low_a[d], b, none), other = multiply_halves(high_a[d], b + 2, none);
          const float4 mixed = make_float4((one.x + other.x) * kLow, (one.y + other.y) * kLow, (one.z + other.z) * kLow,
                                           (one.w + other.w) * kLow);
          const float4 all = multiply_halves(high_a[d], b, mixed);
          float* const sum = sums + (d * kTileSpan + n) * 4;
          sum[0] += all.x;
          sum[1] += all.y;
          sum[2] += all.z;
          sum[3] += all.w;
        }
      }
    }
    if (group == 0) {
      const float* const left_shift = left + Traits::kFeatures * Traits::kRows;
      const float* const right_shift = right + Traits::kFeatures * Traits::kRows;
      for_each([&](int i, int j, float& sum) { sum += left_shift[i] * right_shift[j]; });
    }
  }

  // gram [kRows, kRows], all of the tile.
  __device__ void write(float* gram) {
    if (idle_) return;
    constexpr float kUnit = 1.0f / (Traits::kLift * Traits::kLift);
    for_each([&](int i, int j, float& sum) { gram[i * Traits::kRows + j] = sum * kUnit; });
  }

 private:
  static constexpr int kAcross = Traits::kRows / Traits::kTile;
  static constexpr int kDown = Traits::kTile / 16, kTileSpan = Traits::kTile / 8;
  static constexpr int kLowChunk = Traits::kFeatures / 8;  // the first one of the low parts
  static constexpr float kHigh = 2048.0f, kLow = 1.0f / kHigh;
  bool idle_;

  // Where the tile of a thread's warp is.
  struct Place {
    u32 lane;
    int row, column;
    __device__ Place() {
      const u32 thread = thread_index(), tile = thread / 32 % Traits::kTiles;
      lane = thread % 32;
      const u32 down = tile / kAcross;
      // A multiprocessor has four schedulers, which take warps in turn: of the tiles of a large panel on and above its
      // diagonal two or three fall to each.
      const u32 across = (tile + (kAcross == 4 ? 0x0du >> 2 * down : 0u)) % kAcross;
      row = static_cast<int>(down * Traits::kTile);
      column = static_cast<int>(across * Traits::kTile);
    }
  };

  // body(i, j, sums[e]) with the place of the sum in the panels.
  template <typename Body>
  __device__ void for_each(Body body) {
    const Place at;
    const int i = at.row + static_cast<int>(at.lane / 4), j = at.column + static_cast<int>(at.lane % 4 * 2);
#pragma unroll
    for (int e = 0; e < kSums; ++e) {
      body(i + e / (4 * kTileSpan) * 16 + e % 4 / 2 * 8, j + e / 4 % kTileSpan * 8 + e % 2, sums[e]);
    }
  }

  // A chunk of row base + offset + inner; base and offset are multiples of 8: the place of a chunk depends on `inner`.
  __device__ static const float* chunk_of(const float* panel, int base, int offset, u32 inner, int chunk) {
    const int row = base + static_cast<int>(inner);
    return panel + row * Traits::kFeatures + 4 * place_of_chunk(static_cast<int>(inner), chunk) +
           offset * Traits::kFeatures;
  }
  __device__ static void store_words(float* to, const u32 (&words)[2]) {
    *reinterpret_cast<uint2*>(to) = make_uint2(words[0], words[1]);
  }
  __device__ static void store_words(float* to, const u32 (&words)[4]) {
    *reinterpret_cast<uint4*>(to) = make_uint4(words[0], words[1], words[2], words[3]);
  }

  // Two values, the first one in the lower half of a word.
  __device__ static void split(float a, float b, u32* high, u32* low) {
    const __half2 top = __floats2half2_rn(a, b);
    const float2 back = __half22float2(top);
    const __half2 rest = __floats2half2_rn((a - back.x) * kHigh, (b - back.y) * kHigh);
    memcpy(high, &top, sizeof(u32));
    memcpy(low, &rest, sizeof(u32));
  }
};

}  // namespace wrcor
