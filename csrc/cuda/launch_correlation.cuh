// Launches of the correlation kernels: two for one response, and two for a group of up to kMaxResponses of equal N.
//
// Nothing here waits for the device or allocates: the caller hands over a workspace and a stream.
#pragma once

#include "../kernels/correlation.cuh"
#include "../kernels/correlation_merge.cuh"
#include "launch.cuh"

namespace wrcor {

// Chunks of a group of responses, one after the other.
inline i64 correlation_chunks(Element element, i64 rows, const ResponseInput* responses, int count) {
  i64 chunks = 0;
  for (int r = 0; r < count; ++r) {
    chunks += correlation_plan(element == Element::float64, rows, responses[r].features).chunks;
  }
  return chunks;
}

// Bytes of workspace, which must lie on 16 bytes.
inline i64 correlation_workspace_bytes(Element element, i64 rows, const ResponseInput* responses, int count) {
  const bool is_double = element == Element::float64;
  const CorrelationPlan plan = correlation_plan(is_double, rows, responses[0].features);
  return correlation_workspace(plan, is_double, correlation_chunks(element, rows, responses, count)).bytes;
}

template <typename T, int kRows, bool kPair>
cudaError_t launch_slices(const CorrelationPlan& plan, i32 chunks, const ResponseTable& table,
                          const CorrelationPartials& partials, cudaStream_t stream) {
  using Traits = SliceTraits<T, kRows, kPair>;
  if (plan.features != Traits::kFeatures || plan.gram_elements != Traits::kGramElements) return cudaErrorInvalidValue;
  return WRCOR_LAUNCH(correlation_slices<T, kRows, kPair>, dim3(static_cast<unsigned>(chunks * plan.pairs)),
                      dim3(Traits::kThreads), 0, stream, table, partials);
}

template <typename T>
cudaError_t launch_correlation(Element element, i64 rows, const ResponseInput* responses, int count, void* workspace,
                               const CorrelationResult& result, cudaStream_t stream) {
  using C = Compute<T>;
  constexpr bool is_double = sizeof(C) == 8;
  constexpr int kWidest = is_double ? 32 : 64;
  if (count < 1 || count > kMaxResponses || rows < 1 || rows > kMaxResponseRows) return cudaErrorInvalidValue;
  const CorrelationPlan plan = correlation_plan(is_double, rows, responses[0].features);
  ResponseTable table = {};
  table.count = count;
  table.rows = static_cast<i32>(rows);
  i32 chunks = 0;
  for (int r = 0; r < count; ++r) {
    const ResponseInput& x = responses[r];
    const CorrelationPlan own = correlation_plan(is_double, rows, x.features);
    table.responses[r] = {x.data, x.stride,   x.features,           x.weight,
                          chunks, own.chunks, own.slices_per_chunk, rows_aligned(element, x) ? 1 : 0};
    chunks += own.chunks;
  }
  const CorrelationWorkspace at = correlation_workspace(plan, is_double, chunks);
  char* memory = static_cast<char*>(workspace);
  const CorrelationPartials partials = {
      memory + at.gram, reinterpret_cast<double*>(memory + at.mean), reinterpret_cast<i32*>(memory + at.exponent),
      reinterpret_cast<i32*>(memory + at.flags), reinterpret_cast<i32*>(memory + at.status)};
  cudaError_t status = cudaSuccess;
  if (plan.pair) {
    status = launch_slices<T, kWidest, true>(plan, chunks, table, partials, stream);
  } else if (plan.panel_rows == 16) {
    status = launch_slices<T, 16, false>(plan, chunks, table, partials, stream);
  } else if (plan.panel_rows == 32) {
    status = launch_slices<T, 32, false>(plan, chunks, table, partials, stream);
  } else {
    status = launch_slices<T, kWidest, false>(plan, chunks, table, partials, stream);
  }
  if (status != cudaSuccess) return status;
  const MergeView<C> view = {partials, plan};
  return WRCOR_LAUNCH(correlation_merge<C>, dim3(triangle((rows + MergeTraits::kSide - 1) / MergeTraits::kSide)),
                      dim3(MergeTraits::kThreads), 0, stream, table, view, result);
}

// out [rows, rows] = C(x).
inline cudaError_t launch_response_correlation(Element element, i64 rows, const ResponseInput& x, void* workspace,
                                               double* out, cudaStream_t stream) {
  return with_type(element, [&](auto tag) {
    return launch_correlation<typename decltype(tag)::type>(element, rows, &x, 1, workspace, {out, nullptr, nullptr},
                                                            stream);
  });
}

// k [rows, rows] += weight * |C(x)| for each response in turn, or nothing for one whose C has a NaN; counts [2] +=
// (used, skipped). All responses have the same element type.
inline cudaError_t launch_accumulate_correlation(Element element, i64 rows, const ResponseInput* responses, int count,
                                                 void* workspace, double* k, i64* counts, cudaStream_t stream) {
  return with_type(element, [&](auto tag) {
    return launch_correlation<typename decltype(tag)::type>(element, rows, responses, count, workspace,
                                                            {nullptr, k, counts}, stream);
  });
}

}  // namespace wrcor
