// What the launchers share: the torch-free description of a response, and dispatch over element types.
#pragma once

#include "../element_type.h"
#include "../kernels/element.cuh"

namespace wrcor {

// [rows, features] elements; every row is contiguous, rows are `stride` elements apart.
struct ResponseInput {
  const void* data;
  i64 features;
  i64 stride;
};

constexpr i64 element_bytes(Element element) {
  return element == Element::float64 ? 8 : element == Element::float32 ? 4 : 2;
}

// True if every row starts on 16 bytes.
inline bool rows_aligned(Element element, const ResponseInput& x) {
  const bool data = reinterpret_cast<u64>(x.data) % kLoadBytes == 0;
  return data && x.stride * element_bytes(element) % kLoadBytes == 0;
}

template <typename T>
struct TypeTag {
  using type = T;
};

// Calls body(TypeTag<T>()) with the type that stores `element`.
template <typename Body>
cudaError_t with_type(Element element, Body body) {
  switch (element) {
    case Element::float32: return body(TypeTag<float>());
    case Element::float64: return body(TypeTag<double>());
    case Element::float16: return body(TypeTag<__half>());
    case Element::bfloat16: return body(TypeTag<__nv_bfloat16>());
  }
  return cudaErrorInvalidValue;
}

// Blocks of a triangle of `sides` groups of rows with its diagonal.
constexpr unsigned triangle(i64 sides) { return static_cast<unsigned>(sides * (sides + 1) / 2); }

}  // namespace wrcor
