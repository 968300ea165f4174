# Compiler flags, linker and cache shared by every target.
find_program(OCTET_CCACHE ccache)
if(OCTET_CCACHE)
  # pch_defines and -fpch-preprocess let ccache serve targets with a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${OCTET_CCACHE})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${OCTET_CCACHE})
endif()
find_program(OCTET_MOLD mold)
if(OCTET_MOLD)
  add_link_options($<$<LINK_LANGUAGE:CXX>:-fuse-ld=mold>)
endif()
find_package(OpenMP REQUIRED COMPONENTS CXX)
# -fopenmp everywhere: without it at::parallel_for in our files is silently serial.
add_compile_options(
  $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>
  $<$<COMPILE_LANGUAGE:CXX>:-Wall> $<$<COMPILE_LANGUAGE:CXX>:-Wextra>
  $<$<COMPILE_LANGUAGE:CXX>:-Werror> $<$<COMPILE_LANGUAGE:CXX>:-Winvalid-pch>
  $<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
set(OCTET_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize=")
if(OCTET_SANITIZE)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${OCTET_SANITIZE}>
                      $<$<COMPILE_LANGUAGE:CXX>:-fno-omit-frame-pointer>)
  # GCC takes the branches that the sanitizers add for real and warns of null there.
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-array-bounds> $<$<COMPILE_LANGUAGE:CXX>:-Wno-stringop-overflow>)
  add_link_options($<$<LINK_LANGUAGE:CXX>:-fsanitize=${OCTET_SANITIZE}>)
endif()
