// response_correlation and its sums on the GPU: two launches for one response or for a run of a group, and the host
// waits for none.
#include <vector>

#include "device.h"
#include "launch_correlation.cuh"

namespace wrcor {
namespace {

Tensor response_correlation(const Tensor& x) {
  check_response(x);
  const OnDevice device(x);
  const ResponseView view = view_response(x);
  const ResponseInput input = input_of(view);
  const Tensor memory = workspace(x, correlation_workspace_bytes(view.element, view.rows, &input, 1));
  const Tensor result = torch::stable::new_empty(x, {view.rows, view.rows}, ScalarType::Double);
  device.check(launch_response_correlation(view.element, view.rows, input, memory.mutable_data_ptr(),
                                           result.mutable_data_ptr<double>(), device.stream()));
  return result;
}

// Copies and workspace come before the first launch: a device without room for them leaves k as it is.
void accumulate(const Tensor& k, const std::vector<Tensor>& xs, const std::vector<double>& weights, i64* counts,
                i64* used) {
  const OnDevice device(k);
  const std::vector<ResponseView> views = view_responses(xs);
  std::vector<ResponseInput> inputs;
  for (const ResponseView& view : views) inputs.push_back(input_of(view));
  const Element element = views.front().element;
  const int64_t rows = views.front().rows, count = static_cast<int64_t>(inputs.size());
  const int sums = static_cast<int>(weights.size() / inputs.size());
  const Tensor memory = workspace(k, correlation_workspace_bytes(element, rows, inputs.data(), count));
  device.check(launch_accumulate_correlation(element, rows, inputs.data(), count, weights.data(), sums,
                                             memory.mutable_data_ptr(), k.mutable_data_ptr<double>(), counts, used,
                                             device.stream()));
}

void accumulate_correlation(const Tensor& k, const Tensor& x, double weight, const Tensor& counts) {
  check_accumulator(k, x, counts);
  accumulate(k, {x}, {weight}, integers(counts), nullptr);
}

void accumulate_correlation_group(const Tensor& k, const std::vector<Tensor>& xs, const std::vector<double>& weights,
                                  const Tensor& used) {
  check_group(k, xs, weights, used);
  accumulate(k, xs, weights, nullptr, integers(used));
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(wrcor_ext, CUDA, library) {
  library.impl("response_correlation", TORCH_BOX(&response_correlation));
  library.impl("accumulate_correlation", TORCH_BOX(&accumulate_correlation));
  library.impl("accumulate_correlation_group", TORCH_BOX(&accumulate_correlation_group));
}

}  // namespace wrcor
