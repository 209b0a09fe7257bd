// Packs the rows of one slice, some at a time: the next slice is packed between the tiles of the current one, so that
// its memory arrives while the processor multiplies.
#pragma once

#include "gram.h"
#include "kernels.h"

namespace wrcor::WRCOR_ISA {

template <typename C>
struct Slice {
  Vector<C>* packed;  // panels of kPanelRows rows
  RowSlice* rows;     // [padded]
  int64_t count;      // features
  int64_t vectors;    // per row, the last one padded with zeros
};

template <typename T>
class Packer {
 public:
  using C = Compute<T>;

  explicit Packer(const Rows& x) : x_(x) {}

  // Begins to pack features [begin, begin + count) into the memory of `slice`.
  void start(int64_t begin, int64_t count, Slice<C>& slice) {
    slice.count = count;
    slice.vectors = (count + kLanes<C> - 1) / kLanes<C>;
    from_ = static_cast<const T*>(x_.data) + begin;
    slice_ = &slice;
    next_ = 0;
  }

  // Asks for the rows while `batches` batches of the Gram kernel run.
  Prefetcher prefetcher(int64_t batches) const {
    Prefetcher ahead;
    ahead.row_bytes = (slice_->count * static_cast<int64_t>(sizeof(T)) + 63) / 64 * 64;
    ahead.row_stride = x_.stride * static_cast<int64_t>(sizeof(T));
    ahead.at = reinterpret_cast<const char*>(from_);
    ahead.row_end = ahead.at + ahead.row_bytes;
    ahead.lines = batches > 0 ? (ahead.row_bytes / 64 * x_.rows + batches - 1) / batches : 0;
    return ahead;
  }

  // Packs all rows at once, asking for each while the one before it is packed.
  void pack_all(int64_t padded) {
    Prefetcher ahead = prefetcher(x_.rows);
    ahead.next();
    for (int64_t row = 1; row <= padded; ++row) {
      if (row < x_.rows) ahead.next();
      pack_until(row);
    }
  }

  // Packs rows up to, not including, `row`; rows past the last one are zero.
  void pack_until(int64_t row) {
    for (; next_ < row; ++next_) {
      Vector<C>* panel = slice_->packed + next_ / kPanelRows * kPanelRows * slice_->vectors;
      const int slot = static_cast<int>(next_ % kPanelRows);
      if (next_ < x_.rows) {
        slice_->rows[next_] = center_row(from_ + next_ * x_.stride, slice_->count, panel, slot);
      } else {
        for (int64_t v = 0; v < slice_->vectors; ++v) panel[v * kPanelRows + slot] = Vector<C>{};
        slice_->rows[next_] = {kZeroExponent, 0.0, 0.0, 0.0, 0.0};
      }
    }
  }

 private:
  const Rows& x_;
  const T* from_ = nullptr;
  Slice<C>* slice_ = nullptr;
  int64_t next_ = 0;
};

}  // namespace wrcor::WRCOR_ISA
