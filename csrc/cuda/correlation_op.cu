// response_correlation and accumulate_correlation on the GPU: two launches each, and the host waits for neither.
#include "device.h"
#include "launch_correlation.cuh"

namespace wrcor {
namespace {

Tensor response_correlation(const Tensor& x) {
  check_response(x);
  const OnDevice device(x);
  const ResponseView view = view_response(x);
  const ResponseInput input = input_of(view, 1.0);
  const Element element = element_of(view);
  const Tensor memory = workspace(x, correlation_workspace_bytes(element, view.rows, &input, 1));
  const Tensor result = torch::stable::new_empty(x, {view.rows, view.rows}, ScalarType::Double);
  device.check(launch_response_correlation(element, view.rows, input, memory.mutable_data_ptr(),
                                           result.mutable_data_ptr<double>(), device.stream()));
  return result;
}

void accumulate_correlation(const Tensor& k, const Tensor& x, double weight, const Tensor& counts) {
  check_cuda_accumulator(k, x, counts);
  const OnDevice device(x);
  const ResponseView view = view_response(x);
  const ResponseInput input = input_of(view, weight);
  const Element element = element_of(view);
  const Tensor memory = workspace(x, correlation_workspace_bytes(element, view.rows, &input, 1));
  // counts is int64: as wide as i64 but another type.
  device.check(launch_accumulate_correlation(element, view.rows, &input, 1, memory.mutable_data_ptr(),
                                             k.mutable_data_ptr<double>(), static_cast<i64*>(counts.mutable_data_ptr()),
                                             device.stream()));
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(wrcor_ext, CUDA, library) {
  library.impl("response_correlation", TORCH_BOX(&response_correlation));
  library.impl("accumulate_correlation", TORCH_BOX(&accumulate_correlation));
}

}  // namespace wrcor
