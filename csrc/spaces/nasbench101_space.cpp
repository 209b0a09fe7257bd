#include "nasbench101_space.h"

#include <algorithm>
#include <numeric>

namespace wrcor::spaces {
namespace {

// Appends the graphs of `cell.vertices` vertices that have the given columns behind `target`, in ascending order of
// code: the last column is the most significant. `used` vertices have an outgoing edge, `left` edges may be added.
void append_graphs(Cell& cell, int target, unsigned used, int left, std::vector<Code>& graphs) {
  if (target == 0) {
    graphs.push_back(pack(cell));
    return;
  }
  for (unsigned sources = 1; sources < 1u << target; ++sources) {
    const int edges = __builtin_popcount(sources);
    // Each column needs an edge. Vertex target - 1 gets its outgoing edges from this column or those behind it.
    if (edges > left - (target - 1) || ((used | sources) >> (target - 1) & 1) == 0) continue;
    cell.sources[target] = static_cast<uint8_t>(sources);
    append_graphs(cell, target - 1, used | sources, left - edges, graphs);
  }
}

// Calls `visit(permutation, renumbered graph)` for every numbering in which edges still lead upwards.
template <typename Visit>
void for_each_numbering(const Cell& cell, const Visit& visit) {
  const int n = cell.vertices;
  Permutation permutation;
  std::iota(permutation.begin(), permutation.end(), uint8_t{0});
  // The input stays the first and the output the last: they are the only source and the only sink.
  do {
    Cell renumbered;
    renumbered.vertices = n;
    bool upwards = true;
    for (int target = 1; target < n && upwards; ++target) {
      for (int source = 0; source < target && upwards; ++source) {
        if ((cell.sources[target] >> source & 1) == 0) continue;
        upwards = permutation[source] < permutation[target];
        if (upwards) renumbered.connect(permutation[source], permutation[target]);
      }
    }
    if (upwards) visit(permutation, pack(renumbered));
  } while (std::next_permutation(permutation.begin() + 1, permutation.begin() + n - 1));
}

// Whether no automorphism turns the operations into lexicographically smaller ones.
bool first_of_orbit(const uint8_t* labels, int n, const std::vector<Permutation>& automorphisms) {
  return std::none_of(automorphisms.begin() + 1, automorphisms.end(), [&](const Permutation& permutation) {
    for (int v = 1; v < n - 1; ++v) {
      const uint8_t moved = labels[permutation[v]];
      if (moved != labels[v]) return moved < labels[v];
    }
    return false;
  });
}

}  // namespace

std::vector<GraphClass> graph_classes() {
  std::vector<GraphClass> classes;
  std::vector<Code> graphs;
  for (int n = kMinVertices; n <= kMaxVertices; ++n) {
    graphs.clear();
    Cell cell;
    cell.vertices = n;
    append_graphs(cell, n - 1, 0, kMaxEdges, graphs);
    std::vector<bool> seen(size_t{1} << edge_bit(0, n));
    const Code mask = (Code{1} << kLabelShift) - 1;
    for (const Code graph : graphs) {
      if (seen[graph & mask]) continue;
      GraphClass found{graph, {}};
      for_each_numbering(unpack(graph), [&](const Permutation& permutation, Code renumbered) {
        seen[renumbered & mask] = true;
        if (renumbered == graph) found.automorphisms.push_back(permutation);
      });
      classes.push_back(std::move(found));
    }
  }
  return classes;
}

std::vector<Code> enumerate_codes() {
  std::vector<Code> codes;
  for (const GraphClass& graph_class : graph_classes()) {
    Cell cell = unpack(graph_class.graph);
    const int n = cell.vertices;
    int labelings = 1;
    for (int v = 1; v < n - 1; ++v) labelings *= kOperations;
    for (int number = 0; number < labelings; ++number) {
      for (int v = n - 2, rest = number; v >= 1; --v, rest /= kOperations) {
        cell.labels[v] = static_cast<uint8_t>(rest % kOperations);
      }
      if (first_of_orbit(cell.labels, n, graph_class.automorphisms)) codes.push_back(pack(cell));
    }
  }
  return codes;
}

}  // namespace wrcor::spaces
