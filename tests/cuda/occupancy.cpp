// Blocks of a kernel that a multiprocessor holds at once, by CUDA's own calculator. Lines of input: threads per block,
// registers per thread, static and dynamic bytes of shared memory. The device is an H100.
#include <cuda_occupancy.h>

#include <iostream>

int main() {
  cudaOccDeviceProp device;
  device.computeMajor = 9;
  device.computeMinor = 0;
  device.maxThreadsPerBlock = 1024;
  device.maxThreadsPerMultiprocessor = 2048;
  device.regsPerBlock = 65536;
  device.regsPerMultiprocessor = 65536;
  device.warpSize = 32;
  device.sharedMemPerBlock = 48 * 1024;
  device.sharedMemPerMultiprocessor = 228 * 1024;
  device.numSms = 132;
  device.sharedMemPerBlockOptin = 227 * 1024;
  device.reservedSharedMemPerBlock = 1024;
  int threads, registers;
  size_t fixed, dynamic;
  while (std::cin >> threads >> registers >> fixed >> dynamic) {
    cudaOccFuncAttributes kernel;
    kernel.maxThreadsPerBlock = threads;
    kernel.numRegs = registers;
    kernel.sharedSizeBytes = fixed;
    kernel.partitionedGCConfig = PARTITIONED_GC_OFF;
    kernel.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
    kernel.maxDynamicSharedSizeBytes = device.sharedMemPerBlockOptin - fixed;
    kernel.numBlockBarriers = 1;
    cudaOccDeviceState state;
    cudaOccResult result;
    if (cudaOccMaxActiveBlocksPerMultiprocessor(&result, &device, &kernel, &state, threads, dynamic) !=
        CUDA_OCC_SUCCESS) {
      return 1;
    }
    std::cout << result.activeBlocksPerMultiprocessor << "\n";
  }
}
