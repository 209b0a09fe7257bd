// slogdet on the CPU: matrices of a batch are spread over threads, each is factorised by one.
#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "../stable.h"
#include "kernels.h"
#include "scratch.h"

namespace wrcor {
namespace {

// Copies matrix [n, n] into rows of lda doubles, padded with zeros; false if it holds a NaN or an infinity.
bool copy_matrix(const double* from, int64_t n, int64_t lda, double* to) {
  double zeros = 0.0;  // value - value is zero unless the value is a NaN or an infinity
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const double value = from[i * n + j];
      zeros += value - value;
      to[i * lda + j] = value;
    }
    std::fill(to + i * lda + n, to + (i + 1) * lda, 0.0);
  }
  return zeros == 0.0;
}

std::tuple<Tensor, Tensor> slogdet(const Tensor& k) {
  check_square(k);
  const MatricesView view = view_matrices(k);
  const Tensor sign = torch::stable::new_empty(k, view.batch);
  const Tensor logabsdet = torch::stable::new_empty(k, view.batch);
  double* sign_out = sign.mutable_data_ptr<double>();
  double* log_out = logabsdet.mutable_data_ptr<double>();
  const int64_t n = view.n;
  const int64_t lda = round_up(n, 8);
  torch::stable::parallel_for(0, view.count, 1, [&](int64_t begin, int64_t end) {
    thread_local AlignedBuffer buffer;
    double* work = reinterpret_cast<double*>(buffer.reserve(n * lda * 8));
    for (int64_t m = begin; m < end; ++m) {
      if (copy_matrix(view.data + m * n * n, n, lda, work)) {
        kernels().slogdet(work, n, lda, sign_out + m, log_out + m);
      } else {
        sign_out[m] = log_out[m] = std::numeric_limits<double>::quiet_NaN();
      }
    }
  });
  return {sign, logabsdet};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(wrcor_ext, CPU, library) { library.impl("slogdet", TORCH_BOX(&slogdet)); }

}  // namespace wrcor
