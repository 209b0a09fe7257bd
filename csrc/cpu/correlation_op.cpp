// response_correlation and its sums on the CPU: features are cut into chunks of fixed length, threads
// compute the moments of chunks, and the chunks are merged in order. The result does not depend on the thread count.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "response.h"
#include "scratch.h"

namespace wrcor {
namespace {

// Slices per chunk, the unit of work of a thread: at least so many that its merge is negligible, and so many that there
// are at most kMaxChunks, since the first slice of a chunk waits for memory.
constexpr int64_t kMinSlicesPerChunk = 4;
constexpr int64_t kMaxChunks = 16;

// Chunks in flight per thread: each costs an N x N state, a barrier follows each wave.
constexpr int64_t kChunksPerThread = 4;

int64_t moments_bytes(int64_t padded) { return round_up(padded * (4 + 3 * 8), 64) + padded * padded * 8; }

Moments moments_in(char* memory, int64_t padded) {
  double* mean = reinterpret_cast<double*>(memory);
  double* low = mean + padded;
  double* high = low + padded;
  int32_t* exponent = reinterpret_cast<int32_t*>(high + padded);
  double* gram = reinterpret_cast<double*>(memory + round_up(padded * (4 + 3 * 8), 64));
  return {0, padded, exponent, mean, low, high, gram};
}

char* thread_scratch(const Rows& x) {
  thread_local AlignedBuffer buffer;
  return buffer.reserve(kernels().moments_scratch(x.element, x.rows));
}

// Moments of all features of x; they live in memory of the calling thread until its next call.
Moments response_moments(const Rows& x) {
  const Kernels& table = kernels();
  const int64_t padded = padded_rows(x.rows);
  const int64_t slice = table.slice_length(x.element, x.rows);
  const int64_t slices = (x.features + slice - 1) / slice;
  const int64_t chunk = slice * std::max(kMinSlicesPerChunk, (slices + kMaxChunks - 1) / kMaxChunks);
  const int64_t chunks = (x.features + chunk - 1) / chunk;
  const int64_t threads = torch::stable::get_num_threads();
  const int64_t wave = threads == 1 ? 1 : std::min(chunks, threads * kChunksPerThread);
  const int64_t bytes = moments_bytes(padded);

  thread_local AlignedBuffer buffer;
  char* memory = buffer.reserve((wave + 1) * bytes);
  Moments total = moments_in(memory, padded);
  if (chunks == 1) {
    table.moments(x, 0, x.features, thread_scratch(x), total);
    return total;
  }
  std::vector<Moments> parts;
  for (int64_t i = 0; i < wave; ++i) parts.push_back(moments_in(memory + (i + 1) * bytes, padded));
  for (int64_t first = 0; first < chunks; first += wave) {
    const int64_t count = std::min(wave, chunks - first);
    torch::stable::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t start = (first + i) * chunk;
        table.moments(x, start, std::min(x.features, start + chunk), thread_scratch(x), parts[i]);
      }
    });
    for (int64_t i = 0; i < count; ++i) table.merge(total, parts[i], thread_scratch(x));
  }
  return total;
}

// 1 / standard deviation of each row, up to a common factor; NaN for a row without variance. Returns whether all rows
// have one. A row whose values are all equal has none: the sum of squares cannot tell, since a mean need not round back
// to the value that it is the mean of.
bool inverse_deviations(const Moments& moments, int64_t rows, double* inverse) {
  bool all = true;
  for (int64_t i = 0; i < rows; ++i) {
    const double variance = moments.gram[i * moments.padded + i];
    const bool varies = moments.low[i] < moments.high[i] && variance > 0.0;  // false for NaN
    inverse[i] = varies ? 1.0 / std::sqrt(variance) : std::numeric_limits<double>::quiet_NaN();
    all = all && varies;
  }
  return all;
}

double clip(double value) { return value > 1.0 ? 1.0 : value < -1.0 ? -1.0 : value; }

Tensor response_correlation(const Tensor& x) {
  check_response(x);
  const ResponseView view = view_response(x);
  const Moments moments = response_moments(rows_of(view));
  const int64_t n = view.rows;
  double inverse[kMaxRows];
  inverse_deviations(moments, n, inverse);
  const Tensor result = torch::stable::new_empty(x, {n, n}, ScalarType::Double);
  double* out = result.mutable_data_ptr<double>();
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = i; j < n; ++j) {
      const double value = clip(moments.gram[i * moments.padded + j] * (inverse[i] * inverse[j]));
      out[i * n + j] = value;
      out[j * n + i] = value;
    }
  }
  return result;
}

// k[s] += weights[s * stride] * |C(x)| for every sum s; k is [sums, N, N]. Returns false, and adds nothing, if C(x) has
// a NaN.
bool add_correlation(const ResponseView& x, const double* weights, int64_t stride, int64_t sums, double* k) {
  const Moments moments = response_moments(rows_of(x));
  const int64_t n = x.rows;
  double inverse[kMaxRows];
  if (!inverse_deviations(moments, n, inverse)) return false;
  double magnitude[kMaxRows];
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = i; j < n; ++j) {
      magnitude[j] = std::fabs(clip(moments.gram[i * moments.padded + j] * (inverse[i] * inverse[j])));
    }
    for (int64_t s = 0; s < sums; ++s) {
      double* out = k + s * n * n;
      for (int64_t j = i; j < n; ++j) {
        const double value = weights[s * stride] * magnitude[j];
        out[i * n + j] += value;
        if (j != i) out[j * n + i] += value;
      }
    }
  }
  return true;
}

void accumulate_correlation(const Tensor& k, const Tensor& x, double weight, const Tensor& counts) {
  check_accumulator(k, x, counts);
  count_response(counts, add_correlation(view_response(x), &weight, 1, 1, k.mutable_data_ptr<double>()));
}

void accumulate_correlation_group(const Tensor& k, const std::vector<Tensor>& xs, const std::vector<double>& weights,
                                  const Tensor& used) {
  check_group(k, xs, weights, used);
  const auto count = static_cast<int64_t>(xs.size());
  int64_t* flags = used.mutable_data_ptr<int64_t>();
  const std::vector<ResponseView> views = view_responses(xs);
  for (int64_t r = 0; r < count; ++r) {
    flags[r] = add_correlation(views[r], weights.data() + r, count, k.size(0), k.mutable_data_ptr<double>()) ? 1 : 0;
  }
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(wrcor_ext, CPU, library) {
  library.impl("response_correlation", TORCH_BOX(&response_correlation));
  library.impl("accumulate_correlation", TORCH_BOX(&accumulate_correlation));
  library.impl("accumulate_correlation_group", TORCH_BOX(&accumulate_correlation_group));
}

}  // namespace wrcor
