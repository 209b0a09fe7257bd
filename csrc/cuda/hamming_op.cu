// accumulate_hamming on the GPU: two launches, and the host waits for neither.
#include "device.h"
#include "launch_hamming.cuh"

namespace wrcor {
namespace {

void accumulate_hamming(const Tensor& k, const Tensor& x, double weight, const Tensor& counts) {
  check_accumulator(k, x, counts);
  const OnDevice device(x);
  const ResponseView view = view_response(x);
  const Tensor memory = workspace(x, hamming_workspace_bytes(view.element, view.rows, view.features));
  device.check(launch_accumulate_hamming(view.element, view.rows, input_of(view), weight, memory.mutable_data_ptr(),
                                         k.mutable_data_ptr<double>(), integers(counts), device.stream()));
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(wrcor_ext, CUDA, library) {
  library.impl("accumulate_hamming", TORCH_BOX(&accumulate_hamming));
}

}  // namespace wrcor
