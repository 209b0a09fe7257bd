// Correlation: how a response is cut, and what passes between the two launches. Depends on shape and element type
// alone, never on the device: all GPUs of one generation give the same bits. Generations of tensor cores differ in how
// they round the sum of 16 products, so the last bits of what is computed in float32 may differ between them.
#pragma once

#include "element.cuh"

namespace wrcor {

// Largest number of rows, as in stable.h.
constexpr int kMaxResponseRows = 512;

// Responses of one launch. The table travels as a kernel parameter (4 KB at most): no copy, no wait.
constexpr int kMaxResponses = 32;

// Sums K that a launch adds to.
constexpr int kMaxSums = 8;

struct Response {
  const void* data;      // [rows, features], rows `stride` elements apart
  i64 stride;            // elements
  i64 features;          // D
  i32 first_chunk;       // of the chunks of all responses
  i32 chunks;            // of this one
  i32 slices_per_chunk;  // the last chunk may have fewer
  i32 aligned;           // every row starts on 16 bytes
};

struct ResponseTable {
  Response responses[kMaxResponses];
  i32 count;
  i32 rows;  // N, of all responses
};
static_assert(sizeof(ResponseTable) <= 4096 - 128, "a kernel takes 4 KB of parameters");

// What a row has shown in a chunk. A row without variance is one whose values all equal its first: the sum of squares
// cannot tell, since the mean of equal values need not round back to that value.
constexpr i32 kNotFinite = 1;  // a NaN or an infinity
constexpr i32 kVaries = 2;     // a value unlike the first one of the whole row

// Results of launch one; `panel rows` = panels * kRows, at least N.
struct CorrelationPartials {
  void* gram;     // [chunks, pairs of panels, kRows, kRows] compute type; one panel against itself: i <= j alone
  double* mean;   // [chunks, panel rows] in units of 2^exponent
  i32* exponent;  // [chunks, panel rows]
  i32* flags;     // [chunks, panel rows]
  i32* status;    // [chunks, panels]: kNotFinite if any row has it, kVaries if all rows have it
};

// Rows of the panels that N rows are cut into. 16 and 32 are for small N; the largest ones keep the sums of two panels
// in the registers of a block: 128 x 128 float32 or 32 x 32 float64 ones.
__host__ __device__ constexpr i32 slice_panel_rows(bool is_double, i64 rows) {
  return rows <= 16 ? 16 : rows <= 32 || is_double ? 32 : rows <= 64 ? 64 : 128;
}
// Threads of a block: with up to 32 sums each, and one pack of rows to centre.
__host__ __device__ constexpr i32 slice_threads(i32 panel_rows) {
  return panel_rows == 16 ? 128 : panel_rows == 128 ? 512 : 256;
}
// Features per slice. float32: 16 bytes of a row for each lane of 8, 16 or 32, and panels of a slice in 8 to 32 KB.
__host__ __device__ constexpr i32 slice_features(bool is_double, i32 panel_rows, bool pair) {
  return is_double ? 64 : pair ? 32 : panel_rows <= 32 ? 128 : 64;
}

// Launch configuration of correlation_slices for panels of kRows rows: one panel against itself, or (kPair) any two.
template <typename T, int kPanelRows, bool kIsPair>
struct PanelTraits {
  using C = Compute<T>;
  static constexpr int kRows = kPanelRows;
  static constexpr bool kPair = kIsPair;
  static constexpr int kPanels = kPair ? 2 : 1;
  static constexpr int kThreads = slice_threads(kRows);
  // 16 warps fill the register file with the 120 or so registers that sums, operands and loads ahead need.
  static constexpr int kMinBlocks = 512 / kThreads;
  static constexpr int kFeatures = slice_features(sizeof(C) == 8, kRows, kPair);
  static constexpr int kGramElements = kRows * kRows;

  // Lanes share a row, each with one 16-byte load of it, kValues elements; together they look after a pack of rows,
  // whose 16 values (4 of float64) a lane keeps in registers.
  static constexpr int kValues = kVector<T>;
  static constexpr int kLanes = kFeatures / kValues;
  static constexpr int kPack = sizeof(C) == 8 ? 2 : 16 / kValues;
  // Packs of a block that a thread helps to centre. Where there is one, loads of the next slice can wait in registers
  // while products of this one are summed.
  static constexpr int kTurns = kPanels * kRows / kPack * kLanes / kThreads;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
  // There two instructions stand for one, and what passes between them takes these registers.
  static constexpr bool kPrefetch = kTurns == 1 && kRows <= 32;
#else
  static constexpr bool kPrefetch = kTurns == 1;
#endif

  static_assert(kLanes >= 2 * kPack && kLanes <= 32, "a pack's sums are dealt out to lanes of a warp");
  static_assert(kTurns * kThreads == kPanels * kRows / kPack * kLanes, "every thread has a pack in each turn");
};

// Products on tensor cores: see correlation_mma.cuh.
template <typename T, int kPanelRows, bool kIsPair>
struct SliceTraits : PanelTraits<T, kPanelRows, kIsPair> {
  using Base = PanelTraits<T, kPanelRows, kIsPair>;
  using Base::kFeatures, Base::kPanels, Base::kRows, Base::kThreads;

  // Centred values, below 4 (8 at the very top of float32), come times 2^12: half of float16's range.
  static constexpr float kLift = 4096.0f;

  // A warp sums kTile x kTile products. With few tiles, groups of warps take every kGroups-th 16 features each.
  static constexpr int kTile = kRows == 16 ? 16 : 32;
  static constexpr int kSums = kTile * kTile / 32;
  static constexpr int kTiles = (kRows / kTile) * (kRows / kTile);
  static constexpr int kGroupThreads = kTiles * 32;
  static constexpr int kGroups = kThreads / kGroupThreads;
  static constexpr int kSteps = kFeatures / 16;

