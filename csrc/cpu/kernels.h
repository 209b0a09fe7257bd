// What the torch-facing files know of the kernels: plain structs and a table of functions per instruction set.
//
// Every kernel source is compiled once per instruction set into its own namespace (WRCOR_ISA), each of which fills one
// table. Nothing in here depends on torch.
#pragma once

#include <cstdint>

#include "../element_type.h"

namespace wrcor {

// [rows, features] elements; every row is contiguous, rows are `stride` elements apart.
struct Rows {
  const void* data;
  Element element;
  int64_t rows;
  int64_t features;
  int64_t stride;
};

// First and second moments of a range of features, in units that fit each row: row i is measured in 2^exponent[i], so
// that responses of any magnitude neither underflow nor overflow when squared. Arrays of `padded` entries.
struct Moments {
  int64_t count;      // features seen
  int64_t padded;     // rows, rounded up to kRowPadding
  int32_t* exponent;  // [padded]
  double* mean;       // [padded] in units of 2^exponent
  double* low;        // [padded] smallest value
  double* high;       // [padded] largest value; NaN once the row has shown a NaN or an infinity
  double* gram;       // [padded, padded] sums of products of deviations; only entries on and above the diagonal
};

// Rows are padded so that whole vectors of doubles and whole 4-row panels fit.
constexpr int64_t kRowPadding = 8;
constexpr int64_t padded_rows(int64_t rows) { return (rows + kRowPadding - 1) / kRowPadding * kRowPadding; }

struct Kernels {
  // Features per slice: the unit that is centred by its own means. Depends on the shape alone.
  int64_t (*slice_length)(Element element, int64_t rows);
  // Bytes of 64-byte aligned scratch that `moments` needs.
  int64_t (*moments_scratch)(Element element, int64_t rows);
  // Moments of features [begin, end) of x, written to `out`.
  void (*moments)(const Rows& x, int64_t begin, int64_t end, void* scratch, Moments& out);
  // total += part, as if the features of `part` followed those of `total`. `scratch` as for `moments`.
  void (*merge)(Moments& total, const Moments& part, void* scratch);
  // Number of features with unequal sign patterns x > 0 for each pair of rows over features [begin, end), added to
  // unequal [rows, rows] (on and above the diagonal). Returns false, with `unequal` undefined, if it meets a NaN or an
  // infinity. `bits`: scratch of rows * kSignWords words.
  bool (*sign_distance)(const Rows& x, int64_t begin, int64_t end, uint64_t* bits, int64_t* unequal);
  // LU with partial pivoting of the row-major matrix a [n, n] with leading dimension lda (a multiple of 8, 64-byte
  // aligned); a is overwritten. sign is -1, 0 or 1.
  void (*slogdet)(double* a, int64_t n, int64_t lda, double* sign, double* logabsdet);
};

// Words of sign bits per row that `sign_distance` keeps at a time.
constexpr int64_t kSignWords = 64;

// Table of the instruction set in use: the best one that the processor has, or the one WRCOR_EXT_ISA names.
const Kernels& kernels();

}  // namespace wrcor
