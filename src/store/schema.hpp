// The tables of a knowledge base, their version, and the check that a database is one. A database is created and checked here and
// nowhere else; what is in the tables is told beside each statement in schema.cpp.
#pragma once

#include <cstdint>

namespace rag::core {

class Connection;

/// "RAGK" in SQLite's application_id field tells a knowledge base from any other database.
inline constexpr std::int64_t kApplicationId = 0x5241474B;
/// In SQLite's user_version field. Raised when an older librag could no longer read the result.
inline constexpr std::int64_t kFormatVersion = 1;

enum class DatabaseState { kEmpty, kKnowledgeBase };

/// Reads the header and the schema. Throws kInvalidArgument (another program's database), kVersion (a newer format, naming both
/// versions), kCorrupt (no database, or not the tables of its version).
DatabaseState check_database(Connection& connection);

/// Creates all tables in one transaction: after a crash the database is either empty or whole.
void create_tables(Connection& connection);

}  // namespace rag::core
