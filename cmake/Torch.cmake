# LibTorch from the torch wheel, as one imported target rag_libtorch (libtorch_cpu and c10, headers as system headers). The wheel
# is the one of RAG_TORCH_DIR (the folder that holds include/ and lib/, i.e. site-packages/torch, or a LibTorch archive), else
# that of the Python interpreter. TorchConfig.cmake is not used: it looks for CUDA, MKL and Caffe2 targets, adds the Python
# bindings' library and leaks its flags. LibTorch's C++ ABI holds for one minor release, so any other than 2.13 is refused.
set(RAG_TORCH_DIR "" CACHE PATH "Folder of LibTorch (site-packages/torch of the torch 2.13 wheel); empty: ask the Python interpreter")
set(RAG_TORCH_VERSION 2.13)

set(rag_torch_dir "${RAG_TORCH_DIR}")
if(NOT rag_torch_dir)
  if(NOT Python_EXECUTABLE AND EXISTS ${CMAKE_CURRENT_LIST_DIR}/../.venv/bin/python)
    set(rag_python ${CMAKE_CURRENT_LIST_DIR}/../.venv/bin/python)
  else()
    find_package(Python COMPONENTS Interpreter)
    set(rag_python ${Python_EXECUTABLE})
  endif()
  if(rag_python)
    execute_process(COMMAND ${rag_python} -c "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])"
      OUTPUT_VARIABLE rag_torch_dir OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
endif()
if(NOT EXISTS "${rag_torch_dir}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "LibTorch not found (looked in '${rag_torch_dir}'): install the wheel torch==${RAG_TORCH_VERSION}.0, pass "
    "-DRAG_TORCH_DIR=<site-packages>/torch, or configure with -DRAG_BUILD_TORCH=OFF")
endif()
file(STRINGS ${rag_torch_dir}/include/torch/headeronly/version.h rag_torch_version_lines REGEX "define TORCH_VERSION_(MAJOR|MINOR) ")
string(REGEX REPLACE ".*MAJOR ([0-9]+).*MINOR ([0-9]+).*" "\\1.\\2" rag_torch_version "${rag_torch_version_lines}")
if(NOT rag_torch_version VERSION_EQUAL RAG_TORCH_VERSION)
  message(FATAL_ERROR "LibTorch ${rag_torch_version} in ${rag_torch_dir}: librag is written for ${RAG_TORCH_VERSION}, and the C++ ABI "
    "of LibTorch changes with every minor release")
endif()
message(STATUS "LibTorch ${rag_torch_version}: ${rag_torch_dir}")

add_library(rag_libtorch INTERFACE)
target_include_directories(rag_libtorch SYSTEM INTERFACE ${rag_torch_dir}/include)
target_link_libraries(rag_libtorch INTERFACE ${rag_torch_dir}/lib/libtorch_cpu.so ${rag_torch_dir}/lib/libc10.so
  ${rag_torch_dir}/lib/libgomp.so.1)
set(RAG_TORCH_LIBRARY_DIR ${rag_torch_dir}/lib)
