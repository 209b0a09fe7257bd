// slogdet on the GPU: one block per matrix.
#include <tuple>
#include <vector>

#include "device.h"
#include "launch_slogdet.cuh"

namespace wrcor {
namespace {

std::tuple<Tensor, Tensor> slogdet(const Tensor& k) {
  check_square(k);
  const OnDevice device(k);
  const Tensor dense = torch::stable::contiguous(k);
  const int64_t n = k.size(k.dim() - 1);
  std::vector<int64_t> shape;
  int64_t matrices = 1;
  for (int64_t d = 0; d + 2 < k.dim(); ++d) {
    shape.push_back(k.size(d));
    matrices *= k.size(d);
  }
  const Tensor sign = torch::stable::new_empty(k, shape);
  const Tensor logabsdet = torch::stable::new_empty(k, shape);
  const int64_t limit = device.shared_limit();
  const Tensor memory = workspace(k, slogdet_workspace_bytes(matrices, n, limit));
  device.check(launch_slogdet(dense.const_data_ptr<double>(), matrices, n, limit, memory.mutable_data_ptr(),
                              sign.mutable_data_ptr<double>(), logabsdet.mutable_data_ptr<double>(), device.stream()));
  return {sign, logabsdet};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(wrcor_ext, CUDA, library) { library.impl("slogdet", TORCH_BOX(&slogdet)); }

}  // namespace wrcor
