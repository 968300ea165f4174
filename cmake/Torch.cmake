# LibTorch from the PyPI wheel. find_package(Torch) of the wheel stops without a CUDA toolkit, so the
# imported targets are our own. libtorch_cuda is never linked: `--device cuda` loads it at run time
# (models/run/device.cc), so that one binary starts on machines with and without the CUDA libraries.
execute_process(
  COMMAND ${OCTET_PYTHON} -c "import importlib.util as u, os; print(os.path.dirname(u.find_spec('torch').origin))"
  OUTPUT_VARIABLE OCTET_TORCH_DIR OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "torch was not found through ${OCTET_PYTHON}: run scripts/setup, or pass -DOCTET_PYTHON=...")
endif()
add_library(octet_torch INTERFACE)
# -idirafter: the wheel ships its own fmt and nlohmann headers, which must not hide the system's.
target_compile_options(octet_torch INTERFACE
  "SHELL:-idirafter ${OCTET_TORCH_DIR}/include"
  "SHELL:-idirafter ${OCTET_TORCH_DIR}/include/torch/csrc/api/include")
target_link_libraries(octet_torch INTERFACE
  ${OCTET_TORCH_DIR}/lib/libtorch_cpu.so ${OCTET_TORCH_DIR}/lib/libc10.so)
# RPATH (not RUNPATH) so that torch's own libgomp.so.1 is the only OpenMP runtime of the process.
target_link_options(octet_torch INTERFACE -Wl,--disable-new-dtags -Wl,--allow-shlib-undefined)
set(CMAKE_BUILD_RPATH ${OCTET_TORCH_DIR}/lib ${OCTET_TORCH_DIR}/../nvidia/cu13/lib)

# Precompiled headers of torch targets; any difference in flags rejects them (-Winvalid-pch).
function(octet_torch_header target header)
  file(WRITE ${CMAKE_BINARY_DIR}/${target}.cc "// Carrier of a shared precompiled header.\n")
  add_library(${target} OBJECT ${CMAKE_BINARY_DIR}/${target}.cc)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${target} PUBLIC octet_torch fmt::fmt nlohmann_json::nlohmann_json OpenMP::OpenMP_CXX)
  target_precompile_headers(${target} PRIVATE ${CMAKE_SOURCE_DIR}/${header})
  octet_header_checksum(${target} ${header})
endfunction()
octet_torch_header(octet_pch models/torch_pch.h)
function(octet_torch_target target pch)
  target_link_libraries(${target} PUBLIC octet_torch)
  target_precompile_headers(${target} REUSE_FROM ${pch})
endfunction()
