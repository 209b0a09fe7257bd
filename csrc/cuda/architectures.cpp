// What _C_cuda.so was compiled for, as torch.cuda.get_arch_list() writes it. Read with ctypes by
// wrcor_ext/ops/native.py.
extern "C" __attribute__((visibility("default"))) const char* wrcor_ext_cuda_architectures() {
  return WRCOR_CUDA_ARCHITECTURES;
}
