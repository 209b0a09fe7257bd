// Inputs for the kernel tests and what they are compared with: plain loops in float64, no code of the kernels.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "../emulator/python.h"
#include "../kernels/platform.cuh"
#include "check.h"

namespace numbers {

using wrcor::Element;
using wrcor::i64;

// ThreadSanitizer is twenty times slower: it gets fewer shapes, every code path among them.
#if defined(__SANITIZE_THREAD__)
constexpr bool kThorough = false;
#else
constexpr bool kThorough = true;
#endif

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A generator that gives every machine the same numbers.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 1) {}
  // Uniform in [0, 1).
  double uniform() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<double>(state_ >> 11) / 9007199254740992.0;
  }
  // Normal with mean 0 and variance 1, nearly: a sum of twelve.
  double normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += uniform();
    return sum;
  }

 private:
  std::uint64_t state_;
};

// A response in memory as an op gets it: rows `stride` elements apart, starting `offset` elements into an allocation
// that ends with the last row. What lies between rows is NaN and must not be read.
class Stored {
 public:
  Stored(Element element, const std::vector<double>& values, i64 rows, i64 stride, i64 offset)
      : element_(element),
        rows_(rows),
        features_(static_cast<i64>(values.size()) / rows),
        stride_(stride),
        offset_(offset) {
    const i64 count = offset + (rows - 1) * stride + features_;
    memory_.resize(static_cast<std::size_t>(count * bytes()));
    for (i64 at = 0; at < count; ++at) put(at, kNan);
    for (i64 row = 0; row < rows; ++row) {
      for (i64 at = 0; at < features_; ++at) put(offset + row * stride + at, values[row * features_ + at]);
    }
  }

  wrcor::ResponseInput input() const { return {memory_.data() + offset_ * bytes(), features_, stride_}; }

  // [rows, features] as stored: rounded to the element type.
  std::vector<double> values() const {
    std::vector<double> all;
    for (i64 row = 0; row < rows_; ++row) {
      for (i64 at = 0; at < features_; ++at) all.push_back(get(offset_ + row * stride_ + at));
    }
    return all;
  }

 private:
  i64 bytes() const { return wrcor::element_bytes(element_); }
  template <typename T>
  T& at(i64 index) const {
    return reinterpret_cast<T*>(const_cast<char*>(memory_.data()))[index];
  }
  void put(i64 index, double value) {
    if (element_ == Element::float32) at<float>(index) = static_cast<float>(value);
    if (element_ == Element::float64) at<double>(index) = value;
    if (element_ == Element::float16) at<__half>(index) = __double2half(value);
    if (element_ == Element::bfloat16) at<__nv_bfloat16>(index) = __double2bfloat16(value);
  }
  double get(i64 index) const {
    if (element_ == Element::float32) return at<float>(index);
    if (element_ == Element::float64) return at<double>(index);
    if (element_ == Element::float16) return __half2float(at<__half>(index));
    return __bfloat162float(at<__nv_bfloat16>(index));
  }

  Element element_;
  i64 rows_, features_, stride_, offset_;
  std::vector<char> memory_;
};

// [rows, rows] Pearson correlation; NaN for a row that does not vary or is not finite.
inline std::vector<double> correlation(const std::vector<double>& values, i64 rows) {
  const i64 features = static_cast<i64>(values.size()) / rows;
  std::vector<std::vector<long double>> centred(rows);
  std::vector<bool> defined(rows);
  for (i64 row = 0; row < rows; ++row) {
    const double* own = &values[row * features];
    long double mean = 0, largest = 0;
    bool varies = false, finite = true;
    for (i64 at = 0; at < features; ++at) {
      varies = varies || own[at] != own[0];
      finite = finite && std::isfinite(own[at]);
      mean += own[at] / static_cast<long double>(features);
      largest = std::max(largest, std::abs(static_cast<long double>(own[at])));
    }
    defined[row] = varies && finite;
    long double norm = 0;
    for (i64 at = 0; at < features; ++at) centred[row].push_back((own[at] - mean) / largest);
    for (const long double value : centred[row]) norm += value * value;
    for (long double& value : centred[row]) value /= std::sqrt(norm);
  }
  std::vector<double> result(rows * rows, kNan);
  for (i64 i = 0; i < rows; ++i) {
    for (i64 j = 0; j < rows && defined[i]; ++j) {
      if (!defined[j]) continue;
      long double sum = 0;
      for (i64 at = 0; at < features; ++at) sum += centred[i][at] * centred[j][at];
      result[i * rows + j] = static_cast<double>(std::min(1.0l, std::max(-1.0l, sum)));
    }
  }
  return result;
}

// An op that must succeed.
inline void succeeds(const char* complaint) {
  if (complaint != nullptr) check::fail("op", 0, complaint);
}

}  // namespace numbers
