// Launches of the sign-pattern kernels: pack, then count.
#pragma once

#include "../kernels/hamming.cuh"
#include "launch.cuh"

namespace wrcor {

struct HammingPlan {
  i64 words;   // per row
  i32 blocks;  // of the first launch, each with a flag
};

template <typename T>
HammingPlan hamming_plan(i64 rows, i64 features) {
  const i64 words = sign_words<T>(features);
  const i64 pieces = rows * (words / (kSignFeatures<T> / 32));
  const i64 blocks = (pieces + PackTraits::kThreads / 32 - 1) / (PackTraits::kThreads / 32);
  return {words, static_cast<i32>(blocks < PackTraits::kMaxBlocks ? blocks : PackTraits::kMaxBlocks)};
}

// Bytes of workspace, which must lie on 16 bytes: the bits of all rows, then the flags.
inline i64 hamming_workspace_bytes(Element element, i64 rows, i64 features) {
  i64 bytes = 0;
  with_type(element, [&](auto tag) {
    const HammingPlan plan = hamming_plan<typename decltype(tag)::type>(rows, features);
    bytes = (rows * plan.words + plan.blocks) * 4;
    return cudaSuccess;
  });
  return bytes;
}

template <int kTile>
cudaError_t launch_count(const u32* bits, const HammingPlan& plan, const i32* flags, i64 rows, i64 features,
                         double weight, double* k, i64* counts, cudaStream_t stream) {
  return WRCOR_LAUNCH(sign_count<kTile>, dim3(triangle((rows + kTile - 1) / kTile)), dim3(CountTraits<kTile>::kThreads),
                      0, stream, bits, plan.words, flags, plan.blocks, rows, features, weight, k, counts);
}

// k [rows, rows] += weight * number of features with equal signs, or nothing if x is not finite; counts [2] += (used,
// skipped).
inline cudaError_t launch_accumulate_hamming(Element element, i64 rows, const ResponseInput& x, double weight,
                                             void* workspace, double* k, i64* counts, cudaStream_t stream) {
  return with_type(element, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const HammingPlan plan = hamming_plan<T>(rows, x.features);
    u32* bits = static_cast<u32*>(workspace);
    i32* flags = reinterpret_cast<i32*>(bits + rows * plan.words);
    const cudaError_t status =
        WRCOR_LAUNCH(sign_pack<T>, dim3(static_cast<unsigned>(plan.blocks)), dim3(PackTraits::kThreads), 0, stream,
                     x.data, rows, x.features, x.stride, rows_aligned(element, x) ? 1 : 0, bits, flags);
    if (status != cudaSuccess) return status;
    return rows <= kWideTileRows ? launch_count<4>(bits, plan, flags, rows, x.features, weight, k, counts, stream)
                                 : launch_count<8>(bits, plan, flags, rows, x.features, weight, k, counts, stream);
  });
}

}  // namespace wrcor
