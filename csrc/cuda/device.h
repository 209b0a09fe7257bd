// What the CUDA ops share: the device, torch's current stream, workspace from torch's allocator, and the torch-free
// description of a response.
#pragma once

#include <cuda_runtime.h>
#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/stable/accelerator.h>

#include "../stable.h"
#include "launch.cuh"

namespace wrcor {

// Makes the device of a tensor the current one for as long as it lives; launches go to torch's current stream there.
class OnDevice {
 public:
  explicit OnDevice(const Tensor& tensor) : index_(tensor.get_device_index()), guard_(index_) {
    void* stream = nullptr;
    WRCOR_CHECK(aoti_torch_get_current_cuda_stream(index_, &stream) == 0,
                "torch has no current stream for cuda:", index_, ".");
    stream_ = static_cast<cudaStream_t>(stream);
  }

  cudaStream_t stream() const { return stream_; }

  // Bytes of shared memory that a block may ask for.
  int64_t shared_limit() const {
    int bytes = 0;
    check(cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, index_));
    return bytes;
  }

  static void check(cudaError_t status) {
    WRCOR_CHECK(status == cudaSuccess, "CUDA says: ", cudaGetErrorString(status), ".");
  }

 private:
  int32_t index_;
  torch::stable::accelerator::DeviceGuard guard_;
  cudaStream_t stream_ = nullptr;
};

// `bytes` on the device of `like`. Freed when the caller returns: torch's allocator hands it out again on the same
// stream only, after the kernels that use it.
inline Tensor workspace(const Tensor& like, int64_t bytes) {
  return allocated("the workspace", bytes, like,
                   [&] { return torch::stable::new_empty(like, {bytes}, ScalarType::Byte); });
}

inline ResponseInput input_of(const ResponseView& view) { return {view.data, view.features, view.row_stride}; }

// The numbers of an int64 tensor: as wide as i64 but another type.
inline i64* integers(const Tensor& tensor) { return static_cast<i64*>(tensor.mutable_data_ptr()); }

}  // namespace wrcor
