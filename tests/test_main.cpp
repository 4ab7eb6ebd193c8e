// The main function of every Catch2 program; compiled once because it is the slow part of Catch2 2.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
