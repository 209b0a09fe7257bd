// The correlation kernel: moments of a range of features in one pass over memory, slice by slice.
//
//   mean_i = 1/D sum_d x_id        gram_ij = sum_d (x_id - mean_i)(x_jd - mean_j)        C_ij = gram_ij / sqrt(gram_ii
//   gram_jj)
//
// A slice of all rows is read, centred by its own means and packed into a buffer that stays in the second-level cache,
// multiplied there in the compute type (float32 for float32 and shorter), and merged in float64.
#include "gram.h"
#include "moments.h"
#include "pack.h"
#include "tables.h"

namespace wrcor::WRCOR_ISA {
namespace {

// Bytes of packed rows of a slice. Two slices are in flight; half as much costs 5 % in reductions on 1 MiB of
// second-level cache.
constexpr int64_t kPackedBytes = 256 * 1024;

int64_t compute_bytes(Element element) { return element == Element::float64 ? 8 : 4; }

int64_t packed_bytes(Element element, int64_t rows) {
  return correlation_slice_length(element, rows) * padded_rows(rows) * compute_bytes(element);
}

// Scratch of `moments`: two slices, their products, the factors of a merge.
template <typename C>
struct Workspace {
  Slice<C> slices[2];
  C* gram;
  MergeScratch merge;
};

template <typename C>
Workspace<C> workspace_in(void* memory, const Rows& x, int64_t padded) {
  char* at = static_cast<char*>(memory);
  const auto take = [&at](int64_t bytes) {
    char* taken = at;
    at += (bytes + 63) / 64 * 64;
    return taken;
  };
  Workspace<C> work = {};
  work.merge = merge_scratch(reinterpret_cast<double*>(take(kMergeArrays * padded * 8)), padded);
  work.gram = reinterpret_cast<C*>(take(padded * padded * 8));
  for (Slice<C>& slice : work.slices) {
    slice.packed = reinterpret_cast<Vector<C>*>(take(packed_bytes(x.element, x.rows)));
    slice.rows = reinterpret_cast<RowSlice*>(take(padded * static_cast<int64_t>(sizeof(RowSlice))));
  }
  return work;
}

template <typename T>
void moments_of(const Rows& x, int64_t begin, int64_t end, void* memory, Moments& out) {
  using C = Compute<T>;
  const int64_t padded = out.padded;
  const int64_t length = correlation_slice_length(x.element, x.rows);
  Workspace<C> work = workspace_in<C>(memory, x, padded);
  Packer<T> packer(x);
  const auto start_packing = [&](int64_t start, Slice<C>& slice) {
    packer.start(start, end - start < length ? end - start : length, slice);
  };

  const int64_t panels = padded / kPanelRows;
  const int64_t tiles = panels * (panels + 1) / 2 * (kPanelRows / kTileColumns);

  out.count = 0;
  start_packing(begin, work.slices[0]);
  packer.pack_all(padded);
  for (int64_t start = begin, turn = 0; start < end; start += length, turn ^= 1) {
    const Slice<C>& slice = work.slices[turn];
    const bool last = start + length >= end;
    Prefetcher ahead;
    if (!last) {
      start_packing(start + length, work.slices[turn ^ 1]);
      ahead = packer.prefetcher(tiles * (slice.vectors / kBatch));
    }
    gram_panels<C>(slice.packed, panels, slice.vectors, work.gram, padded, ahead, [&](int64_t done, int64_t all) {
      if (!last) packer.pack_until(padded * done / all - (done < all ? 1 : 0));
    });
    for (int64_t i = 0; i < padded; ++i) {
      const RowSlice& row = slice.rows[i];
      merge_row(out, i, row.exponent, row.centre, row.residual, row.low, row.high, slice.count, work.merge);
    }
    merge_gram(out, work.gram, slice.count, work.merge);
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
  const int64_t slice = packed_bytes(element, rows) + padded * static_cast<int64_t>(sizeof(RowSlice)) + 64;
  return 2 * slice + padded * padded * 8 + kMergeArrays * padded * 8;
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
