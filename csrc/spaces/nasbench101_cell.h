// Cells of NAS-Bench-101 (Ying et al., ICML 2019, arXiv 1902.09635) as numbers: pruning and validity.
//
// A code holds a cell of 2 to 7 vertices, vertex 0 the input and the last one the output:
//
//   bits  0 .. 20   edge source -> target, source < target, at bit target (target - 1) / 2 + source: the upper triangle
//                   of the matrix column by column, so that a vertex keeps its bits when others are added behind it
//   bits 21 .. 30   two bits per inner vertex 1 .. 5, its operation: 0 conv3x3-bn-relu, 1 conv1x1-bn-relu, 2 maxpool3x3
//   bits 31 .. 33   number of vertices
//
// wrcor_ext/spaces/nasbench101_graph.py has the same functions for installations without a compiler.
#pragma once

#include <cstdint>

namespace wrcor::spaces {

using Code = uint64_t;

constexpr int kMinVertices = 2, kMaxVertices = 7;
constexpr int kMaxEdges = 9;
constexpr int kOperations = 3;
constexpr int kLabelShift = kMaxVertices * (kMaxVertices - 1) / 2;
constexpr int kVertexShift = kLabelShift + 2 * (kMaxVertices - 2);

constexpr int edge_bit(int source, int target) { return target * (target - 1) / 2 + source; }

// A code, unpacked.
struct Cell {
  int vertices = 0;
  uint8_t sources[kMaxVertices] = {};  // per vertex, bit s is set for the edge s -> vertex
  uint8_t targets[kMaxVertices] = {};  // per vertex, bit t is set for the edge vertex -> t
  uint8_t labels[kMaxVertices] = {};   // operations of the inner vertices

  void connect(int source, int target) {
    sources[target] = static_cast<uint8_t>(sources[target] | 1 << source);
    targets[source] = static_cast<uint8_t>(targets[source] | 1 << target);
  }
};

// Whether a number is a code at all: 2 to 7 vertices, known operations, no bit set beyond the vertices.
bool well_formed(Code code);

// Both expect a well-formed code, or a cell made from one.
Cell unpack(Code code);
Code pack(const Cell& cell);

int edge_count(const Cell& cell);

// Leaves out, in unchanged order, every vertex that lies on no path from the input to the output. False if there is
// no such path.
bool prune(Cell& cell);

// Whether the code is well-formed and, pruned, a cell of the space: connected, at most 9 edges.
bool valid(Code code);

}  // namespace wrcor::spaces
