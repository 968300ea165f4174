# Compiler flags, linker and cache shared by every target.
find_program(OCTET_CCACHE ccache)
if(OCTET_CCACHE)
  # pch_defines and -fpch-preprocess let ccache serve targets with a precompiled header, the checksum beside it stands for
  # its 500 MB. depend: no preprocessor runs in front of the compiler. Paths below the source folder are hashed as relative
  # ones, so that one cache serves several checkouts.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_DEPEND=1 CCACHE_PCH_EXTSUM=1 CCACHE_NOHASHDIR=1
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${OCTET_CCACHE})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} ${OCTET_CCACHE})
endif()
# What a precompiled header is made of, for ccache: our headers include those of installed packages alone.
function(octet_header_checksum target header)
  file(READ ${CMAKE_SOURCE_DIR}/${header} text)
  string(REGEX MATCHALL "\"[^\"]+\"" ours "${text}")
  foreach(name ${ours})
    string(REPLACE "\"" "" name ${name})
    file(READ ${CMAKE_SOURCE_DIR}/${name} included)
    string(APPEND text "${included}")
  endforeach()
  file(GLOB versions ${OCTET_TORCH_DIR}/version.py)
  foreach(version ${versions})
    file(READ ${version} torch)
    string(APPEND text "${torch}")
  endforeach()
  string(SHA256 sum "${text}${CMAKE_CXX_COMPILER_VERSION}${CMAKE_CXX_FLAGS}${CMAKE_BUILD_TYPE}${OCTET_SANITIZE}")
  file(WRITE ${CMAKE_BINARY_DIR}/CMakeFiles/${target}.dir/cmake_pch.hxx.gch.sum "${sum}\n")
endfunction()
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
