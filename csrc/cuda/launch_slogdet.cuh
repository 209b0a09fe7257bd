// Launches of the log-determinant kernels: whole matrices in shared memory where they fit, else blocked, as many at a
// time as keep the workspace small.
#pragma once

#include "../kernels/slogdet.cuh"
#include "launch.cuh"

namespace wrcor {

// Matrices of one blocked launch: two for each of the 132 multiprocessors of an H100; 553 MB of copies at N = 512.
constexpr i64 kBlockedBatch = 264;

// `shared_limit`: bytes of shared memory that a block may ask for.
inline bool slogdet_fits(i64 n, i64 shared_limit) {
  return lu_shared_bytes(n) + 64 <= shared_limit;  // 64: the kernel's static variables
}

inline i64 slogdet_workspace_bytes(i64 batch, i64 n, i64 shared_limit) {
  if (slogdet_fits(n, shared_limit)) return 0;
  return (batch < kBlockedBatch ? batch : kBlockedBatch) * n * n * 8;
}

// matrices [batch, n, n], left as they are -> sign [batch], logabsdet [batch].
inline cudaError_t launch_slogdet(const double* matrices, i64 batch, i64 n, i64 shared_limit, void* workspace,
                                  double* sign, double* logabsdet, cudaStream_t stream) {
  if (n < 1 || n > LuTraits::kMaxRows) return cudaErrorInvalidValue;
  if (batch == 0) return cudaSuccess;
  if (slogdet_fits(n, shared_limit)) {
    return WRCOR_LAUNCH(slogdet_shared<LuTraits>, dim3(static_cast<unsigned>(batch)), dim3(LuTraits::kThreads),
                        static_cast<std::size_t>(lu_shared_bytes(n)), stream, matrices, n, sign, logabsdet);
  }
  for (i64 first = 0; first < batch; first += kBlockedBatch) {
    const i64 count = batch - first < kBlockedBatch ? batch - first : kBlockedBatch;
    const cudaError_t status =
        WRCOR_LAUNCH(slogdet_blocked<LuTraits>, dim3(static_cast<unsigned>(count)), dim3(LuTraits::kThreads), 0, stream,
                     matrices + first * n * n, n, static_cast<double*>(workspace), sign + first, logabsdet + first);
    if (status != cudaSuccess) return status;
  }
  return cudaSuccess;
}

}  // namespace wrcor
