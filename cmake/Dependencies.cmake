# Everything librag uses of others. System packages first; what no system carries comes from the package named beside it.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(simdjson REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(roaring REQUIRED)
find_package(ICU REQUIRED COMPONENTS uc i18n data)
find_package(LibXml2 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(HWY REQUIRED IMPORTED_TARGET libhwy)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)

# Snowball has neither a CMake nor a pkg-config file.
find_path(SNOWBALL_INCLUDE_DIR libstemmer.h REQUIRED)
find_library(SNOWBALL_LIBRARY stemmer REQUIRED)
add_library(snowball UNKNOWN IMPORTED)
set_target_properties(snowball PROPERTIES IMPORTED_LOCATION ${SNOWBALL_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${SNOWBALL_INCLUDE_DIR})

include(Hnswlib)
if(RAG_BUILD_TESTS)
  find_package(Catch2 REQUIRED)
endif()
