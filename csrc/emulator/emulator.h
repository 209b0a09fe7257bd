// What a kernel finds where it is compiled by a C++ compiler: CUDA's own types, the built-in variables, and the
// intrinsics. Reached through kernels/platform.cuh with -DWRCOR_EMULATE.
//
// One fiber per CUDA thread, one scheduler, one block after the other: see scheduler.h. CUDA's headers come from a
// toolkit, or from the wheels nvidia-cuda-runtime, nvidia-cuda-crt and nvidia-cuda-cccl.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime_api.h>
#include <vector_functions.h>
#include <vector_types.h>

// CUDA's headers give it to compilers that do not know it.
#undef __launch_bounds__
#define __launch_bounds__(...)

#include "intrinsics.h"
#include "scheduler.h"

using wrcor::emulator::blockDim;
using wrcor::emulator::blockIdx;
using wrcor::emulator::gridDim;
using wrcor::emulator::threadIdx;
