// The correlation kernels, through the launchers that the op uses, against plain loops.
#include <algorithm>
#include <string>

#include "../cuda/correlation_runs.cuh"
#include "numbers.h"

namespace {

using namespace numbers;

// A float32 sum of some thousand products; the op promises 2e-6.
constexpr double kTolerance = 2e-6;

const Element kElements[] = {Element::float32, Element::float64, Element::float16, Element::bfloat16};

struct Shape {
  i64 rows, features;
};

// [rows, features] of which neighbours correlate, with means that differ.
std::vector<double> sample(Shape shape, std::uint64_t seed) {
  Random random(seed);
  std::vector<double> common(shape.features), values;
  for (double& value : common) value = random.normal();
  for (i64 row = 0; row < shape.rows; ++row) {
    const double mean = 2 * random.normal(), share = random.uniform() - 0.5;
    for (i64 at = 0; at < shape.features; ++at) values.push_back(mean + random.normal() + 3 * share * common[at]);
  }
  return values;
}

std::vector<double> measured(Element element, const Stored& x, i64 rows) {
  std::vector<double> out(rows * rows, 7);
  const wrcor::ResponseInput input = x.input();
  succeeds(wrcor_emulated_response_correlation(static_cast<int>(element), rows, &input, out.data()));
  return out;
}

void compare(const std::vector<double>& got, const std::vector<double>& wanted, double tolerance) {
  for (std::size_t at = 0; at < wanted.size(); ++at) CHECK_NEAR(got[at], wanted[at], tolerance);
}

void correlates(Element element, Shape shape, i64 stride, i64 offset) {
  const Stored x(element, sample(shape, static_cast<std::uint64_t>(shape.rows)), shape.rows, stride, offset);
  const double tolerance = element == Element::float64 ? 1e-13 : kTolerance;
  const std::vector<double> got = measured(element, x, shape.rows);
  compare(got, correlation(x.values(), shape.rows), tolerance);
  for (i64 i = 0; i < shape.rows; ++i) {
    for (i64 j = 0; j < i; ++j) CHECK(std::memcmp(&got[i * shape.rows + j], &got[j * shape.rows + i], 8) == 0);
  }
}

TEST(every_panel_and_element_type) {
  std::vector<Shape> shapes = {{1, 5}, {3, 300}, {33, 517}, {65, 129}, {129, 70}};
  if (kThorough) {
    shapes.insert(shapes.end(), {{1, 1}, {2, 2}, {16, 256}, {17, 1}, {31, 1031}, {32, 64}, {64, 1000}, {129, 321}});
  }
  for (const Element element : kElements) {
    for (const Shape& shape : shapes) {
      if (!kThorough && shape.rows == 65 && element == Element::bfloat16) continue;
      if (!kThorough && shape.rows == 129 && element != Element::float32) continue;
      correlates(element, shape, shape.features, 0);
    }
  }
}

TEST(rows_apart_and_off_the_grid_of_16_bytes) {
  for (const Element element : kElements) {
    correlates(element, {5, 130}, 136, 0);
    correlates(element, {5, 130}, 131, 0);
    correlates(element, {5, 130}, 136, 1);
    if (kThorough) correlates(element, {33, 520}, 523, 3);
  }
}

TEST(many_chunks_and_slices) {
  correlates(Element::float32, {4, kThorough ? 100003 : 9001}, kThorough ? 100003 : 9001, 0);
  if (kThorough) correlates(Element::float64, {3, 30001}, 30001, 0);
  if (kThorough) correlates(Element::bfloat16, {2, 500009}, 500009, 0);
}

TEST(rows_without_variance_and_without_end) {
  const Shape shape{9, 700};
  std::vector<double> values = sample(shape, 3);
  const auto row = [&](i64 index) { return values.begin() + index * shape.features; };
  std::fill(row(1), row(2), 0.3);
  std::fill(row(2), row(3), 0.0);
  row(3)[650] = kNan;
  row(5)[0] = kInfinity;
  row(6)[699] = -kInfinity;
  std::copy(row(0), row(1), row(7));
  for (i64 at = 0; at < shape.features; ++at) row(8)[at] = -row(0)[at];
  for (const Element element : kElements) {
    const Stored x(element, values, shape.rows, shape.features, 0);
    const std::vector<double> got = measured(element, x, shape.rows);
    compare(got, correlation(x.values(), shape.rows), kTolerance);
    CHECK_NEAR(got[7], 1.0, 1e-15);
    CHECK_NEAR(got[8], -1.0, 1e-15);
    CHECK(std::isnan(got[1 * shape.rows + 1]) && std::isnan(got[3 * shape.rows]));
  }
}

TEST(rows_of_very_different_scales) {
  for (const Element element : {Element::float32, Element::float64}) {
    const double huge = element == Element::float32 ? 1e37 : 1e307;
    const Shape shape{6, 800};
    std::vector<double> values = sample(shape, 4);
    for (i64 at = 0; at < shape.features; ++at) {
      values[at] *= huge / 10;
      values[shape.features + at] /= huge / 10;
      // The scale of a row grows in the middle of it.
      values[2 * shape.features + at] *= at < 400 ? 1e-20 : 1e10;
      values[3 * shape.features + at] += 1000;
    }
    const Stored x(element, values, shape.rows, shape.features, 0);
    compare(measured(element, x, shape.rows), correlation(x.values(), shape.rows), kTolerance);
  }
}

TEST(accumulates_what_is_defined_and_counts) {
  const i64 rows = 20;
  std::vector<double> constant = sample({rows, 64}, 12);
  std::fill(constant.begin() + 64, constant.begin() + 128, 1.0);
  for (const Element element : {Element::float32, Element::float16}) {
    const std::vector<Stored> stored = {Stored(element, sample({rows, 500}, 10), rows, 500, 0),
                                        Stored(element, constant, rows, 64, 0),
                                        Stored(element, sample({rows, 65}, 11), rows, 65, 0)};
    const double weights[] = {4, 2, 0.5, 0, 1, -3};  // of two sums
    std::vector<wrcor::ResponseInput> group;
    for (const Stored& response : stored) group.push_back(response.input());
    std::vector<double> wanted(2 * rows * rows, 0.25), together = wanted, apart = wanted;
    for (const int r : {0, 2}) {
      const std::vector<double> own = correlation(stored[r].values(), rows);
      for (i64 at = 0; at < 2 * rows * rows; ++at) {
        wanted[at] += weights[at / (rows * rows) * 3 + r] * std::abs(own[at % (rows * rows)]);
      }
    }
    i64 counts[2] = {10, 20}, counts_apart[2] = {10, 20}, used[3] = {7, 7, 7};
    const int type = static_cast<int>(element);
    succeeds(
        wrcor_emulated_accumulate_correlation(type, rows, group.data(), 3, weights, 2, together.data(), counts, used));
    for (int r = 0; r < 3; ++r) {
      const double own[] = {weights[r], weights[3 + r]};
      succeeds(
          wrcor_emulated_accumulate_correlation(type, rows, &group[r], 1, own, 2, apart.data(), counts_apart, nullptr));
    }
    compare(together, wanted, 4 * kTolerance);
    CHECK(together == apart);
    CHECK(counts[0] == 12 && counts[1] == 21 && counts_apart[0] == 12 && counts_apart[1] == 21);
    CHECK(used[0] == 1 && used[1] == 0 && used[2] == 1);
  }
}

TEST(as_many_responses_and_sums_as_one_likes) {
  const i64 rows = 5, count = wrcor::kMaxResponses + 3;
  std::vector<Stored> stored;
  std::vector<wrcor::ResponseInput> group;
  std::vector<double> weights;
  for (i64 r = 0; r < count; ++r) {
    stored.emplace_back(Element::float32, sample({rows, 9 + r}, 20 + r), rows, 9 + r, 0);
    group.push_back(stored.back().input());
  }
  for (i64 at = 0; at < wrcor::kMaxSums * count; ++at) weights.push_back(1 + at % 7);
  std::vector<double> wanted(wrcor::kMaxSums * rows * rows, 0);
  for (i64 r = 0; r < count; ++r) {
    const std::vector<double> own = correlation(stored[r].values(), rows);
    for (i64 s = 0; s < wrcor::kMaxSums; ++s) {
      for (i64 at = 0; at < rows * rows; ++at)
        wanted[s * rows * rows + at] += weights[s * count + r] * std::abs(own[at]);
    }
  }
  std::vector<double> got(wanted.size(), 0);
  std::vector<i64> used(count, 7);
  succeeds(wrcor_emulated_accumulate_correlation(0, rows, group.data(), count, weights.data(), wrcor::kMaxSums,
                                                 got.data(), nullptr, used.data()));
  compare(got, wanted, 7 * count * kTolerance);
  CHECK(used == std::vector<i64>(count, 1));
}

TEST(runs_are_cut_where_the_workspace_grows_large) {
  const wrcor::ResponseInput large = {nullptr, i64(1) << 20, i64(1) << 20}, small = {nullptr, 64, 64};
  const std::vector<wrcor::ResponseInput> same(100, small), mixed = {large, large, large, small};
  const auto run = [](const std::vector<wrcor::ResponseInput>& group, i64 rows, std::size_t first) {
    return wrcor::correlation_run(Element::float32, rows, &group[first], static_cast<i64>(group.size() - first)).count;
  };
  CHECK(run(same, 64, 0) == wrcor::kMaxResponses);
  CHECK(run(same, 64, 97) == 3);
  CHECK(run(mixed, 64, 0) == 4);
  // Above 64 rows a response of this length needs more than a run may.
  CHECK(run(mixed, 512, 0) == 1);
  CHECK(run(mixed, 512, 2) == 1);
  CHECK(wrcor::correlation_workspace_bytes(Element::float32, 512, mixed.data(), 4) ==
        wrcor::correlation_workspace_bytes(Element::float32, 512, mixed.data(), 1));
}

TEST(bits_do_not_depend_on_the_order_of_threads) {
  const Shape shape{kThorough ? 65 : 17, 700};
  const Stored x(Element::float32, sample(shape, 5), shape.rows, shape.features, 0);
  const std::vector<double> first = measured(Element::float32, x, shape.rows);
  for (const char* order : {"reverse", "rotated", "random:1", "random:2"}) {
    succeeds(wrcor_emulated_set_order(order));
    CHECK(measured(Element::float32, x, shape.rows) == first);
  }
  succeeds(wrcor_emulated_set_order("forward"));
}

TEST(bad_sizes_are_refused) {
  const Stored x(Element::float32, sample({1, 4}, 1), 1, 4, 0);
  const wrcor::ResponseInput input = x.input();
  double out = 7;
  CHECK(wrcor_emulated_response_correlation(0, 513, &input, &out) != nullptr);
  CHECK(wrcor_emulated_response_correlation(0, 0, &input, &out) != nullptr);
  const double weights[9] = {};
  for (const int sums : {0, wrcor::kMaxSums + 1}) {
    CHECK(wrcor_emulated_accumulate_correlation(0, 1, &input, 1, weights, sums, &out, nullptr, nullptr) != nullptr);
  }
  CHECK(out == 7);
}

}  // namespace
