// The memory of op inputs as the kernels read it; declared in stable.h.
#include <algorithm>
#include <utility>

#include "stable.h"

namespace wrcor {
namespace {

// True if the sample's dimensions (all but the first) cover `features` consecutive elements exactly once.
bool sample_is_dense(const Tensor& x) {
  const auto sizes = x.sizes();
  const auto strides = x.strides();
  std::vector<std::pair<int64_t, int64_t>> dims;  // (stride, size), innermost first once sorted
  for (size_t d = 1; d < sizes.size(); ++d) {
    if (sizes[d] != 1) dims.emplace_back(strides[d], sizes[d]);
  }
  std::sort(dims.begin(), dims.end());
  int64_t expected = 1;
  for (const auto& [stride, size] : dims) {
    if (stride != expected) return false;
    expected *= size;
  }
  return true;
}

Element element_of(ScalarType dtype) {
  switch (dtype) {
    case ScalarType::Double: return Element::float64;
    case ScalarType::Half: return Element::float16;
    case ScalarType::BFloat16: return Element::bfloat16;
    default: return Element::float32;  // check_response admits nothing else
  }
}

Tensor contiguous(const Tensor& tensor, const char* what) {
  return allocated(what, tensor.numel() * static_cast<int64_t>(tensor.element_size()), tensor,
                   [&] { return torch::stable::contiguous(tensor); });
}

}  // namespace

ResponseView view_response(const Tensor& x) {
  const Tensor dense = sample_is_dense(x) ? x : contiguous(x, "a contiguous copy of a response");
  const int64_t rows = x.size(0);
  return {dense, dense.const_data_ptr(), element_of(dense.scalar_type()), rows, x.numel() / rows, dense.stride(0)};
}

std::vector<ResponseView> view_responses(const std::vector<Tensor>& xs) {
  std::vector<ResponseView> views;
  for (const Tensor& x : xs) views.push_back(view_response(x));
  return views;
}

MatricesView view_matrices(const Tensor& k) {
  const Tensor dense = k.is_contiguous() ? k : contiguous(k, "a contiguous copy of the matrices");
  MatricesView view = {dense, dense.const_data_ptr<double>(), k.size(k.dim() - 1), 1, {}};
  for (int64_t d = 0; d + 2 < k.dim(); ++d) {
    view.batch.push_back(k.size(d));
    view.count *= k.size(d);
  }
  return view;
}

}  // namespace wrcor
