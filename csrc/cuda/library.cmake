# wrcor_ext/_C_cuda.so, the GPU kernels and their ops. Needs nvcc, but neither a GPU nor a CUDA build of torch.
#
#   WRCOR_CUDA            auto (default): built where nvcc is found; 1: an error without nvcc; 0: left out
#   TORCH_CUDA_ARCH_LIST  compute capabilities, torch's spelling ("8.0 9.0+PTX") or CMake's ("80;90"); the last one also
#                         gets PTX, which newer devices translate, if none asks for it
foreach(choice WRCOR_CUDA TORCH_CUDA_ARCH_LIST)
  if("${${choice}}" STREQUAL "")
    set(${choice} "$ENV{${choice}}")
  endif()
endforeach()
if("${WRCOR_CUDA}" STREQUAL "")
  set(WRCOR_CUDA auto)
endif()
if(NOT WRCOR_CUDA MATCHES "^(auto|0|1)$")
  message(FATAL_ERROR "WRCOR_CUDA is '${WRCOR_CUDA}': use auto, 0 or 1")
endif()
if("${TORCH_CUDA_ARCH_LIST}" STREQUAL "")
  set(TORCH_CUDA_ARCH_LIST "75;80;86;89;90;100;120")
endif()

set(cuda_why "switched off")
set(cuda_build OFF)
if(NOT WRCOR_CUDA STREQUAL "0")
  # CMake's own search also looks outside PATH; here CUDACXX and PATH have the last word.
  unset(WRCOR_NVCC CACHE)
  find_program(WRCOR_NVCC NAMES "$ENV{CUDACXX}" nvcc NO_CMAKE_PATH NO_CMAKE_SYSTEM_PATH)
  if(WRCOR_NVCC)
    set(cuda_build ON)
  else()
    set(cuda_why "no nvcc")
  endif()
endif()
if(NOT cuda_build)
  message(STATUS "WRCOR_CUDA=${WRCOR_CUDA}: _C_cuda is left out: ${cuda_why}")
  if(WRCOR_CUDA STREQUAL "1")
    message(FATAL_ERROR "WRCOR_CUDA=1, but _C_cuda cannot be built: ${cuda_why}")
  endif()
  return()
endif()

string(REGEX REPLACE "[ ,]+" ";" capabilities "${TORCH_CUDA_ARCH_LIST}")
set(cuda_architectures)
set(cuda_ptx)
foreach(capability ${capabilities})
  if(NOT capability MATCHES "^([0-9]+)\\.?([0-9])(a?)(\\+PTX)?$")
    message(FATAL_ERROR "TORCH_CUDA_ARCH_LIST has '${capability}': use compute capabilities like 90, 9.0 or 9.0+PTX")
  endif()
  set(newest "${CMAKE_MATCH_1}${CMAKE_MATCH_2}${CMAKE_MATCH_3}")
  list(APPEND cuda_architectures "${newest}-real")
  if(CMAKE_MATCH_4)
    list(APPEND cuda_ptx "${newest}-virtual")
  endif()
endforeach()
if(NOT cuda_ptx)
  set(cuda_ptx "${newest}-virtual")
endif()
list(APPEND cuda_architectures ${cuda_ptx})

set(CMAKE_CUDA_COMPILER "${WRCOR_NVCC}")
set(CMAKE_CUDA_ARCHITECTURES ${cuda_architectures})
# A host compiler that is not first on PATH has been chosen: nvcc uses it, too.
set(CMAKE_CUDA_HOST_COMPILER "${CMAKE_CXX_COMPILER}")
enable_language(CUDA)
message(STATUS "WRCOR_CUDA=${WRCOR_CUDA}: _C_cuda is built by ${WRCOR_NVCC} for ${cuda_architectures}")

# The real library need not be here: a CPU-only torch has none.
add_library(torch_cuda_stub SHARED csrc/cuda/torch_stub.cpp)
set_target_properties(torch_cuda_stub PROPERTIES OUTPUT_NAME torch_cuda LIBRARY_OUTPUT_DIRECTORY stubs)

add_library(_C_cuda MODULE csrc/checks.cpp csrc/views.cpp csrc/cuda/architectures.cpp
  csrc/cuda/correlation_op.cu csrc/cuda/hamming_op.cu csrc/cuda/slogdet_op.cu)
string(REGEX REPLACE "([0-9a]+)-real" "sm_\\1" architectures_text "${cuda_architectures}")
string(REGEX REPLACE "([0-9a]+)-virtual" "compute_\\1" architectures_text "${architectures_text}")
string(REPLACE ";" "," architectures_text "${architectures_text}")
set_source_files_properties(csrc/cuda/architectures.cpp PROPERTIES
  COMPILE_DEFINITIONS "WRCOR_CUDA_ARCHITECTURES=\"${architectures_text}\"")
set_target_properties(_C_cuda PROPERTIES PREFIX "" SUFFIX ".so" SKIP_BUILD_RPATH ON INSTALL_RPATH ""
  CUDA_STANDARD 17 CUDA_STANDARD_REQUIRED ON CUDA_EXTENSIONS OFF CUDA_VISIBILITY_PRESET hidden
  # The runtime goes into the library: that of torch may be another version.
  CUDA_RUNTIME_LIBRARY Static)
target_include_directories(_C_cuda PRIVATE csrc)
target_include_directories(_C_cuda SYSTEM PRIVATE "${TORCH_DIR}/include")
target_compile_definitions(_C_cuda PRIVATE TORCH_TARGET_VERSION=0x020a000000000000 USE_CUDA)
target_compile_options(_C_cuda PRIVATE
  "$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-ffile-prefix-map=${CMAKE_CURRENT_SOURCE_DIR}/=;-ffile-prefix-map=${TORCH_DIR}/include/=>"
  # No kernel of the lot may keep registers in memory.
  "$<$<COMPILE_LANGUAGE:CUDA>:-O3;-Xptxas=--warn-on-spills,-Werror;-Xcompiler=-Wall,-ffile-prefix-map=${CMAKE_CURRENT_SOURCE_DIR}/=,-ffile-prefix-map=${TORCH_DIR}/include/=>")
target_link_libraries(_C_cuda PRIVATE "${TORCH_DIR}/lib/libtorch_cpu.so" torch_cuda_stub)
target_link_options(_C_cuda PRIVATE -Wl,--no-as-needed -Wl,--exclude-libs,ALL)

install(TARGETS _C_cuda LIBRARY DESTINATION wrcor_ext)
