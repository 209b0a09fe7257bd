// Kernels with bugs, to see that the checkers find them, and their sound twins, to see that nobody cries wolf.
//
//   planted NAME    prints "no complaint" and the sum of its results if nothing was found
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "../kernels/platform.cuh"

namespace {

using wrcor::i64;

constexpr int kThreads = 128;

// Thread t writes, thread t + 1 reads.
template <bool kBug>
__global__ void missing_barrier(float* out) {
  WRCOR_SHARED(float, values, kThreads);
  const unsigned t = threadIdx.x;
  values[t] = static_cast<float>(t);
  if (!kBug) __syncthreads();
  out[blockIdx.x * kThreads + t] = values[(t + 1) % kThreads];
}

// A buffer is used again while others may still read it: a barrier per turn is not enough.
template <bool kBug>
__global__ void buffer_reused(float* out) {
  WRCOR_SHARED(float, values, kThreads);
  const unsigned t = threadIdx.x;
  float sum = 0;
  for (unsigned turn = 0; turn < 4; ++turn) {
    values[t] = static_cast<float>(t + turn);
    __syncthreads();
    sum += values[(t + 40) % kThreads];
    if (!kBug) __syncthreads();
  }
  out[blockIdx.x * kThreads + t] = sum;
}

// Lanes of a warp exchange through shared memory. A shuffle meets like a barrier but orders no memory.
template <bool kBug>
__global__ void warp_without_barrier(float* out) {
  WRCOR_SHARED(float, values, kThreads);
  const unsigned t = threadIdx.x;
  values[t] = static_cast<float>(t);
  if (kBug) {
    __shfl_xor_sync(0xffffffffu, t, 1);
  } else {
    __syncwarp();
  }
  out[blockIdx.x * kThreads + t] = values[t ^ 1];
}

// All blocks add to the same sums.
template <bool kBug>
__global__ void blocks_race(float* out) {
  if (kBug) {
    out[threadIdx.x] += 1.0f;
  } else {
    atomicAdd(out + threadIdx.x, 1.0f);
  }
}

// The same behind a barrier, the writers of which differ from block to block.
template <bool kBug>
__global__ void blocks_race_after_barrier(float* out) {
  __syncthreads();
  if (threadIdx.x == blockIdx.x + 7) out[kBug ? 0 : blockIdx.x] = static_cast<float>(blockIdx.x);
}

// Only blocks that are four apart collide: in the usual order they run on the same fibers.
template <bool kBug>
__global__ void distant_blocks_race(float* out) {
  __syncthreads();
  if (threadIdx.x == blockIdx.x + 7) out[kBug ? blockIdx.x % 4 : blockIdx.x] = static_cast<float>(blockIdx.x);
}

// A row of the wrong length: one element behind the array.
template <bool kBug>
__global__ void shared_overrun(float* out) {
  WRCOR_SHARED(float, values, kThreads);
  const unsigned t = threadIdx.x;
  float* row = values;
  row[t + (kBug ? 1 : 0)] = 1.0f;
  __syncthreads();
  out[blockIdx.x * kThreads + t] = row[t];
}

template <bool kBug>
__global__ void dynamic_overrun(float* out) {
  WRCOR_DYNAMIC_SHARED(float, values);
  values[threadIdx.x + (kBug ? 1 : 0)] = 1.0f;
  __syncthreads();
  out[blockIdx.x * kThreads + threadIdx.x] = values[threadIdx.x];
}

template <bool kBug>
__global__ void uninitialised(float* out) {
  WRCOR_SHARED(float, values, kThreads);
  const unsigned t = threadIdx.x;
  if (!kBug || t != 77) values[t] = 1.0f;
  __syncthreads();
  out[blockIdx.x * kThreads + t] = values[t];
}

// Four floats at once from an address that is not a multiple of 16.
template <bool kBug>
__global__ void misaligned_load(float* out) {
  WRCOR_SHARED(float, values, 4 * kThreads + 4);
  const unsigned t = threadIdx.x;
  for (unsigned i = t; i < 4 * kThreads + 4; i += kThreads) values[i] = 1.0f;
  __syncthreads();
  out[blockIdx.x * kThreads + t] = reinterpret_cast<const float4*>(values + (kBug ? 1 : 0))[t].w;
}

// Behind the end of the output.
template <bool kBug>
__global__ void device_overrun(float* out) {
  out[blockIdx.x * kThreads + threadIdx.x + (kBug ? 1 : 0)] = 1.0f;
}

template <bool kBug>
__global__ void divergent_barrier(float* out) {
  if (!kBug || threadIdx.x < 32) __syncthreads();
  out[blockIdx.x * kThreads + threadIdx.x] = 1.0f;
}

template <bool kBug>
__global__ void divergent_shuffle(float* out) {
  float value = static_cast<float>(threadIdx.x);
  if (!kBug || threadIdx.x % 2 == 0) {
    value += __shfl_xor_sync(0xffffffffu, value, 1);
  } else {
    value += __shfl_xor_sync(0xffffffffu, value, 2);
  }
  out[blockIdx.x * kThreads + threadIdx.x] = value;
}

// A product of the tensor cores takes all lanes of a warp.
template <bool kBug>
__global__ void divergent_product(float* out) {
  const unsigned fragment[4] = {};
  float4 sums = {};
  if (!kBug || threadIdx.x % 32 < 16) sums = wrcor::multiply_halves(fragment, fragment, sums);
  out[blockIdx.x * kThreads + threadIdx.x] = sums.x;
}

struct Plant {
  const char* name;
  void (*bug)(float*);
  void (*sound)(float*);
};

#define PLANT(name) \
  Plant { #name, name<true>, name<false> }

const Plant plants[] = {
    PLANT(missing_barrier),     PLANT(buffer_reused),     PLANT(warp_without_barrier), PLANT(blocks_race),
    PLANT(shared_overrun),      PLANT(dynamic_overrun),   PLANT(uninitialised),        PLANT(blocks_race_after_barrier),
    PLANT(misaligned_load),     PLANT(divergent_barrier), PLANT(divergent_shuffle),    PLANT(device_overrun),
    PLANT(distant_blocks_race), PLANT(divergent_product),
};

void run(void (*kernel)(float*)) {
  constexpr int kBlocks = 8;
  std::vector<float> out(kBlocks * kThreads);
  WRCOR_LAUNCH(kernel, kBlocks, kThreads, kThreads * sizeof(float), nullptr, out.data());
  double sum = 0;
  for (const float value : out) sum += value;
  std::printf("no complaint, the sum is %g\n", sum);
}

}  // namespace

// "sound" runs all sound twins.
int main(int count, char** arguments) {
  const std::string wanted = count > 1 ? arguments[1] : "";
  bool known = false;
  for (const Plant& plant : plants) {
    if (wanted != "sound" && wanted != plant.name) continue;
    known = true;
    try {
      run(wanted == "sound" ? plant.sound : plant.bug);
    } catch (const wrcor::emulator::Error& error) {
      std::printf("%s: %s\n", plant.name, error.what());
      return 1;
    }
  }
  return known ? 0 : 2;
}
