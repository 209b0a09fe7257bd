// slogdet on the GPU: one block per matrix.
#include <tuple>

#include "device.h"
#include "launch_slogdet.cuh"

namespace wrcor {
namespace {

std::tuple<Tensor, Tensor> slogdet(const Tensor& k) {
  check_square(k);
  const OnDevice device(k);
  const MatricesView view = view_matrices(k);
  const int64_t limit = device.shared_limit();
  const Tensor memory = workspace(k, slogdet_workspace_bytes(view.count, view.n, limit));
  const Tensor sign = torch::stable::new_empty(k, view.batch);
  const Tensor logabsdet = torch::stable::new_empty(k, view.batch);
  device.check(launch_slogdet(view.data, view.count, view.n, limit, memory.mutable_data_ptr(),
                              sign.mutable_data_ptr<double>(), logabsdet.mutable_data_ptr<double>(), device.stream()));
  return {sign, logabsdet};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(wrcor_ext, CUDA, library) { library.impl("slogdet", TORCH_BOX(&slogdet)); }

}  // namespace wrcor
