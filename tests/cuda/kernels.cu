// Every kernel of the CUDA library and nothing of torch: what test_compile.py compiles.
#include "cuda/launch_correlation.cuh"
#include "cuda/launch_hamming.cuh"
#include "cuda/launch_slogdet.cuh"

auto* const response_correlation = &wrcor::launch_response_correlation;
auto* const accumulate_correlation = &wrcor::launch_accumulate_correlation;
auto* const accumulate_hamming = &wrcor::launch_accumulate_hamming;
auto* const slogdet = &wrcor::launch_slogdet;
