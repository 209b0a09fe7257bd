#include "nasbench101_hash.h"

#include <cstdio>
#include <cstring>
#include <tuple>

namespace wrcor::spaces {
namespace {

constexpr size_t kText = std::tuple_size<Md5Text>::value;
constexpr int kFinalSize = kMaxVertices * (kText + 4);  // the longest message: texts with quotes, commas and blanks
static_assert(kFinalSize <= Md5Message::kCapacity && kMaxVertices <= kMd5Lanes);

// The texts of all vertices before the first round, by label (from -2), out-degree and in-degree.
struct FirstTexts {
  Md5Text table[kOperations + 2][kMaxVertices][kMaxVertices];

  FirstTexts() {
    for (int label = -2; label < kOperations; ++label) {
      for (int out = 0; out < kMaxVertices; ++out) {
        for (int in = 0; in < kMaxVertices; ++in) {
          char message[32];
          const int size = std::snprintf(message, sizeof(message), "(%d, %d, %d)", out, in, label);
          table[label + 2][out][in] = md5_text(message, static_cast<size_t>(size));
        }
      }
    }
  }
};

const Md5Text& first_text(const Cell& cell, int v) {
  static const FirstTexts texts;
  const int label = v == 0 ? -1 : v == cell.vertices - 1 ? -2 : cell.labels[v];
  return texts.table[label + 2][__builtin_popcount(cell.targets[v])][__builtin_popcount(cell.sources[v])];
}

// Texts of the vertices in `members`, in ascending order, without a separator. `order` lists all vertices so.
inline void append_sorted(Md5Message& message, const Md5Text* texts, const int* order, int vertices, unsigned members) {
  for (int i = 0; i < vertices; ++i) {
    if (members >> order[i] & 1) message.append(texts[order[i]].data(), kText);
  }
}

// Insertion sort: there are at most seven.
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
  Md5Text texts[kMaxVertices];
  int order[kMaxVertices];
  for (int v = 0; v < n; ++v) {
    texts[v] = first_text(cell, v);
    order[v] = v;
  }
  Md5Message messages[kMaxVertices];
  for (int round = 0; round < n; ++round) {
    sort_by_text(texts, order, n);
    for (int v = 0; v < n; ++v) {
      messages[v].size = 0;
      append_sorted(messages[v], texts, order, n, cell.sources[v]);
      messages[v].append("|", 1);
      append_sorted(messages[v], texts, order, n, cell.targets[v]);
      messages[v].append("|", 1);
      messages[v].append(texts[v].data(), kText);
    }
    md5_texts(messages, n, texts);
  }
  sort_by_text(texts, order, n);
  Md5Message list;
  for (int i = 0; i < n; ++i) {
    list.append(i == 0 ? "['" : ", '", i == 0 ? 2 : 3);
    list.append(texts[order[i]].data(), kText);
    list.append("'", 1);
  }
  list.append("]", 1);
  return md5_text(list.bytes, list.size);
}

}  // namespace wrcor::spaces
