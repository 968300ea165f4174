# cmake --install: the program, its license and its documents. In a wheel (scikit-build-core sets SKBUILD) the program is
# site-packages/octet/bin/octet and finds torch, CUDA and octet.libs beside its package, wherever that is; elsewhere it keeps the
# torch that it was built with and can be moved, too.
if(SKBUILD)
  set(OCTET_SITE $ORIGIN/../..)
  set_target_properties(octet PROPERTIES INSTALL_RPATH
    "${OCTET_SITE}/torch/lib;${OCTET_SITE}/nvidia/cu13/lib;${OCTET_SITE}/octet.libs")
else()
  set_target_properties(octet PROPERTIES INSTALL_RPATH "${CMAKE_BUILD_RPATH}")
endif()
include(GNUInstallDirs)
install(TARGETS octet RUNTIME COMPONENT program)
install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT documents)
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT documents FILES_MATCHING PATTERN "*.md")
