// The kernels of one instruction set; each is defined in the source file of its name. Included by kernel sources only.
#pragma once

#include "kernels.h"

namespace wrcor::WRCOR_ISA {

int64_t correlation_slice_length(Element element, int64_t rows);
int64_t correlation_scratch(Element element, int64_t rows);
void correlation_moments(const Rows& x, int64_t begin, int64_t end, void* scratch, Moments& out);
void correlation_merge(Moments& total, const Moments& part, void* scratch);
bool sign_distance(const Rows& x, int64_t begin, int64_t end, uint64_t* bits, int64_t* unequal);
void slogdet(double* a, int64_t n, int64_t lda, double* sign, double* logabsdet);

extern const Kernels table;

}  // namespace wrcor::WRCOR_ISA
