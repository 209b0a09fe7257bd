// Runs the threads of a block, each on a fiber, until all have returned, and the blocks of a grid one after the other.
//
// A thread runs until it waits for others (a barrier, a shuffle). When all threads wait or have returned, the waits
// that are complete end. Where none is, the kernel has diverged, and run() throws.
#pragma once

#include <vector_types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>

namespace wrcor::emulator {

extern uint3 threadIdx;
extern uint3 blockIdx;
extern dim3 blockDim;
extern dim3 gridDim;

// What the device would refuse, hang on, or leave undefined. The launch is given up; another one can follow.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Calls `thread` once per thread of the grid. Throws Error.
void run(dim3 grid, dim3 block, std::size_t shared_bytes, const std::function<void()>& thread);

// The order in which runnable threads are resumed, and the order of blocks: results must not depend on it.
// "forward" (default), "reverse", "rotated" (starts in the middle), "random:SEED" (new at each step).
// The environment variable WRCOR_EMULATOR_ORDER sets the first one. Throws Error for another text.
void set_order(const std::string& text);

// Shared memory that a block may use, static and dynamic: 227 KB, as on H100, until set otherwise.
std::size_t shared_memory_limit();
void set_shared_memory_limit(std::size_t bytes);

// The rest is called by kernels, through the macros of platform.cuh and intrinsics.h.

// The block's array for a declaration, filled with NaN when the first thread reaches it.
void* shared_array(const void* declaration, const char* name, std::size_t bytes);
void* dynamic_shared();

enum class Collective { block_barrier, warp_barrier, shuffle, ballot, product };

// A place in a kernel. Two threads meet only at the same one.
struct Site {
  const char* operation;
  const char* file;
  int line;
};

// Waits until all threads concerned have arrived at the same site: those of the block, or those of the warp named in
// `mask`. Threads that have returned take part in no warp operation. The result is
//   block_barrier  how many threads posted something other than 0
//   warp_barrier   0
//   shuffle        what lane `source` posted, or NaN bits where it takes no part
//   ballot         a bit for each lane that posted something other than 0
//   product        0; each lane has posted the address of its Fragments (mma.h), which now hold the product
std::uint64_t meet(Collective kind, Site site, unsigned mask, std::uint64_t posted, unsigned source);

// Reports an error of the running thread and gives up the launch.
[[noreturn]] void fail(std::string message);

// The running thread's lane in its warp.
unsigned lane();

}  // namespace wrcor::emulator
