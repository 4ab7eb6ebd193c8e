// Text as it should be stored: without control characters, with one form of line ends and blanks, in Unicode's normal form C.
// Readers clean before they give a document away, so that offsets into what is stored are offsets into what was cleaned; an
// engine stores what it is given. Cleaning what is clean changes nothing, with any choice of options. Thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "core/cancel.hpp"

namespace rag::core {

struct CleanOptions {
    /// Removes C0 and C1 control characters but white space, DEL, and byte order marks.
    bool control = true;
    /// CR, CRLF, form feed, vertical tab, NEL, U+2028 and U+2029 become line feeds; no-break spaces become spaces; blanks at the
    /// end of a line go; more than two blank lines become two; blank lines at the start and white space at the end go.
    bool whitespace = true;
    /// Normal form C (UAX #15): "e" with a combining acute becomes one character, as keyboards and queries have it.
    bool nfc = true;
};

/// `utf8` must be well-formed; kInvalidArgument with the offset where it is not. Polls `progress` in bytes, in each step anew.
std::string clean_text(std::string_view utf8, const CleanOptions& options = {}, const Progress& progress = {});

}  // namespace rag::core
