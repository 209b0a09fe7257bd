// The emulated instructions of the tensor cores against their definition in kernels/mma.cuh.
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "../kernels/platform.cuh"
#include "check.h"

namespace {

// One warp multiplies a [16, 16] by b [16, 8], given as float, and adds to c [16, 8]. Operands pass through shared
// memory, where each row has a chunk of 16 bytes for each 8 elements: a's rows first, then b's columns.
__global__ void multiply_once(const float* a, const float* b, float* c) {
  WRCOR_SHARED(__half, rows, 24 * 16);
  const unsigned lane = threadIdx.x;
  for (unsigned at = lane; at < 16 * 16; at += 32) rows[at] = __float2half(a[at]);
  for (unsigned at = lane; at < 8 * 16; at += 32) rows[16 * 16 + at] = __float2half(b[at % 16 * 8 + at / 16]);
  __syncthreads();
  unsigned left[4], right[4];
  wrcor::load_matrices([&](unsigned from) { return rows + from % 16 * 16 + from / 16 * 8; }, lane, left);
  // The last two matrices are the first two once more.
  wrcor::load_matrices([&](unsigned from) { return rows + (16 + from % 8) * 16 + from / 8 % 2 * 8; }, lane, right);
  float* const upper = c + lane / 4 * 8 + lane % 4 * 2;
  float* const lower = upper + 8 * 8;
  const float4 sums = wrcor::multiply_halves(left, right, make_float4(upper[0], upper[1], lower[0], lower[1]));
  upper[0] = sums.x;
  upper[1] = sums.y;
  lower[0] = sums.z;
  lower[1] = sums.w;
}

std::vector<float> product(const std::vector<float>& a, const std::vector<float>& b, std::vector<float> c) {
  WRCOR_LAUNCH(multiply_once, 1, 32, 0, nullptr, a.data(), b.data(), c.data());
  return c;
}

TEST(every_entry_is_the_sum_of_its_products) {
  std::vector<float> a(16 * 16), b(16 * 8), c(16 * 8);
  for (std::size_t at = 0; at < a.size(); ++at) a[at] = static_cast<float>(at * 37 % 101) - 50;
  for (std::size_t at = 0; at < b.size(); ++at) b[at] = static_cast<float>(at * 53 % 67) - 33;
  for (std::size_t at = 0; at < c.size(); ++at) c[at] = static_cast<float>(at);
  const std::vector<float> got = product(a, b, c);
  for (std::size_t row = 0; row < 16; ++row) {
    for (std::size_t column = 0; column < 8; ++column) {
      float sum = c[row * 8 + column];  // integers below 2^24: exact
      for (std::size_t k = 0; k < 16; ++k) sum += a[row * 16 + k] * b[k * 8 + column];
      CHECK(got[row * 8 + column] == sum);
    }
  }
}

TEST(sums_are_cut_off_towards_zero) {
  const float tiny = std::ldexp(1.0f, -12), unit = std::numeric_limits<float>::epsilon();
  std::vector<float> a(16 * 16), b(16 * 8), c(16 * 8);
  for (std::size_t k = 0; k < 3; ++k) a[k] = b[k * 8] = tiny;  // entry (0, 0): three halves of a unit of 1
  c[0] = 1;
  CHECK(product(a, b, c)[0] == 1 + unit);
  c[0] = -1;
  CHECK(product(a, b, c)[0] == -1 + 1.5f * unit);  // below 1 units are half as large: exact
  b[0] = b[8] = b[16] = -tiny;
  CHECK(product(a, b, c)[0] == -1 - unit);
}

TEST(a_nan_reaches_its_row_alone) {
  std::vector<float> a(16 * 16, 1), b(16 * 8, 1), c(16 * 8);
  a[5 * 16 + 3] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> got = product(a, b, c);
  for (std::size_t at = 0; at < got.size(); ++at) CHECK(at / 8 == 5 ? std::isnan(got[at]) : got[at] == 16);
}

__global__ void multiply_with(unsigned lanes) {
  const unsigned none[4] = {};
  if (threadIdx.x < lanes) wrcor::multiply_halves(none, none, float4());
}

TEST(a_product_takes_a_whole_warp) {
  for (const unsigned lanes : {1u, 31u, 33u}) {
    std::string said;
    try {
      WRCOR_LAUNCH(multiply_with, 1, 64, 0, nullptr, lanes);
    } catch (const wrcor::emulator::Error& error) {
      said = error.what();
    }
    CHECK(said.find("mma.sync needs all 32 lanes of a warp: threads ") != std::string::npos);
  }
}

}  // namespace
