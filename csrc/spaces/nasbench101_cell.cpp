#include "nasbench101_cell.h"

namespace wrcor::spaces {

bool well_formed(Code code) {
  const Code vertices = code >> kVertexShift;
  if (vertices < kMinVertices || vertices > kMaxVertices) return false;
  const int n = static_cast<int>(vertices);
  const Code edges = code & ((Code{1} << kLabelShift) - 1);
  if (edges >> edge_bit(0, n) != 0) return false;
  const Code labels = code >> kLabelShift & ((Code{1} << (kVertexShift - kLabelShift)) - 1);
  if (labels >> (2 * (n - 2)) != 0) return false;
  for (int v = 0; v < n - 2; ++v) {
    if ((labels >> (2 * v) & 3) >= kOperations) return false;
  }
  return true;
}

Cell unpack(Code code) {
  Cell cell;
  cell.vertices = static_cast<int>(code >> kVertexShift & 7);
  for (int target = 1; target < cell.vertices; ++target) {
    for (int source = 0; source < target; ++source) {
      if (code >> edge_bit(source, target) & 1) cell.connect(source, target);
    }
  }
  for (int v = 1; v < cell.vertices - 1; ++v) cell.labels[v] = code >> (kLabelShift + 2 * (v - 1)) & 3;
  return cell;
}

Code pack(const Cell& cell) {
  Code code = static_cast<Code>(cell.vertices) << kVertexShift;
  for (int v = 1; v < cell.vertices; ++v) code |= static_cast<Code>(cell.sources[v]) << edge_bit(0, v);
  for (int v = 1; v < cell.vertices - 1; ++v) code |= static_cast<Code>(cell.labels[v]) << (kLabelShift + 2 * (v - 1));
  return code;
}

int edge_count(const Cell& cell) {
  int count = 0;
  for (int v = 1; v < cell.vertices; ++v) count += __builtin_popcount(cell.sources[v]);
  return count;
}

bool prune(Cell& cell) {
  const int n = cell.vertices, output = n - 1;
  unsigned forward = 1, backward = 1u << output;
  for (int v = 1; v < n; ++v) forward |= static_cast<unsigned>((cell.sources[v] & forward) != 0) << v;
  for (int v = n - 2; v >= 0; --v) backward |= static_cast<unsigned>((cell.targets[v] & backward) != 0) << v;
  if ((forward >> output & 1) == 0) return false;

  const unsigned kept = forward & backward;
  Cell pruned;
  int place[kMaxVertices] = {};
  for (int v = 0; v < n; ++v) {
    if (kept >> v & 1) {
      place[v] = pruned.vertices++;
      pruned.labels[place[v]] = cell.labels[v];
    }
  }
  for (int target = 1; target < n; ++target) {
    for (int source = 0; source < target; ++source) {
      if ((kept >> target & kept >> source & cell.sources[target] >> source & 1) != 0) {
        pruned.connect(place[source], place[target]);
      }
    }
  }
  cell = pruned;
  return true;
}

bool valid(Code code) {
  if (!well_formed(code)) return false;
  Cell cell = unpack(code);
  return prune(cell) && edge_count(cell) <= kMaxEdges;
}

}  // namespace wrcor::spaces
