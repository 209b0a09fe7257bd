// How close correlations computed in float32 come to those of long double where that is hard. The emulated tensor cores
// round worse than real ones.
#include <cmath>
#include <string>

#include "numbers.h"

namespace {

using namespace numbers;

// The op promises 2e-6; what is there is about 1e-7.
constexpr double kTolerance = 4e-7;

// A value of row `row`, with `common`, normal, shared by all rows at that feature.
using Value = double (*)(Random& random, double common, i64 row, double progress);

double alike(Random& random, double common, i64, double) { return 100 + common + 1e-3 * random.normal(); }
double opposite(Random& random, double common, i64 row, double) {
  return (row % 2 == 0 ? 1 : -1) * (common + 0.02 * random.normal());
}
double far_from_zero(Random& random, double common, i64 row, double) {
  return 1e4 * static_cast<double>(1 + row) + random.normal() + common;
}
// As coarse as float32 is there.
double few_steps(Random& random, double common, i64, double) { return 1e7 + std::round(2 * random.normal() + common); }
double mostly_zero(Random& random, double common, i64, double) { return std::max(0.0, random.normal() + common - 2); }
double positive(Random& random, double common, i64, double) { return std::abs(random.normal() + common); }
double of_all_sizes(Random& random, double common, i64, double) {
  return (random.normal() + common) * std::exp2(40 * random.uniform());
}
double huge(Random& random, double common, i64, double) { return 3e37 * (random.normal() + common); }
double tiny(Random& random, double common, i64, double) { return 1e-40 * (random.normal() + common); }
double drifting(Random& random, double common, i64 row, double progress) {
  return random.normal() + common + 300 * std::sin(progress * static_cast<double>(row + 2));
}

struct Kind {
  const char* name;
  Value value;
};
const Kind kKinds[] = {{"alike", alike},
                       {"opposite", opposite},
                       {"far_from_zero", far_from_zero},
                       {"few_steps", few_steps},
                       {"mostly_zero", mostly_zero},
                       {"positive", positive},
                       {"of_all_sizes", of_all_sizes},
                       {"huge", huge},
                       {"tiny", tiny},
                       {"drifting", drifting}};

void stays_close(const Kind& kind, Element element, i64 rows, i64 features) {
  Random random(static_cast<std::uint64_t>(rows + features));
  std::vector<double> common(features), values;
  for (double& value : common) value = random.normal();
  for (i64 row = 0; row < rows; ++row) {
    for (i64 at = 0; at < features; ++at) {
      values.push_back(kind.value(random, common[at], row, static_cast<double>(at) / static_cast<double>(features)));
    }
  }
  const Stored x(element, values, rows, features, 0);
  std::vector<double> got(rows * rows);
  const wrcor::ResponseInput input = x.input();
  succeeds(wrcor_emulated_response_correlation(static_cast<int>(element), rows, &input, got.data()));
  const std::vector<double> wanted = correlation(x.values(), rows);
  double worst = 0;
  for (i64 at = 0; at < rows * rows; ++at) worst = std::max(worst, std::abs(got[at] - wanted[at]));
  const std::string what =
      std::string(kind.name) + " " + std::to_string(rows) + " x " + std::to_string(features) + ": worst error";
  check::near(__FILE__, __LINE__, what.c_str(), worst, 0, kTolerance);
}

TEST(few_rows_and_many_features) {
  for (const Kind& kind : kKinds) stays_close(kind, Element::float32, 5, kThorough ? 20000 : 1500);
  if (kThorough) stays_close(kKinds[0], Element::float32, 4, 131072);
}

TEST(panels_of_all_sizes) {
  for (const Kind& kind : kKinds) {
    stays_close(kind, Element::float32, 20, 700);
    if (kThorough) stays_close(kind, Element::float32, 40, 1100);
    if (kThorough) stays_close(kind, Element::float32, 70, 300);
  }
}

TEST(pairs_of_panels) {
  for (const Kind& kind : kKinds) stays_close(kind, Element::float32, 130, kThorough ? 200 : 40);
  if (kThorough) stays_close(kKinds[1], Element::float32, 512, 300);
}

TEST(few_features) {
  for (const Kind& kind : kKinds) {
    for (const i64 features : {2, 3, 5}) stays_close(kind, Element::float32, 3, features);
  }
}

}  // namespace