  // A row of a slice is kFeatures words of two float16 each; behind the rows, the shift of the mean of each.
  static constexpr int kStride = kRows;
  static constexpr int kPanelElements = (kFeatures + 1) * kRows;
  // The sums of half of the groups pass through the same memory.
  static constexpr int kExchange = kGroups / 2 * kGroupThreads * kSums;
  static constexpr int kSharedElements = kPanels * kPanelElements > kExchange ? kPanels* kPanelElements : kExchange;

  static_assert(kRows == 16 || kRows == 32 || kRows == 64 || kRows == 128, "panels of 16, 32, 64 or 128 rows");
  static_assert(kGroups * kGroupThreads == kThreads && kSteps % kGroups == 0, "every warp has as much to do");
  static_assert((kSharedElements + kPanels * kRows * 6) * 4 <= 48 * 1024, "static shared memory");
};

// Products by fused multiply-adds in register tiles: see correlation_fma.cuh.
template <int kPanelRows, bool kIsPair>
struct SliceTraits<double, kPanelRows, kIsPair> : PanelTraits<double, kPanelRows, kIsPair> {
  using Base = PanelTraits<double, kPanelRows, kIsPair>;
  using Base::kFeatures, Base::kPack, Base::kPair, Base::kPanels, Base::kRows, Base::kThreads;

  static constexpr double kLift = 1.0;

  // A register tile has two packs, 16 bytes of two rows, a side: four shared loads feed 16 multiplications.
  static constexpr int kSide = 2 * kPack;
  static constexpr int kSets = kRows / kSide;
  static constexpr int kSums = kSide * kSide;
  static constexpr int kTiles = kPair ? kSets * kSets : kSets * (kSets + 1) / 2;
  // Threads left after one per tile take every kGroups-th feature each.
  static constexpr int kGroupThreads = kTiles;
  static constexpr int kGroups = kThreads / kTiles;

  // One pack of padding makes a feature an odd number of packs: eight lanes that store 16 bytes hit all 32 banks. One
  // feature more, for the shift of the mean.
  static constexpr int kStride = kRows + kPack;
  static constexpr int kPanelElements = (kFeatures + 1) * kStride;
  static constexpr int kExchange = kGroups / 2 * kGroupThreads * kSums;
  static constexpr int kSharedElements = kPanels * kPanelElements > kExchange ? kPanels* kPanelElements : kExchange;

  static_assert(kRows == 16 || kRows == 32, "panels of 16 or 32 rows");
  static_assert(kRows % kSide == 0 && kStride / kPack % 2 == 1, "whole tiles, odd slots");
  static_assert(kGroups >= 1, "a thread per tile");
  static_assert(kSharedElements * 8 + kPanels * kRows * 32 <= 48 * 1024, "static shared memory");
};

// Threads that one response should keep busy: 16 warps on each of the 132 multiprocessors of an H100.
constexpr i64 kTargetThreads = 132 * 512;
// Longest chunk in features: of the roundings of a float32 sum, one for each 16 features, 256 stay below 1e-6.
constexpr i64 kMaxChunkFeatures = 4096;
// Most chunks of one response, whatever its length: bounds the workspace and the work of the merge.
constexpr i64 kMaxChunks = 1024;

// How a response is cut.
struct CorrelationPlan {
  i32 panel_rows;  // kRows
  bool pair;
  i32 panels;
  i32 pairs;
  i32 features;       // per slice
  i32 gram_elements;  // per pair of panels
  i32 slices_per_chunk;
  i32 chunks;
};

__host__ __device__ constexpr CorrelationPlan correlation_plan(bool is_double, i64 rows, i64 features) {
  CorrelationPlan plan = {};
  plan.panel_rows = slice_panel_rows(is_double, rows);
  plan.pair = rows > plan.panel_rows;
  plan.panels = static_cast<i32>((rows + plan.panel_rows - 1) / plan.panel_rows);
  plan.pairs = plan.panels * (plan.panels + 1) / 2;
  plan.features = slice_features(is_double, plan.panel_rows, plan.pair);
  plan.gram_elements = plan.panel_rows * plan.panel_rows;
  const i64 blocks = kTargetThreads / slice_threads(plan.panel_rows);
  const i64 slices = (features + plan.features - 1) / plan.features;
  i64 length = (slices * plan.pairs + blocks - 1) / blocks;
  if (length > kMaxChunkFeatures / plan.features) length = kMaxChunkFeatures / plan.features;
  const i64 shortest = (slices + kMaxChunks - 1) / kMaxChunks;
  if (length < shortest) length = shortest;
  plan.slices_per_chunk = static_cast<i32>(length);
  plan.chunks = static_cast<i32>((slices + length - 1) / length);
  return plan;
}

// Bytes of each part of CorrelationPartials per chunk, and their places in one workspace for `chunks` chunks.
struct CorrelationWorkspace {
  i64 gram, mean, exponent, flags, status, bytes;
};
__host__ __device__ constexpr CorrelationWorkspace correlation_workspace(const CorrelationPlan& plan, bool is_double,
                                                                         i64 chunks) {
  const i64 size = is_double ? 8 : 4;
  const i64 rows = chunks * plan.panels * plan.panel_rows;
  CorrelationWorkspace at = {};
  // Eight-byte parts first: everything stays aligned.
  at.mean = 0;
  at.gram = at.mean + rows * 8;
  at.exponent = at.gram + chunks * plan.pairs * plan.gram_elements * size;
  at.flags = at.exponent + rows * 4;
  at.status = at.flags + rows * 4;
  at.bytes = at.status + chunks * plan.panels * 4;
  return at;
}

}  // namespace wrcor
