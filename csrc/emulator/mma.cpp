#include "mma.h"

#include <cuda_fp16.h>

#include <cstring>

namespace wrcor::emulator {

namespace {

// Element `part` of a word.
float half_of(unsigned word, unsigned part) {
  __half_raw raw;
  raw.x = static_cast<unsigned short>(word >> (16 * part));
  return __half2float(__half(raw));
}

// Towards zero, to the 24 bits of a float32.
double cut_off(double value) {
  std::uint64_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  bits &= ~((std::uint64_t{1} << 29) - 1);
  std::memcpy(&value, &bits, sizeof(bits));
  return value;
}

}  // namespace

void multiply_fragments(Fragments* const (&lanes)[32]) {
  double a[16][16], b[8][16];  // b [column, row]
  for (unsigned lane = 0; lane < 32; ++lane) {
    const unsigned group = lane / 4, pair = lane % 4 * 2;
    for (unsigned part = 0; part < 2; ++part) {
      for (unsigned word = 0; word < 4; ++word) {
        a[group + word % 2 * 8][pair + word / 2 * 8 + part] = half_of(lanes[lane]->a[word], part);
      }
      for (unsigned word = 0; word < 2; ++word) b[group][pair + word * 8 + part] = half_of(lanes[lane]->b[word], part);
    }
  }
  for (unsigned row = 0; row < 16; ++row) {
    for (unsigned column = 0; column < 8; ++column) {
      float& result = lanes[row % 8 * 4 + column / 2]->sums[row / 8 * 2 + column % 2];
      double sum = result;
      for (unsigned k = 0; k < 16; k += 4) {
        const double first = a[row][k] * b[column][k] + a[row][k + 1] * b[column][k + 1];
        const double second = a[row][k + 2] * b[column][k + 2] + a[row][k + 3] * b[column][k + 3];
        sum = cut_off(sum + (first + second));
      }
      result = static_cast<float>(sum);
    }
  }
}

}  // namespace wrcor::emulator
