# What is installed where. Two audiences, two components:
#   (default)  PREFIX/lib, PREFIX/include/rag and PREFIX/lib/cmake/rag, for find_package(rag) and the target rag::rag
#   python     PREFIX/librag: the Python package with its module and both shared libraries; what pip puts into a wheel.
#              Not part of a plain `cmake --install`.
include(CMakePackageConfigHelpers)
set(RAG_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/rag)

if(TARGET rag)
  install(TARGETS rag EXPORT ragTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
  install(EXPORT ragTargets NAMESPACE rag:: DESTINATION ${RAG_CMAKE_DIR} COMPONENT library)
  install(DIRECTORY include/rag DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
  configure_package_config_file(cmake/ragConfig.cmake.in ${CMAKE_BINARY_DIR}/ragConfig.cmake INSTALL_DESTINATION ${RAG_CMAKE_DIR})
  # 0.x may change with every minor version.
  write_basic_package_version_file(${CMAKE_BINARY_DIR}/ragConfigVersion.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${CMAKE_BINARY_DIR}/ragConfig.cmake ${CMAKE_BINARY_DIR}/ragConfigVersion.cmake
    DESTINATION ${RAG_CMAKE_DIR} COMPONENT library)
  install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT library)
  install(TARGETS rag LIBRARY DESTINATION librag COMPONENT python EXCLUDE_FROM_ALL)
endif()
if(TARGET rag_torch)
  if(SKBUILD)
    # A wheel must not carry the path of the machine that built it: torch's own wheel lies beside the package.
    set_target_properties(rag_torch PROPERTIES INSTALL_RPATH "$ORIGIN/../torch/lib")
  endif()
  # librag.so looks for it in its own folder.
  install(TARGETS rag_torch LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
  install(TARGETS rag_torch LIBRARY DESTINATION librag COMPONENT python EXCLUDE_FROM_ALL)
endif()
if(RAG_BUILD_PYTHON AND EXISTS ${CMAKE_SOURCE_DIR}/python/librag/__init__.py)
  install(DIRECTORY python/librag/ DESTINATION librag COMPONENT python EXCLUDE_FROM_ALL
    FILES_MATCHING PATTERN "*.py" PATTERN "*.pyi" PATTERN "py.typed" PATTERN "__pycache__" EXCLUDE)
endif()
