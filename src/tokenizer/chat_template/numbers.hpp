// Numbers as Python reads and rounds them. Pure functions.
#pragma once

#include <cstdint>
#include <string_view>

namespace rag::core::jinja {

/// int(text, base): white space around, a sign, underscores between digits, prefixes as the base allows. False: no such integer.
/// Error(kInvalidArgument) if it is beyond 64 bits.
bool parse_int(std::string_view text, std::int64_t base, std::int64_t& out);
/// float(text). False: no such number.
bool parse_float(std::string_view text, double& out);
/// int(value) of a finite number; Error(kInvalidArgument) beyond 64 bits.
std::int64_t truncated(double value);
/// round(value, digits): to the nearest decimal, ties to even.
double round_half_even(double value, int digits);

}  // namespace rag::core::jinja
