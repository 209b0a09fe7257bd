// The graph hash by which NAS-Bench-101 names its cells.
#pragma once

#include "md5.h"
#include "nasbench101_cell.h"

namespace wrcor::spaces {

// The benchmark's `module_hash` of a cell as it stands: prune first. Isomorphic cells share it.
//
//   h_v   = md5("(out-degree, in-degree, label)")    label: input -1, output -2, else the operation
//   h_v  <- md5(sorted in-neighbours' h | sorted out-neighbours' h | h_v)    as many rounds as vertices
//   hash  = md5("['h', 'h', ...]")    sorted
Md5Text cell_hash(const Cell& cell);

}  // namespace wrcor::spaces
