// Launches of the correlation kernels: two for one response, and two for a run of up to kMaxResponses of equal N and
// type.
//
// Nothing here waits for the device or allocates: the caller hands over a workspace and a stream.
#pragma once

#include "../kernels/correlation.cuh"
#include "../kernels/correlation_merge.cuh"
#include "correlation_runs.cuh"
#include "launch.cuh"

namespace wrcor {

template <typename T, int kRows, bool kPair>
cudaError_t launch_slices(const CorrelationPlan& plan, i32 chunks, const ResponseTable& table,
                          const CorrelationPartials& partials, cudaStream_t stream) {
  using Traits = SliceTraits<T, kRows, kPair>;
  if (plan.features != Traits::kFeatures || plan.gram_elements != Traits::kGramElements) return cudaErrorInvalidValue;
  return WRCOR_LAUNCH(correlation_slices<T, kRows, kPair>, dim3(static_cast<unsigned>(chunks * plan.pairs)),
                      dim3(Traits::kThreads), 0, stream, table, partials);
}

template <typename T>
cudaError_t launch_panels(const CorrelationPlan& plan, i32 chunks, const ResponseTable& table,
                          const CorrelationPartials& partials, cudaStream_t stream) {
  if (plan.panel_rows == 16) return launch_slices<T, 16, false>(plan, chunks, table, partials, stream);
  if constexpr (sizeof(T) == 8) {
    if (plan.pair) return launch_slices<T, 32, true>(plan, chunks, table, partials, stream);
    return launch_slices<T, 32, false>(plan, chunks, table, partials, stream);
  } else {
    if (plan.pair) return launch_slices<T, 128, true>(plan, chunks, table, partials, stream);
    if (plan.panel_rows == 128) return launch_slices<T, 128, false>(plan, chunks, table, partials, stream);
    if (plan.panel_rows == 64) return launch_slices<T, 64, false>(plan, chunks, table, partials, stream);
    return launch_slices<T, 32, false>(plan, chunks, table, partials, stream);
  }
}

template <typename T>
cudaError_t launch_correlation(Element element, i64 rows, const ResponseInput* responses, int count,
                               const ResponseWeights& weights, void* workspace, const CorrelationResult& result,
                               cudaStream_t stream) {
  using C = Compute<T>;
  constexpr bool is_double = sizeof(C) == 8;
  if (count < 1 || count > kMaxResponses || rows < 1 || rows > kMaxResponseRows) return cudaErrorInvalidValue;
  const CorrelationPlan plan = correlation_plan(is_double, rows, responses[0].features);
  ResponseTable table = {};
  table.count = count;
  table.rows = static_cast<i32>(rows);
  i32 chunks = 0;
  for (int r = 0; r < count; ++r) {
    const ResponseInput& x = responses[r];
    const CorrelationPlan own = correlation_plan(is_double, rows, x.features);
    table.responses[r] = {
        x.data, x.stride, x.features, chunks, own.chunks, own.slices_per_chunk, rows_aligned(element, x) ? 1 : 0};
    chunks += own.chunks;
  }
  const CorrelationWorkspace at = correlation_workspace(plan, is_double, chunks);
  char* memory = static_cast<char*>(workspace);
  const CorrelationPartials partials = {
      memory + at.gram, reinterpret_cast<double*>(memory + at.mean), reinterpret_cast<i32*>(memory + at.exponent),
      reinterpret_cast<i32*>(memory + at.flags), reinterpret_cast<i32*>(memory + at.status)};
  const cudaError_t status = launch_panels<T>(plan, chunks, table, partials, stream);
  if (status != cudaSuccess) return status;
  const MergeView<C> view = {partials, plan};
  return WRCOR_LAUNCH(correlation_merge<C>, dim3(triangle((rows + MergeTraits::kSide - 1) / MergeTraits::kSide)),
                      dim3(MergeTraits::kThreads), 0, stream, table, weights, view, result);
}

// out [rows, rows] = C(x).
inline cudaError_t launch_response_correlation(Element element, i64 rows, const ResponseInput& x, void* workspace,
                                               double* out, cudaStream_t stream) {
  return with_type(element, [&](auto tag) {
    return launch_correlation<typename decltype(tag)::type>(element, rows, &x, 1, {}, workspace,
                                                            {out, nullptr, nullptr, nullptr, 0}, stream);
  });
}

// For each response in turn: k[s] [rows, rows] += weights[s][r] * |C| for every sum s, or nothing if C has a NaN;
// counts [2] += (used, skipped); used [count] = 1 or 0. `weights` is [sums, count]; `counts` and `used` may be null.
// All responses have the same element type.
inline cudaError_t launch_accumulate_correlation(Element element, i64 rows, const ResponseInput* responses, i64 count,
                                                 const double* weights, int sums, void* workspace, double* k,
                                                 i64* counts, i64* used, cudaStream_t stream) {
  if (sums < 1 || sums > kMaxSums) return cudaErrorInvalidValue;
  for (i64 first = 0; first < count;) {
    const int length = correlation_run(element, rows, responses + first, count - first).count;
    ResponseWeights own = {};
    for (int s = 0; s < sums; ++s) {
      for (int r = 0; r < length; ++r) own.of[s][r] = weights[s * count + first + r];
    }
    const CorrelationResult result = {nullptr, k, counts, used == nullptr ? nullptr : used + first, sums};
    const cudaError_t status = with_type(element, [&](auto tag) {
      return launch_correlation<typename decltype(tag)::type>(element, rows, responses + first, length, own, workspace,
                                                              result, stream);
    });
    if (status != cudaSuccess) return status;
    first += length;
  }
  return cudaSuccess;
}

}  // namespace wrcor
