// What the ops on responses share: the torch-free description of x, and chunks of features spread over threads.
#pragma once

#include "../stable.h"
#include "kernels.h"

namespace wrcor {

inline Rows rows_of(const ResponseView& view) {
  Element element = Element::float32;
  switch (view.dtype) {
    case ScalarType::Double: element = Element::float64; break;
    case ScalarType::Half: element = Element::float16; break;
    case ScalarType::BFloat16: element = Element::bfloat16; break;
    default: break;  // float32: check_response admits nothing else
  }
  return {view.data, element, view.rows, view.features, view.row_stride};
}

// counts[0] += 1 for a response that was used, counts[1] += 1 for one that was skipped.
inline void count_response(const Tensor& counts, bool used) { ++counts.mutable_data_ptr<int64_t>()[used ? 0 : 1]; }

}  // namespace wrcor
