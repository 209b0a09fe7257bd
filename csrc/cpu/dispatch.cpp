// Chooses the instruction set at run time: the best one that was compiled and that this processor has. The variable
// WRCOR_EXT_ISA=baseline|avx2|avx512 overrides the choice, downwards only.
#include <cstdlib>
#include <cstring>

#include "kernels.h"

namespace wrcor {

namespace baseline {
extern const Kernels table;
}
#if defined(WRCOR_X86)
namespace avx2 {
extern const Kernels table;
}
namespace avx512 {
extern const Kernels table;
}
#endif

namespace {

struct Variant {
  const char* name;
  const Kernels* table;
  bool supported;
};

bool has_avx2() {
#if defined(WRCOR_X86)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("popcnt") &&
         __builtin_cpu_supports("bmi2");  // F16C is part of every processor with AVX2
#else
  return false;
#endif
}

bool has_avx512() {
#if defined(WRCOR_X86)
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
  return false;
#endif
}

const Variant& choose() {
  // Least capable first; the first one runs everywhere.
  static const Variant variants[] = {
      {"baseline", &baseline::table, true},
#if defined(WRCOR_X86)
      {"avx2", &avx2::table, has_avx2()},
      {"avx512", &avx512::table, has_avx512()},
#endif
  };
  const char* wanted = std::getenv("WRCOR_EXT_ISA");
  const Variant* chosen = &variants[0];
  for (const Variant& variant : variants) {
    if (!variant.supported) break;
    chosen = &variant;
    if (wanted != nullptr && std::strcmp(wanted, variant.name) == 0) break;
  }
  return *chosen;
}

const Variant& chosen() {
  static const Variant& variant = choose();
  return variant;
}

}  // namespace

const Kernels& kernels() { return *chosen().table; }

}  // namespace wrcor

// Read with ctypes by wrcor_ext/ops/native.py.
extern "C" {

__attribute__((visibility("default"))) const char* wrcor_ext_instruction_sets() {
#if defined(WRCOR_X86)
  return "baseline,avx2,avx512";
#else
  return "baseline";
#endif
}

__attribute__((visibility("default"))) const char* wrcor_ext_instruction_set() { return wrcor::chosen().name; }
}
