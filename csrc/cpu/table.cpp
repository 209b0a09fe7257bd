// The table of one instruction set.
#include "tables.h"

namespace wrcor::WRCOR_ISA {

const Kernels table = {
    correlation_slice_length, correlation_scratch, correlation_moments, correlation_merge, sign_distance, slogdet,
};

}  // namespace wrcor::WRCOR_ISA
