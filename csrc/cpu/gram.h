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

// Vectors of features between two requests for memory.
constexpr int64_t kBatch = 8;

// Asks for the memory of the rows that are packed next, a few lines at a time: all at once they would fill the queue of
// outstanding misses and make the loads of the tiles wait.
struct Prefetcher {
  const char* at = nullptr;
  const char* row_end = nullptr;
  int64_t row_bytes = 0;
  int64_t row_stride = 0;  // bytes
  int64_t lines = 0;       // per batch; 0: nothing to ask for

  void next() {
    for (int64_t line = 0; line < lines; ++line) {
      __builtin_prefetch(at, 0, 3);
      at += 64;
      if (at >= row_end) {
        at = row_end - row_bytes + row_stride;
        row_end += row_stride;
      }
    }
  }
};

// gram[r * stride + c] = sum over features of rows r of panel `a` times rows `column` + c of panel `b`.
template <typename C>
inline void gram_tile(const Vector<C>* a, const Vector<C>* b, int64_t vectors, C* gram, int64_t stride,
                      Prefetcher& ahead) {
  using V = Vector<C>;
  constexpr int lanes = kLanes<C>;
  static_assert(kTile % lanes == 0, "a tile is reduced in groups of one vector");
  V sums[kTile] = {};
  const auto step = [&] {
    for (int r = 0; r < kPanelRows; ++r) {
      for (int c = 0; c < kTileColumns; ++c) sums[r * kTileColumns + c] += a[r] * b[c];
    }
    a += kPanelRows;
    b += kPanelRows;
  };
  int64_t v = 0;
  for (; v + kBatch <= vectors; v += kBatch) {
    ahead.next();
    for (int64_t u = 0; u < kBatch; ++u) step();
  }
  for (; v < vectors; ++v) step();
  C results[kTile];
  for (int group = 0; group < kTile; group += lanes) {
    const V reduced = horizontal_sums<C>(sums + group);
    std::memcpy(results + group, &reduced, sizeof(reduced));
  }
  for (int r = 0; r < kPanelRows; ++r)
    std::memcpy(gram + r * stride, results + r * kTileColumns, sizeof(C) * kTileColumns);
}

// Gram matrix of `panels` panels of `vectors` vectors each: gram [panels * 4, stride], on and above the diagonal. Calls
// between(done, all) after each pair of panels: the place for work that waits for memory.
template <typename C, typename Between>
inline void gram_panels(const Vector<C>* packed, int64_t panels, int64_t vectors, C* gram, int64_t stride,
                        Prefetcher& ahead, Between between) {
  const int64_t panel_size = vectors * kPanelRows;
  const int64_t all = panels * (panels + 1) / 2;
  int64_t done = 0;
  for (int64_t i = 0; i < panels; ++i) {
    const Vector<C>* a = packed + i * panel_size;
    for (int64_t j = i; j < panels; ++j) {
      const Vector<C>* b = packed + j * panel_size;
      for (int c = 0; c < kPanelRows; c += kTileColumns) {
        gram_tile<C>(a, b + c, vectors, gram + i * kPanelRows * stride + j * kPanelRows + c, stride, ahead);
      }
      between(++done, all);
    }
  }
}

}  // namespace wrcor::WRCOR_ISA
