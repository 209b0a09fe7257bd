// In the place of GoogleTest, which no package registry offers without root: PyPI has no package of it, and Debian's
// wants apt-get install.
//
//   TEST(adds_up) { CHECK(1 + 1 == 2); CHECK_NEAR(0.1 + 0.2, 0.3, 1e-15); }
//
// The program runs every test, or those whose names contain its argument, and returns how many failed.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>
#include <vector>

namespace check {

struct Test {
  const char* name;
  void (*body)();
};

inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

inline int& failures() {
  static int count = 0;
  return count;
}

inline void fail(const char* file, int line, const char* what) {
  if (++failures() <= 20) std::printf("%s:%d: %s\n", file, line, what);
}

inline void near(const char* file, int line, const char* what, double got, double wanted, double tolerance) {
  if (std::abs(got - wanted) <= tolerance || (std::isnan(got) && std::isnan(wanted)) || got == wanted) return;
  if (++failures() <= 20) std::printf("%s:%d: %s is %.17g, not %.17g\n", file, line, what, got, wanted);
}

inline int run(const char* filter) {
  int failed = 0;
  for (const Test& test : tests()) {
    if (std::strstr(test.name, filter) == nullptr) continue;
    const int before = failures();
    try {
      test.body();
    } catch (const std::exception& error) {
      fail(test.name, 0, error.what());
    }
    const bool passed = failures() == before;
    std::printf("%s %s\n", passed ? "ok    " : "FAILED", test.name);
    failed += !passed;
  }
  return failed;
}

}  // namespace check

#define TEST(name)                                                                         \
  static void test_##name();                                                               \
  static const bool added_##name = (check::tests().push_back({#name, test_##name}), true); \
  static void test_##name()
#define CHECK(condition) \
  if (!(condition)) check::fail(__FILE__, __LINE__, #condition)
#define CHECK_NEAR(got, wanted, tolerance) check::near(__FILE__, __LINE__, #got, got, wanted, tolerance)

int main(int count, char** arguments) { return check::run(count > 1 ? arguments[1] : ""); }
