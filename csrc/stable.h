// The one header through which the ops see torch: its stable ABI, the check macro, the checks of op inputs, and their
// memory as the kernels read it.
//
// Built with TORCH_TARGET_VERSION 2.10: one binary serves every torch from 2.10 on. The checks say the same words as
// wrcor_ext/ops/checks.py, which the public Python functions and the fakes use; a test compares the two.
#pragma once

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "element_type.h"

namespace wrcor {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

// STD_TORCH_CHECK puts function, file and line into the message; users of an op want the sentence alone.
#define WRCOR_CHECK(condition, ...)                                           \
  do {                                                                        \
    if (!(condition)) throw std::runtime_error(::wrcor::concat(__VA_ARGS__)); \
  } while (false)

template <typename... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return text.str();
}

// Largest number of rows, as MAX_ROWS in wrcor_ext/ops/checks.py.
constexpr int64_t kMaxRows = 512;

// Most sums of a grouped call, as MAX_SUMS there and kMaxSums in kernels/correlation_plan.cuh.
constexpr int64_t kMaxGroupSums = 8;

// "[64, 3, 32, 32]".
std::string shape_text(const Tensor& tensor);
// "cpu" or "cuda:0".
std::string device_text(const Tensor& tensor);

void check_response(const Tensor& x, const std::string& name = "x");
void check_accumulator(const Tensor& k, const Tensor& x, const Tensor& counts);
void check_group(const Tensor& k, const std::vector<Tensor>& xs, const std::vector<double>& weights,
                 const Tensor& used);
void check_square(const Tensor& k);

// A response as the kernels read it: `rows` dense blocks of `features` elements, `row_stride` elements apart.
struct ResponseView {
  Tensor owner;  // keeps the memory alive: x itself, or its contiguous copy
  const void* data;
  Element element;
  int64_t rows;
  int64_t features;
  int64_t row_stride;
};

// Reads x in place if every sample is one dense block in whatever order of its dimensions (NCHW, channels_last, batch
// slices): correlation does not depend on the order of features, as long as all rows share it. Otherwise copies once.
ResponseView view_response(const Tensor& x);
std::vector<ResponseView> view_responses(const std::vector<Tensor>& xs);

// A batch of matrices as slogdet reads it: `count` dense matrices [n, n], one after the other.
struct MatricesView {
  Tensor owner;
  const double* data;
  int64_t n;
  int64_t count;
  std::vector<int64_t> batch;  // the dimensions before the last two
};
MatricesView view_matrices(const Tensor& k);

// Calls `allocate` for memory on the device of `like`. Where there is none, says how much was wanted, and for what; ops
// have all their memory before they write anything.
template <typename Allocate>
Tensor allocated(const char* what, int64_t bytes, const Tensor& like, Allocate allocate) {
  try {
    return allocate();
  } catch (const std::exception& error) {
    throw std::runtime_error(concat("cannot allocate ", bytes, " bytes for ", what, " on ", device_text(like),
                                    "; nothing was written. torch says: ", error.what()));
  }
}

}  // namespace wrcor
