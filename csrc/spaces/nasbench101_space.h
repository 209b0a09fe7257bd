// The whole of NAS-Bench-101, without comparing cells with each other: graphs up to isomorphism first, operations
// after.
#pragma once

#include <array>
#include <vector>

#include "nasbench101_cell.h"

namespace wrcor::spaces {

// A permutation of the vertices; entries beyond the cell's vertices stay in place.
using Permutation = std::array<uint8_t, kMaxVertices>;

// All graphs that differ only in how the vertices are numbered.
struct GraphClass {
  Code graph;                              // the smallest code among them, all labels 0
  std::vector<Permutation> automorphisms;  // of `graph`, the identity first: v goes to permutation[v]
};

// Every class of connected graphs (all vertices on a path from input to output) of 2 to 7 vertices and at most 9 edges,
// by ascending `graph` (fewest vertices first).
std::vector<GraphClass> graph_classes();

// One code for every cell of the space: 423,624. In the order of the benchmark's own generator, each cell in the form
// in which that generator meets it first: the smallest graph of its class, and for that the first operations in
// lexicographic order from vertex 1 on.
std::vector<Code> enumerate_codes();

}  // namespace wrcor::spaces
