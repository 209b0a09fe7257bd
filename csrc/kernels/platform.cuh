// The one file that knows which compiler a kernel is compiled by:
//   nvcc            the ops of csrc/cuda;
//   NVRTC           CuPy's RawModule at run time: no host headers exist there;
//   a C++ compiler  with -DWRCOR_EMULATE -Icsrc/emulator: every kernel runs on the CPU in tests.
// Kernels are plain CUDA C++ but for the macros below, and for comparisons, which must be NaN-aware: the emulator fills
// shared memory with NaN before a block starts.
#pragma once

#if defined(WRCOR_EMULATE)
#include "emulator.h"
#include "mma.h"
#else
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#if !defined(__CUDACC_RTC__)
#include <cuda_runtime.h>

#include <cstddef>
#endif

#include "mma.cuh"
#endif

namespace wrcor {

// NVRTC has no <cstdint>. Offsets into responses are i64: N * D passes 2^31.
using i32 = int;
using u32 = unsigned int;
using i64 = long long;
using u64 = unsigned long long;

static_assert(sizeof(i32) == 4 && sizeof(i64) == 8, "an LP64 platform is assumed");

// threadIdx.x and blockIdx.x, read anew at each call. The compiler cannot know that two reads are equal, so whatever is
// computed from the second one is computed again instead of being kept in a register in between. For kernels that are
// short of registers.
__device__ inline u32 thread_index() {
#if defined(WRCOR_EMULATE)
  return threadIdx.x;
#else
  u32 index;
  asm volatile("mov.u32 %0, %%tid.x;" : "=r"(index));
  return index;
#endif
}
__device__ inline u32 block_index() {
#if defined(WRCOR_EMULATE)
  return blockIdx.x;
#else
  u32 index;
  asm volatile("mov.u32 %0, %%ctaid.x;" : "=r"(index));
  return index;
#endif
}

}  // namespace wrcor

// WRCOR_SHARED(float, tile, kRows * kStride): a static shared array of a kernel, its first element on 16 bytes.
// WRCOR_DYNAMIC_SHARED(double, matrix): the dynamic shared block of the launch as a double*, on 16 bytes, too.
#if defined(WRCOR_EMULATE)
#define WRCOR_SHARED(type, name, count)                               \
  static const char wrcor_shared_##name = 0;                          \
  using wrcor_shared_t_##name = type[(count)];                        \
  wrcor_shared_t_##name& name = *static_cast<wrcor_shared_t_##name*>( \
      ::wrcor::emulator::shared_array(&wrcor_shared_##name, #name, sizeof(wrcor_shared_t_##name)))
#define WRCOR_DYNAMIC_SHARED(type, name) type* name = static_cast<type*>(::wrcor::emulator::dynamic_shared())
#else
#define WRCOR_SHARED(type, name, count) __shared__ __align__(16) type name[(count)]
#define WRCOR_DYNAMIC_SHARED(type, name)                               \
  extern __shared__ __align__(16) unsigned char wrcor_dynamic_block[]; \
  type* name = reinterpret_cast<type*>(wrcor_dynamic_block)
#endif

// WRCOR_LAUNCH(kernel<T, 4>, grid, block, shared_bytes, stream, arguments...) -> cudaError_t, host side. A launch may
// have more than 48 KB of dynamic shared memory.
#if !defined(__CUDACC_RTC__)
#define WRCOR_LAUNCH(...) ::wrcor::launch(__VA_ARGS__)

namespace wrcor {

// A parameter of the kernel, which converts an argument as usual and takes no part in deduction.
template <typename Parameter>
struct Same {
  using type = Parameter;
};

#if !defined(WRCOR_EMULATE)
// Lets launches of a kernel have all the dynamic shared memory that a block of the current device may have: were each
// to set what it needs, another thread's smaller setting might come between that and the launch.
inline cudaError_t allow_all_shared_memory(const void* kernel) {
  int device = 0, most = 0;
  cudaFuncAttributes own = {};
  cudaError_t status = cudaGetDevice(&device);
  if (status == cudaSuccess) status = cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  if (status == cudaSuccess) status = cudaFuncGetAttributes(&own, kernel);
  if (status != cudaSuccess) return status;
  return cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                              most - static_cast<int>(own.sharedSizeBytes));
}
#endif

template <typename... Parameters>
cudaError_t launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes, cudaStream_t stream,
                   typename Same<Parameters>::type... arguments) {
#if defined(WRCOR_EMULATE)
  static_cast<void>(stream);
  // Throws emulator::Error for whatever the device would refuse, hang on, or leave undefined.
  emulator::run(grid, block, shared_bytes, [&] { kernel(arguments...); });
  return cudaSuccess;
#else
  constexpr std::size_t kWithoutAsking = 48 * 1024;
  if (shared_bytes > kWithoutAsking) {
    const cudaError_t refused = allow_all_shared_memory(reinterpret_cast<const void*>(kernel));
    if (refused != cudaSuccess) return refused;
  }
  // clang-format off: it takes the launch for the end of three templates
  kernel<<<grid, block, shared_bytes, stream>>>(arguments...);
  // clang-format on
  return cudaGetLastError();
#endif
}

}  // namespace wrcor
#endif
