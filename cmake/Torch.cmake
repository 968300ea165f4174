# LibTorch from the PyPI wheel. find_package(Torch) of the wheel stops without a CUDA toolkit, so the
# imported targets are our own. libtorch_cuda is never linked: `--device cuda` loads it at run time
# (models/device.cc), so that one binary starts on machines with and without the CUDA libraries.
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
target_compile_definitions(octet_torch INTERFACE _GLIBCXX_USE_CXX11_ABI=1)
target_link_libraries(octet_torch INTERFACE
  ${OCTET_TORCH_DIR}/lib/libtorch_cpu.so ${OCTET_TORCH_DIR}/lib/libc10.so)
# RPATH (not RUNPATH) so that torch's own libgomp.so.1 is the only OpenMP runtime of the process.
target_link_options(octet_torch INTERFACE -Wl,--disable-new-dtags
  -Wl,-rpath,${OCTET_TORCH_DIR}/lib -Wl,-rpath,${OCTET_TORCH_DIR}/../nvidia/cu13/lib
  -Wl,--allow-shlib-undefined)

# One precompiled header for all torch targets; any difference in flags rejects it (-Winvalid-pch).
file(WRITE ${CMAKE_BINARY_DIR}/pch.cc "// Carrier of the shared precompiled header.\n")
add_library(octet_pch STATIC ${CMAKE_BINARY_DIR}/pch.cc)
target_link_libraries(octet_pch PUBLIC octet_torch fmt::fmt OpenMP::OpenMP_CXX)
target_precompile_headers(octet_pch PRIVATE ${CMAKE_SOURCE_DIR}/models/torch_pch.h)
function(octet_torch_target target)
  target_link_libraries(${target} PUBLIC octet_torch)
  target_precompile_headers(${target} REUSE_FROM octet_pch)
endfunction()
