// Sign and logarithm of the absolute determinant by LU with partial pivoting: P A = L U, |det A| = prod |U_kk|.
//
// One block per matrix. Where the matrix fits shared memory it is eliminated there, column by column; beyond, panels of
// columns are, and the rest is updated in device memory, a panel at a time.
#pragma once

#include "element.cuh"

namespace wrcor {

struct LuTraits {
  static constexpr int kThreads = 256;
  // Of the blocked kernel: left alone, the compiler aims at four and spills.
  static constexpr int kMinBlocks = 2;
  // Columns of a panel of the blocked kernel: 512 rows of 8 doubles are 32 KB, which every device has.
  static constexpr int kPanel = 8;
  static constexpr int kMaxRows = 512;
  static_assert(kPanel * kMaxRows * 8 + kMaxRows * 8 <= 48 * 1024 - 1024, "static shared memory");
};

// Leading dimension in shared memory: odd, so that a column lies in different banks.
__host__ __device__ constexpr i64 lu_stride(i64 n) { return n | 1; }

// Dynamic shared memory of slogdet_shared: the matrix, its pivots, the factors of one column.
__host__ __device__ constexpr i64 lu_shared_bytes(i64 n) { return (n * lu_stride(n) + 2 * n) * 8; }

// Row of the largest |column[i * stride]|, first <= i < end, the first one of equals: by one whole warp, lane by lane.
__device__ inline int find_pivot(const double* column, i64 stride, int first, int end, int lane) {
  double best = -1.0;
  int at = first;
  for (int i = first + lane; i < end; i += 32) {
    const double magnitude = fabs(column[i * stride]);
    if (magnitude > best) {
      best = magnitude;
      at = i;
    }
  }
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    const double other = __shfl_xor_sync(0xffffffffu, best, distance);
    const int other_at = __shfl_xor_sync(0xffffffffu, at, distance);
    if (other > best || (other == best && other_at < at)) {
      best = other;
      at = other_at;
    }
  }
  return at;
}

// The answer out of the pivots [n] in shared memory, overwritten by their logarithms; `exchanges` rows were exchanged.
// The logarithms are added in order by one thread.
__device__ inline void finish_slogdet(double* pivots, int n, int exchanges, double* sign, double* logabsdet) {
  const int thread = static_cast<int>(threadIdx.x);
  int negative = 0;
  for (int i = thread; i < n; i += LuTraits::kThreads) {
    negative += pivots[i] < 0.0 ? 1 : 0;
    pivots[i] = log(fabs(pivots[i]));
  }
  WRCOR_SHARED(i32, minus, 1);
  if (thread == 0) minus[0] = exchanges;
  __syncthreads();
  if (negative > 0) atomicAdd(minus, negative);
  __syncthreads();
  if (thread == 0) {
    double sum = 0.0;
    for (int i = 0; i < n; ++i) sum += pivots[i];
    *sign = minus[0] % 2 == 0 ? 1.0 : -1.0;
    *logabsdet = sum;
  }
}

__device__ inline void write_undefined(double* sign, double* logabsdet) {
  if (threadIdx.x == 0) *sign = *logabsdet = quiet_nan();
}
__device__ inline void write_singular(double* sign, double* logabsdet) {
  if (threadIdx.x == 0) {
    *sign = 0.0;
    *logabsdet = -infinity();
  }
}

// matrices [batch, n, n] -> sign [batch], logabsdet [batch]; block blockIdx.x takes one matrix.
template <typename Traits>
__global__ void __launch_bounds__(Traits::kThreads)
    slogdet_shared(const double* matrices, i32 n, double* sign, double* logabsdet) {
  WRCOR_DYNAMIC_SHARED(double, a);
  WRCOR_SHARED(i32, pivot_row, 1);
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % 32, warp = thread / 32;
  constexpr int kWarps = Traits::kThreads / 32;
  const int lda = static_cast<int>(lu_stride(n));
  double* pivots = a + n * lda;
  double* factors = pivots + n;
  const double* matrix = matrices + static_cast<i64>(blockIdx.x) * n * n;
  sign += blockIdx.x;
  logabsdet += blockIdx.x;
  bool bad = false;
  for (int i = warp; i < n; i += kWarps) {
    for (int j = lane; j < n; j += 32) {
      const double value = matrix[i * n + j];
      bad = bad || !is_finite(value);
      a[i * lda + j] = value;
    }
  }
  if (__syncthreads_or(bad ? 1 : 0) != 0) return write_undefined(sign, logabsdet);

  int exchanges = 0;
  for (int k = 0; k < n; ++k) {
    if (warp == 0) {
      const int found = find_pivot(a + k, lda, k, n, lane);
      if (lane == 0) {
        pivot_row[0] = found;
        pivots[k] = a[found * lda + k];
      }
    }
    __syncthreads();
    const int p = pivot_row[0];
    const double pivot = pivots[k];
    if (pivot == 0.0) return write_singular(sign, logabsdet);
    exchanges += p != k ? 1 : 0;
    // Column k is not exchanged: nobody reads it again but for these factors.
    for (int i = k + 1 + thread; i < n; i += Traits::kThreads) factors[i] = a[(i == p ? k : i) * lda + k] / pivot;
    if (p != k) {
      for (int j = k + 1 + thread; j < n; j += Traits::kThreads) {
        const double keep = a[k * lda + j];
        a[k * lda + j] = a[p * lda + j];
        a[p * lda + j] = keep;
      }
    }
    __syncthreads();
    for (int i = k + 1 + warp; i < n; i += kWarps) {
      const double factor = factors[i];
      for (int j = k + 1 + lane; j < n; j += 32) a[i * lda + j] -= factor * a[k * lda + j];
    }
    __syncthreads();
  }
  finish_slogdet(pivots, n, exchanges, sign, logabsdet);
}

