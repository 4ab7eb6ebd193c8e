# One CMake target a source folder. A folder's headers are reachable only through the target: each target has an include root
# of its own (a folder with one symbolic link), so that `#include "index/..."` in a folder that does not link rag_index fails
# to build instead of quietly turning the layers into a knot.
#
#   rag_add_folder(core SOURCES a.cpp b.cpp DEPENDS fmt::fmt)            -> target rag_core, headers as "core/a.hpp"
#   rag_add_folder(index/bm25 SOURCES ... DEPENDS rag_core)              -> target rag_index_bm25, headers as "index/bm25/x.hpp"
function(rag_add_folder folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;PRIVATE_DEPENDS" ${ARGN})
  string(REPLACE "/" "_" suffix ${folder})
  set(target rag_${suffix})
  set(root ${CMAKE_BINARY_DIR}/include_roots/${suffix})
  get_filename_component(parent ${root}/${folder} DIRECTORY)
  file(MAKE_DIRECTORY ${parent})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${root}/${folder} SYMBOLIC)
  if(ARG_SOURCES)
    add_library(${target} STATIC ${ARG_SOURCES})
    set(scope PUBLIC)
    rag_set_compile_options(${target})
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${target} ${scope} ${root})
  target_link_libraries(${target} ${scope} ${ARG_DEPENDS})
  if(ARG_PRIVATE_DEPENDS)
    target_link_libraries(${target} PRIVATE ${ARG_PRIVATE_DEPENDS})
  endif()
endfunction()

# What every translation unit of ours is compiled with. Hidden visibility: the two shared libraries export by an explicit list.
function(rag_set_compile_options target)
  set_target_properties(${target} PROPERTIES
    POSITION_INDEPENDENT_CODE ON
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON)
  target_compile_features(${target} PRIVATE cxx_std_20)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>  # false alarms of GCC 12 on std::string (its bug 105329)
    $<$<BOOL:${RAG_WARNINGS_AS_ERRORS}>:-Werror>)
endfunction()

# rag_add_test(test_core SOURCES ... DEPENDS ...): a Catch2 program registered with ctest; LABEL names the tier: fast (the
# default), full, long. TIMEOUT in seconds, 1,500 unless told, for the slowest machine under the slowest sanitizer. RAG_SHARED_DATA,
# RAG_MODELS, RAG_TOKENIZERS and RAG_FIXTURES come from the environment of the run (`make test` sets them).
function(rag_add_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  rag_set_compile_options(${name})
  # Assertions expand to much code: -O1 halves the time that tests take to build, what they test is optimised as ever.
  target_compile_options(${name} PRIVATE -O1)
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} rag_test_main)
  add_test(NAME ${name} COMMAND ${CMAKE_SOURCE_DIR}/tests/run_test.sh $<TARGET_FILE:${name}>)
  if(NOT ARG_LABEL)
    set(ARG_LABEL fast)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 1500)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABEL}" TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT "RAG_SOURCE_DIR=${CMAKE_SOURCE_DIR}")
endfunction()
