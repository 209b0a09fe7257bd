// NAS-Bench-101 in C++ alone: the digest, and the whole space with every hash. Prints what fails, returns how often.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "md5.h"
#include "nasbench101_cell.h"
#include "nasbench101_hash.h"
#include "nasbench101_space.h"

using namespace wrcor::spaces;

namespace {

int failures = 0;

void expect(bool holds, const char* what) {
  if (holds) return;
  std::printf("FAILED: %s\n", what);
  ++failures;
}

bool digests_to(const std::string& message, const char* digest) {
  const Md5Text text = md5_text(message.data(), message.size());
  return std::memcmp(text.data(), digest, text.size()) == 0;
}

void test_md5() {
  // RFC 1321, appendix A.5; the last one needs a second block for its length.
  expect(digests_to("", "d41d8cd98f00b204e9800998ecf8427e"), "md5 of nothing");
  expect(digests_to("abc", "900150983cd24fb0d6963f7d28e17f72"), "md5 of abc");
  expect(
      digests_to("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "d174ab98d277d9f5a5611c2c9f419d9f"),
      "md5 of 62 characters");
}

void test_whole_space() {
  const std::vector<Code> codes = enumerate_codes();
  expect(codes.size() == 423624, "the space has 423,624 cells");
  expect(
      std::is_sorted(codes.begin(), codes.end(), [](Code a, Code b) { return a >> kVertexShift < b >> kVertexShift; }),
      "small cells come first");
  expect(std::all_of(codes.begin(), codes.end(), valid), "every cell is valid");

  std::vector<Md5Text> hashes;
  hashes.reserve(codes.size());
  for (const Code code : codes) {
    Cell cell = unpack(code);
    expect(pack(cell) == code && prune(cell) && pack(cell) == code, "every cell is packed and pruned");
    hashes.push_back(cell_hash(cell));
  }
  std::sort(hashes.begin(), hashes.end());
  expect(std::adjacent_find(hashes.begin(), hashes.end()) == hashes.end(), "no two cells share a hash");
}

}  // namespace

int main() {
  test_md5();
  test_whole_space();
  return failures;
}
