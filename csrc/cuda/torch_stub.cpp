// Stands in for libtorch_cuda.so when _C_cuda is linked, so that a CPU-only torch is enough to build it: one symbol,
// and the name by which the dynamic linker finds the real one later. Never installed, never run.
extern "C" __attribute__((visibility("default"))) int aoti_torch_get_current_cuda_stream(int, void**) { return 1; }
