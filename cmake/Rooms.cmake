# octet_room(NAME [TORCH] LINK ... [EXCLUDE files]): one static library octet_NAME from NAME/**/*.cc.
# Files that see no torch are compiled apart from those that do, with a precompiled header of their own: torch's costs
# each of them five times its own compile time.
execute_process(
  COMMAND ${OCTET_PYTHON} ${CMAKE_SOURCE_DIR}/cmake/torch_free.py ${CMAKE_SOURCE_DIR}
  OUTPUT_VARIABLE OCTET_TORCH_FREE OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
string(REPLACE "\n" ";" OCTET_TORCH_FREE "${OCTET_TORCH_FREE}")
list(TRANSFORM OCTET_TORCH_FREE PREPEND ${CMAKE_SOURCE_DIR}/)

# Splits a list of sources into those that see torch and those that do not.
function(octet_split_by_torch sources with without)
  set(seeing ${sources})
  list(REMOVE_ITEM seeing ${OCTET_TORCH_FREE})
  set(free ${sources})
  if(seeing)
    list(REMOVE_ITEM free ${seeing})
  endif()
  set(${with} ${seeing} PARENT_SCOPE)
  set(${without} ${free} PARENT_SCOPE)
endfunction()

function(octet_room name)
  cmake_parse_arguments(ARG "TORCH" "" "LINK;EXCLUDE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${name}/*.cc)
  foreach(file ${ARG_EXCLUDE})
    list(REMOVE_ITEM sources ${CMAKE_SOURCE_DIR}/${name}/${file})
  endforeach()
  set(with ${sources})
  set(without "")
  if(ARG_TORCH)
    octet_split_by_torch("${sources}" with without)
  endif()
  add_library(octet_${name} STATIC ${with})
  target_include_directories(octet_${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(octet_${name} ${ARG_LINK} PUBLIC OpenMP::OpenMP_CXX)
  if(ARG_TORCH)
    octet_torch_target(octet_${name} octet_pch)
  else()
    target_precompile_headers(octet_${name} REUSE_FROM octet_plain_pch)
  endif()
  if(without)
    octet_plain_objects(octet_${name}_plain octet_plain_pch "${without}" "${ARG_LINK}")
    target_sources(octet_${name} PRIVATE $<TARGET_OBJECTS:octet_${name}_plain>)
    set_target_properties(octet_${name} PROPERTIES LINKER_LANGUAGE CXX)
  endif()
endfunction()

# Object library of files that see no torch.
function(octet_plain_objects target pch sources link)
  add_library(${target} OBJECT ${sources})
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${target} ${link})
  target_precompile_headers(${target} REUSE_FROM ${pch})
endfunction()

# The precompiled header of those files.
function(octet_plain_header target header)
  file(WRITE ${CMAKE_BINARY_DIR}/${target}.cc "// Carrier of a shared precompiled header.\n")
  add_library(${target} OBJECT ${CMAKE_BINARY_DIR}/${target}.cc)
  target_link_libraries(${target} PUBLIC fmt::fmt nlohmann_json::nlohmann_json OpenMP::OpenMP_CXX)
  target_precompile_headers(${target} PRIVATE ${CMAKE_SOURCE_DIR}/${header})
  octet_header_checksum(${target} ${header})
endfunction()
octet_plain_header(octet_plain_pch core/plain_pch.h)
