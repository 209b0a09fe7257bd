// C functions of the emulated ops: see python.cpp. tests/helpers/emulator.py declares the same to ctypes.
#pragma once

#include "../cuda/launch.cuh"

extern "C" {

// "forward", "reverse", "rotated" or "random:SEED", for the launches that follow.
const char* wrcor_emulated_set_order(const char* order);

// An op that needs a larger workspace from now on finds no memory.
void wrcor_emulated_set_memory_limit(wrcor::i64 bytes);

// `element` is a wrcor::Element. out [rows, rows]
const char* wrcor_emulated_response_correlation(int element, wrcor::i64 rows, const wrcor::ResponseInput* x,
                                                double* out);

// responses [count]; weights [sums, count]; k [sums, rows, rows]; counts [2] and used [count], each of which may be
// null
const char* wrcor_emulated_accumulate_correlation(int element, wrcor::i64 rows, const wrcor::ResponseInput* responses,
                                                  wrcor::i64 count, const double* weights, int sums, double* k,
                                                  wrcor::i64* counts, wrcor::i64* used);

// k [rows, rows]; counts [2]
const char* wrcor_emulated_accumulate_hamming(int element, wrcor::i64 rows, const wrcor::ResponseInput* x,
                                              double weight, double* k, wrcor::i64* counts);

// matrices [batch, n, n]; sign, logabsdet [batch]. `shared_limit`: bytes of shared memory that a block may ask for.
const char* wrcor_emulated_slogdet(const double* matrices, wrcor::i64 batch, wrcor::i64 n, wrcor::i64 shared_limit,
                                   double* sign, double* logabsdet);
}
