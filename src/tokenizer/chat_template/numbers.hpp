// Numbers as Python reads and rounds them. Pure functions.
#pragma once

#include <cstdint>
#include <string>
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

/// A number without a sign as C's %e, %f, %g write it (`type`: e E f F g G), with `alternate` as %#g; type 'r': as g, but never
/// without a digit behind the point, as Python's format without a type.
std::string real_digits(double magnitude, char type, int precision, bool alternate);
/// In decimal (type d), hexadecimal (x X), octal (o) or binary (b).
std::string integer_digits(std::uint64_t magnitude, char type);

}  // namespace rag::core::jinja
