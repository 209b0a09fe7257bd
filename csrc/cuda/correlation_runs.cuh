// How a group of responses is cut into runs, each of which takes two launches. The order of responses stays: sums of
// float64 numbers depend on it.
#pragma once

#include "../kernels/correlation_plan.cuh"
#include "launch.cuh"

namespace wrcor {

// A run ends before it needs more workspace than this, unless it is a single response. Some 15 responses of N = 64 and
// D = 131072 fit, any of which keeps the device busy by itself.
constexpr i64 kRunBytes = i64(64) << 20;

// Responses that share two launches.
struct CorrelationRun {
  int count;
  i64 bytes;  // of workspace
};

// The first run of `count` >= 1 responses. Depends on their shapes alone.
inline CorrelationRun correlation_run(Element element, i64 rows, const ResponseInput* responses, i64 count) {
  const bool is_double = element == Element::float64;
  CorrelationRun run = {};
  i64 chunks = 0;
  while (run.count < count && run.count < kMaxResponses) {
    const CorrelationPlan plan = correlation_plan(is_double, rows, responses[run.count].features);
    chunks += plan.chunks;
    const i64 bytes = correlation_workspace(plan, is_double, chunks).bytes;
    if (run.count > 0 && bytes > kRunBytes) break;
    ++run.count;
    run.bytes = bytes;
  }
  return run;
}

// Bytes of workspace for all runs of a group, which use it one after the other; it must lie on 16 bytes.
inline i64 correlation_workspace_bytes(Element element, i64 rows, const ResponseInput* responses, i64 count) {
  i64 bytes = 0;
  for (i64 first = 0; first < count;) {
    const CorrelationRun run = correlation_run(element, rows, responses + first, count - first);
    bytes = run.bytes > bytes ? run.bytes : bytes;
    first += run.count;
  }
  return bytes;
}

}  // namespace wrcor
