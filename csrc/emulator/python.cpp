// The emulated ops as C functions over raw pointers, for ctypes and for the C++ tests: the launchers of csrc/cuda with
// a workspace. Each returns null, or one sentence that lives until the thread's next call.
#include <cstddef>
#include <cstring>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>

#include "../cuda/launch_correlation.cuh"
#include "../cuda/launch_hamming.cuh"
#include "../cuda/launch_slogdet.cuh"
#include "python.h"

namespace {

using wrcor::Element;
using wrcor::i64;
using wrcor::ResponseInput;

// Most bytes that a workspace may have: a device whose memory is full is one that has less.
i64 memory_limit = std::numeric_limits<i64>::max();

// Device memory of an op: exactly as large as asked for, so that AddressSanitizer sees its end, and full of NaN bits.
class Workspace {
 public:
  explicit Workspace(i64 bytes) : bytes_(static_cast<std::size_t>(bytes)) {
    if (bytes > memory_limit) {
      throw std::runtime_error("cannot allocate " + std::to_string(bytes) + " bytes for the workspace");
    }
    memory_ = ::operator new(bytes_, kAlignment);
    std::memset(memory_, 0xff, bytes_);
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  ~Workspace() { ::operator delete(memory_, kAlignment); }
  void* get() const { return memory_; }

 private:
  static constexpr std::align_val_t kAlignment{16};
  std::size_t bytes_;
  void* memory_ = nullptr;
};

// Calls `body`, which returns a cudaError_t, and turns what goes wrong into a sentence.
template <typename Body>
const char* guarded(Body body) {
  static thread_local std::string message;
  try {
    const cudaError_t status = body();
    if (status == cudaSuccess) return nullptr;
    message = "the launcher refused with error " + std::to_string(static_cast<int>(status));
  } catch (const std::exception& error) {
    message = error.what();
  }
  return message.c_str();
}

}  // namespace

extern "C" {

const char* wrcor_emulated_set_order(const char* order) {
  return guarded([&] {
    wrcor::emulator::set_order(order);
    return cudaSuccess;
  });
}

void wrcor_emulated_set_memory_limit(i64 bytes) { memory_limit = bytes; }

const char* wrcor_emulated_response_correlation(int element, i64 rows, const ResponseInput* x, double* out) {
  return guarded([&] {
    const auto type = static_cast<Element>(element);
    const Workspace workspace(wrcor::correlation_workspace_bytes(type, rows, x, 1));
    return wrcor::launch_response_correlation(type, rows, *x, workspace.get(), out, nullptr);
  });
}

const char* wrcor_emulated_accumulate_correlation(int element, i64 rows, const ResponseInput* responses, i64 count,
                                                  const double* weights, int sums, double* k, i64* counts, i64* used) {
  return guarded([&] {
    const auto type = static_cast<Element>(element);
    const Workspace workspace(wrcor::correlation_workspace_bytes(type, rows, responses, count));
    return wrcor::launch_accumulate_correlation(type, rows, responses, count, weights, sums, workspace.get(), k, counts,
                                                used, nullptr);
  });
}

const char* wrcor_emulated_accumulate_hamming(int element, i64 rows, const ResponseInput* x, double weight, double* k,
                                              i64* counts) {
  return guarded([&] {
    const auto type = static_cast<Element>(element);
    const Workspace workspace(wrcor::hamming_workspace_bytes(type, rows, x->features));
    return wrcor::launch_accumulate_hamming(type, rows, *x, weight, workspace.get(), k, counts, nullptr);
  });
}

const char* wrcor_emulated_slogdet(const double* matrices, i64 batch, i64 n, i64 shared_limit, double* sign,
                                   double* logabsdet) {
  return guarded([&] {
    const Workspace workspace(wrcor::slogdet_workspace_bytes(batch, n, shared_limit));
    return wrcor::launch_slogdet(matrices, batch, n, shared_limit, workspace.get(), sign, logabsdet, nullptr);
  });
}

}  // extern "C"