// The same for matrices that do not fit: work [gridDim.x, n, n] takes a copy of each.
template <typename Traits>
__global__ void __launch_bounds__(Traits::kThreads, Traits::kMinBlocks)
    slogdet_blocked(const double* matrices, i32 n, double* work, double* sign, double* logabsdet) {
  constexpr int kPanel = Traits::kPanel, kWarps = Traits::kThreads / 32;
  WRCOR_SHARED(double, panel, kPanel* Traits::kMaxRows);  // [column, row from the panel's first one on]
  WRCOR_SHARED(double, pivots, Traits::kMaxRows);
  WRCOR_SHARED(i32, pivot_row, kPanel);
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % 32, warp = thread / 32;
  const double* matrix = matrices + static_cast<i64>(blockIdx.x) * n * n;
  double* a = work + static_cast<i64>(blockIdx.x) * n * n;
  sign += blockIdx.x;
  logabsdet += blockIdx.x;
  bool bad = false;
  for (int e = thread; e < n * n; e += Traits::kThreads) {
    const double value = matrix[e];
    bad = bad || !is_finite(value);
    a[e] = value;
  }
  if (__syncthreads_or(bad ? 1 : 0) != 0) return write_undefined(sign, logabsdet);

  int exchanges = 0;
  for (int first = 0; first < n; first += kPanel) {
    const int width = n - first < kPanel ? n - first : kPanel;
    const int height = n - first;
    for (int e = thread; e < height * kPanel; e += Traits::kThreads) {
      const int i = e / kPanel, c = e % kPanel;
      panel[c * height + i] = c < width ? a[static_cast<i64>(first + i) * n + first + c] : 0.0;
    }
    __syncthreads();
    for (int c = 0; c < width; ++c) {
      double* column = panel + c * height;
      if (warp == 0) {
        const int found = find_pivot(column, 1, c, height, lane);
        if (lane == 0) {
          pivot_row[c] = found;
          pivots[first + c] = column[found];
        }
      }
      __syncthreads();
      const int p = pivot_row[c];
      const double pivot = pivots[first + c];
      if (pivot == 0.0) return write_singular(sign, logabsdet);
      exchanges += p != c ? 1 : 0;
      // Rows are exchanged in the whole panel: its left part holds factors that move along.
      if (p != c && thread < width) {
        const double keep = panel[thread * height + c];
        panel[thread * height + c] = panel[thread * height + p];
        panel[thread * height + p] = keep;
      }
      __syncthreads();
      for (int i = c + 1 + thread; i < height; i += Traits::kThreads) {
        const double factor = column[i] / pivot;
        column[i] = factor;
        for (int d = c + 1; d < width; ++d) panel[d * height + i] -= factor * panel[d * height + c];
      }
      __syncthreads();
    }
    // Columns right of the panel, one thread each: exchange rows, then solve with the panel's unit lower triangle.
    const int right = first + width;
    for (int j = right + thread; j < n; j += Traits::kThreads) {
      double* column = a + static_cast<i64>(first) * n + j;
      for (int c = 0; c < width; ++c) {
        const i64 p = pivot_row[c];
        const double keep = column[static_cast<i64>(c) * n];
        column[static_cast<i64>(c) * n] = column[p * n];
        column[p * n] = keep;
      }
      for (int c = 1; c < width; ++c) {
        double value = column[static_cast<i64>(c) * n];
        for (int d = 0; d < c; ++d) value -= panel[d * height + c] * column[static_cast<i64>(d) * n];
        column[static_cast<i64>(c) * n] = value;
      }
    }
    __syncthreads();
    // The rest: minus the panel's factors times its rows. A warp takes 32 columns and keeps their panel rows. There is
    // a rest only where the panel is a whole one.
    for (int start = right; start < n; start += 32) {
      const int j = start + lane;
      if (j < n) {
        double upper[kPanel];
#pragma unroll
        for (int c = 0; c < kPanel; ++c) upper[c] = a[static_cast<i64>(first + c) * n + j];
        for (int i = width + warp; i < height; i += kWarps) {
          double value = a[static_cast<i64>(first + i) * n + j];
#pragma unroll
          for (int c = 0; c < kPanel; ++c) value -= panel[c * height + i] * upper[c];
          a[static_cast<i64>(first + i) * n + j] = value;
        }
      }
    }
    __syncthreads();
  }
  finish_slogdet(pivots, n, exchanges, sign, logabsdet);
}

}  // namespace wrcor
