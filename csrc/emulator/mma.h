// The emulator's twin of kernels/mma.cuh: loads and products of a warp.
#pragma once

#include <vector_functions.h>
#include <vector_types.h>

#include "scheduler.h"

namespace wrcor::emulator {

// What a lane brings to the product.
struct Fragments {
  unsigned a[4];
  unsigned b[2];
  float sums[4];
};

// Adds to the sums of all 32 lanes. Rounds worse than any device: products are exact, and whenever four of them have
// been added (the fewest that a generation of tensor cores adds at once), the sum is cut off to float32, towards zero.
void multiply_fragments(Fragments* const (&lanes)[32]);

}  // namespace wrcor::emulator

namespace wrcor {

template <typename Address>
void load_matrices(Address address, unsigned lane, unsigned (&out)[4]) {
  for (unsigned matrix = 0; matrix < 4; ++matrix) {
    out[matrix] = reinterpret_cast<const unsigned*>(address(8 * matrix + lane / 4))[lane % 4];
  }
}

inline float4 multiply_halves(const unsigned (&a)[4], const unsigned* b, const float4& c,
                              const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  emulator::Fragments own = {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}, {c.x, c.y, c.z, c.w}};
  emulator::meet(emulator::Collective::product, {"mma.sync", file, line}, 0xffffffffu,
                 reinterpret_cast<std::uint64_t>(&own), 0);
  return make_float4(own.sums[0], own.sums[1], own.sums[2], own.sums[3]);
}

}  // namespace wrcor
