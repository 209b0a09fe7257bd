// What the ops on responses share: the torch-free description of x, and the counters.
#pragma once

#include "../stable.h"
#include "kernels.h"

namespace wrcor {

inline Rows rows_of(const ResponseView& view) {
  return {view.data, view.element, view.rows, view.features, view.row_stride};
}

// counts[0] += 1 for a response that was used, counts[1] += 1 for one that was skipped.
inline void count_response(const Tensor& counts, bool used) { ++counts.mutable_data_ptr<int64_t>()[used ? 0 : 1]; }

}  // namespace wrcor
