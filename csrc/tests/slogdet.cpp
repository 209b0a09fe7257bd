// The log-determinant kernels, through the launcher that the op uses, against elimination in long double.
#include <utility>

#include "numbers.h"

namespace {

using namespace numbers;

constexpr i64 kSharedBytes = 227 * 1024;  // whole matrices up to N = 169
constexpr i64 kNoShared = 0;              // always the blocked kernel

struct Result {
  double sign, logabsdet;
};

Result eliminated(const double* matrix, i64 n) {
  std::vector<long double> a(matrix, matrix + n * n);
  Result result = {1, 0};
  long double sum = 0;
  for (i64 k = 0; k < n; ++k) {
    i64 best = k;
    for (i64 i = k + 1; i < n; ++i) best = std::abs(a[i * n + k]) > std::abs(a[best * n + k]) ? i : best;
    const long double pivot = a[best * n + k];
    if (pivot == 0) return {0, -kInfinity};
    if (best != k) result.sign = -result.sign;
    if (pivot < 0) result.sign = -result.sign;
    sum += std::log(std::abs(pivot));
    for (i64 j = 0; j < n; ++j) std::swap(a[k * n + j], a[best * n + j]);
    for (i64 i = k + 1; i < n; ++i) {
      const long double factor = a[i * n + k] / pivot;
      for (i64 j = k; j < n; ++j) a[i * n + j] -= factor * a[k * n + j];
    }
  }
  result.logabsdet = static_cast<double>(sum);
  return result;
}

std::vector<Result> measured(const std::vector<double>& matrices, i64 n, i64 shared_limit) {
  const i64 batch = static_cast<i64>(matrices.size()) / (n * n);
  const std::vector<double> before = matrices;
  std::vector<double> sign(batch, 7), logabsdet(batch, 7);
  succeeds(wrcor_emulated_slogdet(matrices.data(), batch, n, shared_limit, sign.data(), logabsdet.data()));
  CHECK(std::memcmp(matrices.data(), before.data(), before.size() * sizeof(double)) == 0);
  std::vector<Result> results;
  for (i64 at = 0; at < batch; ++at) results.push_back({sign[at], logabsdet[at]});
  return results;
}

std::vector<double> symmetric(i64 batch, i64 n) {
  Random random(static_cast<std::uint64_t>(n));
  std::vector<double> matrices(batch * n * n);
  for (i64 m = 0; m < batch; ++m) {
    double* own = &matrices[m * n * n];
    for (i64 i = 0; i < n; ++i) {
      for (i64 j = 0; j <= i; ++j) own[i * n + j] = own[j * n + i] = random.normal() + (i == j ? 1 : 0);
    }
  }
  return matrices;
}

void agrees(i64 batch, i64 n, i64 shared_limit) {
  const std::vector<double> matrices = symmetric(batch, n);
  const std::vector<Result> results = measured(matrices, n, shared_limit);
  for (i64 m = 0; m < batch; ++m) {
    const Result wanted = eliminated(&matrices[m * n * n], n);
    CHECK(results[m].sign == wanted.sign);
    CHECK_NEAR(results[m].logabsdet, wanted.logabsdet, 1e-10 * std::abs(wanted.logabsdet) + 1e-13);
  }
}

TEST(matrices_in_shared_memory) {
  for (const i64 n : {1, 2, 9, 33}) agrees(3, n, kSharedBytes);
  if (kThorough) agrees(2, 64, kSharedBytes);
  if (kThorough) agrees(1, 169, kSharedBytes);
}

TEST(matrices_that_do_not_fit) {
  for (const i64 n : {1, 7, 8, 9, 33}) agrees(2, n, kNoShared);
  if (kThorough) agrees(2, 65, kNoShared);
  if (kThorough) agrees(1, 170, kSharedBytes);
}

TEST(singular_and_undefined_matrices) {
  const i64 n = 12;
  std::vector<double> matrices = symmetric(4, n);
  // The second has two zero columns, the third a NaN, the fourth an infinity.
  for (i64 i = 0; i < n; ++i) matrices[n * n + i * n + 4] = matrices[n * n + i * n + 9] = 0;
  matrices[2 * n * n + 5] = kNan;
  matrices[3 * n * n + n * n - 1] = -kInfinity;
  for (const i64 limit : {kSharedBytes, kNoShared}) {
    const std::vector<Result> results = measured(matrices, n, limit);
    CHECK(results[0].sign == eliminated(matrices.data(), n).sign);
    CHECK(results[1].sign == 0 && results[1].logabsdet == -kInfinity);
    CHECK(std::isnan(results[2].sign) && std::isnan(results[2].logabsdet));
    CHECK(std::isnan(results[3].sign) && std::isnan(results[3].logabsdet));
  }
}

TEST(bits_do_not_depend_on_the_order_of_threads) {
  const std::vector<double> matrices = symmetric(2, 20);
  for (const i64 limit : {kSharedBytes, kNoShared}) {
    const std::vector<Result> first = measured(matrices, 20, limit);
    for (const char* order : {"reverse", "random:1"}) {
      succeeds(wrcor_emulated_set_order(order));
      const std::vector<Result> again = measured(matrices, 20, limit);
      for (std::size_t m = 0; m < first.size(); ++m) {
        CHECK(again[m].sign == first[m].sign && again[m].logabsdet == first[m].logabsdet);
      }
    }
    succeeds(wrcor_emulated_set_order("forward"));
  }
}

}  // namespace
