# Files that become part of a library: the assembler reads them, so that they need no quoting and cost no
# compile time. octet_embed(TARGET HEADER NAMESPACE FUNCTION FILE [FUNCTION FILE]...): HEADER declares
# `std::string_view FUNCTION()` for each; an empty FILE gives empty text.
function(octet_embed target header namespace)
  set(source ${CMAKE_BINARY_DIR}/embedded_${target}.cc)
  set(code "// Made by cmake/Embed.cmake.\n#include \"${header}\"\n")
  set(functions "")
  set(files "")
  set(pairs ${ARGN})
  while(pairs)
    list(POP_FRONT pairs function file)
    if(file STREQUAL "NONE")
      string(APPEND functions "std::string_view ${function}() { return {}; }\n")
      continue()
    endif()
    list(APPEND files ${file})
    string(APPEND code
      "asm(\".pushsection .rodata\\n\"\n"
      "    \".global octet_embedded_${function}\\noctet_embedded_${function}:\\n\"\n"
      "    \".incbin \\\"${file}\\\"\\n\"\n"
      "    \".global octet_embedded_${function}_end\\noctet_embedded_${function}_end:\\n.byte 0\\n\"\n"
      "    \".popsection\\n\");\n"
      "extern \"C\" const char octet_embedded_${function}[], octet_embedded_${function}_end[];\n")
    string(APPEND functions
      "std::string_view ${function}() {\n"
      "  return {octet_embedded_${function},\n"
      "          static_cast<std::size_t>(octet_embedded_${function}_end - octet_embedded_${function})};\n}\n")
  endwhile()
  string(APPEND code "namespace ${namespace} {\n${functions}}  // namespace ${namespace}\n")
  file(GENERATE OUTPUT ${source} CONTENT "${code}")
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS "${files}")
  target_sources(${target} PRIVATE ${source})
endfunction()

# The page of a report draws with Chart.js; without it the page has its tables alone.
function(octet_embed_page target)
  find_file(OCTET_CHART_JS chart.min.js PATHS /usr/share/javascript/chart.js /usr/share/nodejs/chart.js/dist
    NO_DEFAULT_PATH DOC "Chart.js 3 for report.html")
  set(chart ${OCTET_CHART_JS})
  if(NOT chart)
    message(STATUS "octet: Chart.js not found (Debian: libjs-chart.js): report.html will have tables, no charts")
    set(chart NONE)
  endif()
  octet_embed(${target} report/html/assets.h octet::html
    chart_js ${chart}
    page_js ${CMAKE_SOURCE_DIR}/report/html/page.js
    page_css ${CMAKE_SOURCE_DIR}/report/html/page.css)
endfunction()
