// accumulate_hamming on the CPU. Counting is exact, so neither order nor thread count can change the result.
#include <algorithm>
#include <vector>

#include "response.h"

namespace wrcor {
namespace {

// Features per task: a whole number of the kernel's blocks.
constexpr int64_t kChunk = 4 * kSignWords * 64;

void accumulate_hamming(const Tensor& k, const Tensor& x, double weight, const Tensor& counts) {
  check_accumulator(k, x, counts);
  const ResponseView view = view_response(x);
  const Rows rows = rows_of(view);
  const int64_t n = view.rows;
  const int64_t chunks = (view.features + kChunk - 1) / kChunk;
  const int64_t tasks = std::min<int64_t>(chunks, torch::stable::get_num_threads());
  std::vector<int64_t> unequal(static_cast<size_t>(tasks * n * n), 0);
  std::vector<char> finite(static_cast<size_t>(tasks), 0);
  torch::stable::parallel_for(0, tasks, 1, [&](int64_t first, int64_t last) {
    std::vector<uint64_t> bits(static_cast<size_t>(n * kSignWords));
    for (int64_t task = first; task < last; ++task) {
      const int64_t begin = chunks * task / tasks * kChunk;
      const int64_t end = std::min(view.features, chunks * (task + 1) / tasks * kChunk);
      finite[task] = kernels().sign_distance(rows, begin, end, bits.data(), unequal.data() + task * n * n);
    }
  });
  const bool used = std::all_of(finite.begin(), finite.end(), [](char flag) { return flag != 0; });
  count_response(counts, used);
  if (!used) return;
  double* out = k.mutable_data_ptr<double>();
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = i; j < n; ++j) {
      int64_t different = 0;
      for (int64_t task = 0; task < tasks; ++task) different += unequal[(task * n + i) * n + j];
      const double value = weight * static_cast<double>(view.features - different);
      out[i * n + j] += value;
      if (j != i) out[j * n + i] += value;
    }
  }
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(wrcor_ext, CPU, library) {
  library.impl("accumulate_hamming", TORCH_BOX(&accumulate_hamming));
}

}  // namespace wrcor
