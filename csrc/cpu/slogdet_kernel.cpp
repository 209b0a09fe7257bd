// Sign and log of the absolute determinant by LU with partial pivoting: P A = L U, |det A| = prod |U_kk|.
#include <cmath>

#include "simd.h"
#include "tables.h"

namespace wrcor::WRCOR_ISA {
namespace {

// row -= factor * pivot_row over whole vectors from column `start` on; both 64-byte aligned.
inline void eliminate(double* row, const double* pivot_row, double factor, int64_t start, int64_t lda) {
  using V = Vector<double>;
  constexpr int lanes = kLanes<double>;
  for (int64_t j = start / lanes * lanes; j < lda; j += lanes) {
    V* target = reinterpret_cast<V*>(row + j);
    *target -= factor * *reinterpret_cast<const V*>(pivot_row + j);
  }
}

}  // namespace

void slogdet(double* a, int64_t n, int64_t lda, double* sign, double* logabsdet) {
  double sum = 0.0;
  *sign = 1.0;
  for (int64_t k = 0; k < n; ++k) {
    int64_t pivot = k;
    for (int64_t i = k + 1; i < n; ++i) {
      if (std::fabs(a[i * lda + k]) > std::fabs(a[pivot * lda + k])) pivot = i;
    }
    double* top = a + k * lda;
    if (pivot != k) {
      double* other = a + pivot * lda;
      for (int64_t j = k; j < n; ++j) {
        const double keep = top[j];
        top[j] = other[j];
        other[j] = keep;
      }
      *sign = -*sign;
    }
    const double value = top[k];
    if (value == 0.0) {
      *sign = 0.0;
      *logabsdet = -INFINITY;
      return;
    }
    if (value < 0.0) *sign = -*sign;
    sum += std::log(std::fabs(value));
    for (int64_t i = k + 1; i < n; ++i) {
      double* row = a + i * lda;
      const double factor = row[k] / value;
      if (factor != 0.0) eliminate(row, top, factor, k + 1, lda);
    }
  }
  *logabsdet = sum;
}

}  // namespace wrcor::WRCOR_ISA
