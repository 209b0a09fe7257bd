// Correlation, products of float64: register tiles of fused multiply-adds.
//
// A slice lies feature by feature in shared memory. A thread sums kSide x kSide products.
#pragma once

#include "correlation_plan.cuh"

namespace wrcor {

template <typename Traits>
class RegisterTiles {
 public:
  static constexpr int kSums = Traits::kSums;
  double sums[kSums] = {};

  // Which two sets of kSide rows a thread multiplies. All rows of a panel are taken.
  __device__ RegisterTiles(int, int, bool) {
    int number = static_cast<int>(threadIdx.x % Traits::kGroupThreads);
    if constexpr (Traits::kPair) {
      left_ = number / kSets;
      right_ = number % kSets;
    } else {
      left_ = 0;
      for (int length = kSets; number >= length; --length) {
        number -= length;
        ++left_;
      }
      right_ = left_ + number;
    }
  }

  // Puts the centred rows [row, row + kPack) into their panel. Value `v` of a lane goes to slot v * kLanes + lane,
  // whichever feature it is: no two lanes of a store share a bank.
  __device__ static void store(double* panel, int row, int lane,
                               const double (&values)[Traits::kPack][Traits::kValues]) {
#pragma unroll
    for (int v = 0; v < Traits::kValues; ++v) {
      *reinterpret_cast<double2*>(panel + (v * Traits::kLanes + lane) * Traits::kStride + row) =
          make_double2(values[0][v], values[1][v]);
    }
  }

  // sums *= left right, the factors of rows.
  __device__ void rescale(const double* left, const double* right) {
#pragma unroll
    for (int e = 0; e < kSums; ++e) sums[e] *= left[row_of(left_, e / kSide)] * right[row_of(right_, e % kSide)];
  }

  // Every kGroups-th feature from `group` on. The shift of the mean is one feature more.
  __device__ void multiply(const double* left_panel, const double* right_panel, int group) {
    for (int k = group; k <= Traits::kFeatures; k += Traits::kGroups) {
      double left[kSide], right[kSide];
      load(left_panel + k * Traits::kStride + left_ * kPack, left);
      load(right_panel + k * Traits::kStride + right_ * kPack, right);
#pragma unroll
      for (int e = 0; e < kSums; ++e) sums[e] += left[e / kSide] * right[e % kSide];
    }
  }

  // gram [kRows, kRows]. Where tiles are those of a triangle, they may hold entries from below the diagonal.
  __device__ void write(double* gram) const {
#pragma unroll
    for (int e = 0; e < kSums; ++e) {
      const int i = row_of(left_, e / kSide), j = row_of(right_, e % kSide);
      gram[Traits::kPair || i <= j ? i * Traits::kRows + j : j * Traits::kRows + i] = sums[e];
    }
  }

 private:
  static constexpr int kPack = Traits::kPack, kSide = Traits::kSide, kSets = Traits::kSets;
  int left_, right_;

  // Set s holds the rows s * kPack + [0, kPack) of the lower half of a panel and the same ones of its upper half:
  // neighbouring threads read neighbouring 16 bytes.
  __device__ static int row_of(int set, int element) {
    return (element < kPack ? 0 : Traits::kRows / 2) + set * kPack + element % kPack;
  }
  __device__ static void load(const double* from, double* out) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const double2 raw = *reinterpret_cast<const double2*>(from + half * (Traits::kRows / 2));
      out[2 * half] = raw.x;
      out[2 * half + 1] = raw.y;
    }
  }
};

}  // namespace wrcor
