// The sign-pattern kernels, through the launcher that the op uses, against plain loops.
#include "numbers.h"

namespace {

using namespace numbers;

std::vector<double> signs(i64 rows, i64 features, std::uint64_t seed) {
  Random random(seed);
  std::vector<double> values;
  // A third of the values is zero, which counts as not positive.
  for (i64 at = 0; at < rows * features; ++at) values.push_back(random.uniform() < 0.33 ? 0.0 : random.normal());
  return values;
}

void counts_equal_signs(Element element, i64 rows, i64 features, i64 stride, i64 offset) {
  const Stored x(element, signs(rows, features, 9), rows, stride, offset);
  const std::vector<double> values = x.values();
  std::vector<double> k(rows * rows, 0.5);
  i64 counts[2] = {3, 4};
  const wrcor::ResponseInput input = x.input();
  succeeds(wrcor_emulated_accumulate_hamming(static_cast<int>(element), rows, &input, 0.25, k.data(), counts));
  for (i64 i = 0; i < rows; ++i) {
    for (i64 j = 0; j < rows; ++j) {
      i64 equal = 0;
      for (i64 at = 0; at < features; ++at) equal += (values[i * features + at] > 0) == (values[j * features + at] > 0);
      CHECK(k[i * rows + j] == 0.5 + 0.25 * static_cast<double>(equal));
    }
  }
  CHECK(counts[0] == 4 && counts[1] == 4);
}

TEST(every_element_type_and_odd_sizes) {
  for (const Element element : {Element::float32, Element::float64, Element::float16, Element::bfloat16}) {
    counts_equal_signs(element, 3, 129, 129, 0);
    counts_equal_signs(element, 5, 300, 304, 1);
    if (!kThorough) continue;
    counts_equal_signs(element, 1, 1, 1, 0);
    counts_equal_signs(element, 33, 1000, 1000, 0);
    counts_equal_signs(element, 64, 513, 520, 0);
  }
}

// Another width of the tiles; the same code, so that ThreadSanitizer needs no look at its 153 blocks.
TEST(many_rows) {
  if (kThorough) counts_equal_signs(Element::float32, 129, 70, 70, 0);
}

TEST(many_features) {
  const i64 features = kThorough ? 30001 : 4001;
  counts_equal_signs(Element::float32, 3, features, features, 0);
}

TEST(a_value_that_is_not_finite_adds_nothing) {
  for (const double bad : {kNan, kInfinity, -kInfinity}) {
    std::vector<double> values = signs(4, 333, 2);
    values[3 * 333 + 332] = bad;
    const Stored x(Element::float32, values, 4, 333, 0);
    std::vector<double> k(16, 1.5);
    i64 counts[2] = {0, 0};
    const wrcor::ResponseInput input = x.input();
    succeeds(wrcor_emulated_accumulate_hamming(0, 4, &input, 1.0, k.data(), counts));
    CHECK(k == std::vector<double>(16, 1.5));
    CHECK(counts[0] == 0 && counts[1] == 1);
  }
}

}  // namespace
