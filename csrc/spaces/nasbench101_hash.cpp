#include "nasbench101_hash.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <tuple>

namespace wrcor::spaces {
namespace {

constexpr size_t kText = std::tuple_size<Md5Text>::value;
// Longest message: the final list, seven digests with quotes, commas and blanks.
constexpr size_t kMessage = kMaxVertices * (kText + 4);

Md5Text first_text(const Cell& cell, int v) {
  const int label = v == 0 ? -1 : v == cell.vertices - 1 ? -2 : cell.labels[v];
  char message[32];
  const int size = std::snprintf(message, sizeof(message), "(%d, %d, %d)", __builtin_popcount(cell.targets[v]),
                                 __builtin_popcount(cell.sources[v]), label);
  return md5_text(message, static_cast<size_t>(size));
}

inline char* append(char* end, const Md5Text& text) {
  std::memcpy(end, text.data(), kText);
  return end + kText;
}

// Texts of the vertices in `members`, in ascending order, without a separator. `order` lists all vertices so.
inline char* append_sorted(char* end, const Md5Text* texts, const int* order, int vertices, unsigned members) {
  for (int i = 0; i < vertices; ++i) {
    if (members >> order[i] & 1) end = append(end, texts[order[i]]);
  }
  return end;
}

// Insertion sort: there are at most seven, and std::memcmp tells most of them apart by their first bytes.
inline void sort_by_text(const Md5Text* texts, int* order, int vertices) {
  for (int i = 1; i < vertices; ++i) {
    const int v = order[i];
    int place = i;
    for (; place > 0 && std::memcmp(texts[v].data(), texts[order[place - 1]].data(), kText) < 0; --place) {
      order[place] = order[place - 1];
    }
    order[place] = v;
  }
}

}  // namespace

Md5Text cell_hash(const Cell& cell) {
  const int n = cell.vertices;
  Md5Text texts[kMaxVertices], next[kMaxVertices];
  int order[kMaxVertices];
  for (int v = 0; v < n; ++v) {
    texts[v] = first_text(cell, v);
    order[v] = v;
  }
  char message[kMessage];
  for (int round = 0; round < n; ++round) {
    sort_by_text(texts, order, n);
    for (int v = 0; v < n; ++v) {
      char* end = append_sorted(message, texts, order, n, cell.sources[v]);
      *end++ = '|';
      end = append_sorted(end, texts, order, n, cell.targets[v]);
      *end++ = '|';
      end = append(end, texts[v]);
      next[v] = md5_text(message, static_cast<size_t>(end - message));
    }
    std::copy(next, next + n, texts);
  }
  sort_by_text(texts, order, n);
  char* end = message;
  for (int i = 0; i < n; ++i) {
    std::memcpy(end, i == 0 ? "['" : ", '", 3);
    end = append(end + (i == 0 ? 2 : 3), texts[order[i]]);
    *end++ = '\'';
  }
  *end++ = ']';
  return md5_text(message, static_cast<size_t>(end - message));
}

}  // namespace wrcor::spaces
