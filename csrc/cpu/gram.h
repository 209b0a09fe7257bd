// Step two of a slice: products of all pairs of packed rows, on and above the diagonal.
#pragma once

#include "center.h"

namespace wrcor::WRCOR_ISA {

// Columns of a register tile: 4 x 4 sums fit the 32 registers of AVX-512, 4 x 2 the 16 of the others.
#if defined(__AVX512F__)
constexpr int kTileColumns = 4;
#else
constexpr int kTileColumns = 2;
#endif
constexpr int kTile = kPanelRows * kTileColumns;

// gram[r * stride + c] = sum over features of rows r of panel `a` times rows `column` + c of panel `b`.
template <typename C>
inline void gram_tile(const Vector<C>* a, const Vector<C>* b, int64_t vectors, C* gram, int64_t stride) {
  using V = Vector<C>;
  constexpr int lanes = kLanes<C>;
  static_assert(kTile % lanes == 0, "a tile is reduced in groups of one vector");
  V sums[kTile] = {};
  for (int64_t v = 0; v < vectors; ++v, a += kPanelRows, b += kPanelRows) {
    for (int r = 0; r < kPanelRows; ++r) {
      for (int c = 0; c < kTileColumns; ++c) sums[r * kTileColumns + c] += a[r] * b[c];
    }
  }
  C results[kTile];
  for (int group = 0; group < kTile; group += lanes) {
    const V reduced = horizontal_sums<C>(sums + group);
    std::memcpy(results + group, &reduced, sizeof(reduced));
  }
  for (int r = 0; r < kPanelRows; ++r)
    std::memcpy(gram + r * stride, results + r * kTileColumns, sizeof(C) * kTileColumns);
}

// Gram matrix of `panels` panels of `vectors` vectors each: gram [panels * 4, stride], on and above the diagonal.
template <typename C>
inline void gram_panels(const Vector<C>* packed, int64_t panels, int64_t vectors, C* gram, int64_t stride) {
  const int64_t panel_size = vectors * kPanelRows;
  for (int64_t i = 0; i < panels; ++i) {
    const Vector<C>* a = packed + i * panel_size;
    for (int64_t j = i; j < panels; ++j) {
      const Vector<C>* b = packed + j * panel_size;
      for (int c = 0; c < kPanelRows; c += kTileColumns) {
        gram_tile<C>(a, b + c, vectors, gram + i * kPanelRows * stride + j * kPanelRows + c, stride);
      }
    }
  }
}

}  // namespace wrcor::WRCOR_ISA
