// Two instructions around the tensor cores, as every device of compute capability 7.5 and newer has them. The
// emulator's twin is csrc/emulator/mma.h; platform.cuh picks.
#pragma once

namespace wrcor {

// Per warp: four 8 x 8 matrices of float16 from shared memory. address(8 m + i) points to row i of matrix m, 16 bytes
// on 16 bytes; lane 4 g + t gets elements 2 t and 2 t + 1 of row g of each matrix, the first one below.
template <typename Address>
__device__ inline void load_matrices(Address address, unsigned lane, unsigned (&out)[4]) {
  const unsigned from = static_cast<unsigned>(__cvta_generic_to_shared(address(lane)));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(from)
               : "memory");
}

// Per warp: returns C + A B for A [16, 16] and B [16, 8] in float16, summed in float32. Lane 4 g + t holds, two
// elements a word, the first one below:
//   a[0], a[1]   rows g and g + 8 of A, columns 2 t and 2 t + 1; a[2], a[3]: the same 8 columns on
//   b[0], b[1]   column g of B, rows 2 t and 2 t + 1; the same 8 rows on
//   c, result    rows g (first two) and g + 8 of C and of the result, columns 2 t and 2 t + 1
// Products are exact; how their sum is rounded (towards zero) and in which order it is taken differs between
// generations of devices. Equal rows rely on what is not documented, but was never seen otherwise: that it does not
// differ between entries of a result, nor where A and B change roles.
__device__ inline float4 multiply_halves(const unsigned (&a)[4], const unsigned* b, const float4& c) {
  float4 d;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
  asm volatile(
      "{\n"
      ".reg .f32 s<4>;\n"
      "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {s0, s1, s2, s3}, {%4, %5}, {%8}, {%10, %11, %12, %13};\n"
      "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%6, %7}, {%9}, {s0, s1, s2, s3};\n"
      "}\n"
      : "=f"(d.x), "=f"(d.y), "=f"(d.z), "=f"(d.w)
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(c.x), "f"(c.y), "f"(c.z), "f"(c.w));
#else
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};\n"
      : "=f"(d.x), "=f"(d.y), "=f"(d.z), "=f"(d.w)
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(c.x), "f"(c.y), "f"(c.z), "f"(c.w));
#endif
  return d;
}

}  // namespace wrcor
