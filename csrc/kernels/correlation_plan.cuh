// Correlation: how a response is cut, and what passes between the two launches. Depends on shape and element type
// alone, never on the device: every GPU gives the same bits.
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
  void* gram;     // [chunks, pairs of panels, kTiles, kSide, kSide] compute type
  double* mean;   // [chunks, panel rows] in units of 2^exponent
  i32* exponent;  // [chunks, panel rows]
  i32* flags;     // [chunks, panel rows]
  i32* status;    // [chunks, panels]: kNotFinite if any row has it, kVaries if all rows have it
};

// Launch configuration of correlation_slices for panels of kRows rows: one panel against itself, or (kPair) any two.
template <typename T, int kPanelRows, bool kIsPair>
struct SliceTraits {
  using C = Compute<T>;
  static constexpr int kRows = kPanelRows;
  static constexpr bool kPair = kIsPair;
  static constexpr int kPanels = kPair ? 2 : 1;

  // 16 rows make 4 packs of 4: one for each of 4 warps. Larger panels keep 8 warps busy.
  static constexpr int kThreads = kRows == 16 ? 128 : 256;
  // 64 sums, 16 operands and addresses need about 110 registers: two blocks of 256 threads fill the register file.
  static constexpr int kMinBlocks = 512 / kThreads;
  // Features per slice: one 16-byte load for each lane and row keeps a pack in 16 registers beside the sums, and two
  // slices of a pair below the 48 KB that every block may use on every device.
  static constexpr int kFeatures = sizeof(C) == 8 || kPair ? 64 : 128;

  // Rows of a 16-byte group; a register tile has two groups a side: 8 x 8 float sums or 4 x 4 double ones, so that four
  // shared loads feed 64 (16) multiplications.
  static constexpr int kPack = 16 / static_cast<int>(sizeof(C));
  static constexpr int kSide = 2 * kPack;
  static constexpr int kSets = kRows / kSide;
  static constexpr int kTiles = kPair ? kSets * kSets : kSets * (kSets + 1) / 2;
  // Threads left after one per tile take every kGroups-th feature each.
  static constexpr int kGroups = kThreads / kTiles;

  static constexpr int kGramElements = kTiles * kSide * kSide;

  // One group of padding makes a slot an odd number of groups: eight lanes that store 16 bytes hit all 32 banks.
  static constexpr int kStride = kRows + kPack;
  // One slot more, for the shift of the mean.
  static constexpr int kPanelElements = (kFeatures + 1) * kStride;
  // The sums of half of the groups pass through the same memory.
  static constexpr int kExchange = kTiles * (kGroups / 2) * kSide * kSide;
  static constexpr int kSharedElements = kPanels * kPanelElements > kExchange ? kPanels* kPanelElements : kExchange;

  // Elements of a load: 16 bytes, but 8 of the half-precision types, whose eight float32 values for each of four rows
  // do not fit beside the sums.
  static constexpr int kLoad = kVector<T> < 4 ? kVector<T> : 4;
  // Lanes that share a row: as many as have something to load, at most a warp.
  static constexpr int kLanes = kFeatures / kLoad < 32 ? kFeatures / kLoad : 32;
  static constexpr int kValues = kFeatures / kLanes;
  // Packs of a panel that a thread helps to centre.
  static constexpr int kTurns = kRows / kPack * kLanes / kThreads;

  static_assert(kRows == 16 || kRows == 32 || kRows == 64, "panels of 16, 32 or 64 rows");
  static_assert(kRows % kSide == 0 && kStride / kPack % 2 == 1, "whole tiles, odd slots");
  static_assert(kGroups >= 1, "a thread per tile");
  static_assert(kValues % kLoad == 0 && kValues * kLanes == kFeatures, "whole loads");
  static_assert(kSharedElements * sizeof(C) + kPanels * kRows * (8 + 2 * 4 + 2 * sizeof(C)) <= 48 * 1024,
                "static shared memory");
  static_assert(kTurns * kThreads == kRows / kPack * kLanes, "every thread has a pack to centre in each turn");
};

// Blocks that one response should give: two for each of the 132 multiprocessors of an H100.
constexpr i64 kTargetBlocks = 264;
// Longest chunk in slices: a float32 sum of 32 * 128 / 7 = 585 products stays below 1e-6 of error.
constexpr i64 kMaxSlicesPerChunk = 32;
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
  const i32 widest = is_double ? 32 : 64;  // the largest panel whose slice fits 48 KB
  plan.panel_rows = rows <= 16 ? 16 : rows <= 32 ? 32 : widest;
  plan.pair = rows > widest;
  plan.panels = static_cast<i32>((rows + plan.panel_rows - 1) / plan.panel_rows);
  plan.pairs = plan.panels * (plan.panels + 1) / 2;
  const i32 side = is_double ? 4 : 8, sets = plan.panel_rows / side;
  plan.gram_elements = (plan.pair ? sets * sets : sets * (sets + 1) / 2) * side * side;
  plan.features = is_double || plan.pair ? 64 : 128;
  const i64 slices = (features + plan.features - 1) / plan.features;
  i64 length = (slices * plan.pairs + kTargetBlocks - 1) / kTargetBlocks;
  if (length > kMaxSlicesPerChunk) length = kMaxSlicesPerChunk;
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
