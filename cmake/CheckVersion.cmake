# The version stands in CMakeLists.txt (pyproject.toml reads it there) and in rag.h, which must be readable without a build.
# Configuring fails when they differ.
set(header ${CMAKE_SOURCE_DIR}/include/rag/rag.h)
if(EXISTS ${header})
  file(STRINGS ${header} lines REGEX "^#define RAG_VERSION_(MAJOR|MINOR|PATCH) +[0-9]+")
  string(REGEX REPLACE "[^0-9;]" "" numbers "${lines}")
  string(REPLACE ";" "." in_header "${numbers}")
  if(NOT in_header STREQUAL PROJECT_VERSION)
    message(FATAL_ERROR "include/rag/rag.h says version ${in_header}, CMakeLists.txt says ${PROJECT_VERSION}")
  endif()
endif()
