// The correlation kernel: moments of a range of features in one pass over memory, slice by slice.
//
//   mean_i = 1/D sum_d x_id        gram_ij = sum_d (x_id - mean_i)(x_jd - mean_j)        C_ij = gram_ij / sqrt(gram_ii
//   gram_jj)
//
// A slice of all rows is read, centred by its own means and packed into a buffer that stays in the second-level cache,
// multiplied there in the compute type (float32 for float32 and shorter), and merged in float64.
#include "gram.h"
#include "moments.h"
#include "tables.h"

namespace wrcor::WRCOR_ISA {
namespace {

// Bytes of packed rows: with the slice's raw rows arriving behind them they stay in a second-level cache of 512 KiB.
constexpr int64_t kPackedBytes = 256 * 1024;

// How many rows ahead memory is asked for.
constexpr int64_t kRowsAhead = 2;

int64_t compute_bytes(Element element) { return element == Element::float64 ? 8 : 4; }

int64_t packed_bytes(Element element, int64_t rows) {
  return correlation_slice_length(element, rows) * padded_rows(rows) * compute_bytes(element);
}

template <typename T>
void moments_of(const Rows& x, int64_t begin, int64_t end, void* memory, Moments& out) {
  using C = Compute<T>;
  using V = Vector<C>;
  const int64_t padded = out.padded;
  V* packed = static_cast<V*>(memory);
  char* behind = static_cast<char*>(memory) + packed_bytes(x.element, x.rows);
  const MergeScratch scratch = merge_scratch(reinterpret_cast<double*>(behind), padded);
  C* gram = reinterpret_cast<C*>(behind + kMergeArrays * padded * 8);
  const int64_t slice = correlation_slice_length(x.element, x.rows);
  const int64_t panels = padded / kPanelRows;

  out.count = 0;
  for (int64_t start = begin; start < end; start += slice) {
    const int64_t count = end - start < slice ? end - start : slice;
    const int64_t vectors = (count + kLanes<C> - 1) / kLanes<C>;
    const T* rows = static_cast<const T*>(x.data) + start;
    for (int64_t i = 0; i < padded; ++i) {
      V* panel = packed + i / kPanelRows * kPanelRows * vectors;
      const int slot = static_cast<int>(i % kPanelRows);
      if (i < x.rows) {
        const T* later = i + kRowsAhead < x.rows ? rows + (i + kRowsAhead) * x.stride
                                                 : rows + slice + (i + kRowsAhead - x.rows) * x.stride;
        const RowSlice row = center_row(rows + i * x.stride, count, later, panel, slot);
        merge_row(out, i, row.exponent, row.centre, row.residual, row.low, row.high, count, scratch);
      } else {
        for (int64_t v = 0; v < vectors; ++v) panel[v * kPanelRows + slot] = V{};
        merge_row(out, i, kZeroExponent, 0.0, 0.0, 0.0, 0.0, count, scratch);
      }
    }
    gram_panels<C>(packed, panels, vectors, gram, padded);
    merge_gram(out, gram, count, scratch);
  }
}

}  // namespace

// Longer slices amortise the reduction of the register tiles, shorter ones fit the cache. Always whole 64-byte vectors.
int64_t correlation_slice_length(Element element, int64_t rows) {
  const int64_t bytes = compute_bytes(element);
  const int64_t fit = kPackedBytes / (padded_rows(rows) * bytes) / 64 * 64;
  const int64_t longest = 4096 / bytes;
  return fit < 128 ? 128 : fit > longest ? longest : fit;
}

int64_t correlation_scratch(Element element, int64_t rows) {
  const int64_t padded = padded_rows(rows);
  return packed_bytes(element, rows) + padded * padded * 8 + kMergeArrays * padded * 8;
}

void correlation_moments(const Rows& x, int64_t begin, int64_t end, void* scratch, Moments& out) {
  switch (x.element) {
    case Element::float32: return moments_of<float>(x, begin, end, scratch, out);
    case Element::float64: return moments_of<double>(x, begin, end, scratch, out);
    case Element::float16: return moments_of<Float16>(x, begin, end, scratch, out);
    case Element::bfloat16: return moments_of<BFloat16>(x, begin, end, scratch, out);
  }
}

void correlation_merge(Moments& total, const Moments& part, void* memory) {
  const MergeScratch scratch = merge_scratch(static_cast<double*>(memory), total.padded);
  for (int64_t i = 0; i < total.padded; ++i) {
    merge_row(total, i, part.exponent[i], part.mean[i], 0.0, part.low[i], part.high[i], part.count, scratch);
  }
  merge_gram(total, part.gram, part.count, scratch);
}

}  // namespace wrcor::WRCOR_ISA
