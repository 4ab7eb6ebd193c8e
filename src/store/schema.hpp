// The tables of a knowledge base, their version, and the check that a database is one. A database is created and checked here and
// nowhere else; what is in the tables is told beside each statement in schema.cpp.
#pragma once

#include <cstdint>
#include <string_view>

namespace rag::core {

class Connection;

/// "RAGK" in SQLite's application_id field tells a knowledge base from any other database.
inline constexpr std::int64_t kApplicationId = 0x5241474B;
/// In SQLite's user_version field. Raised when an older librag could no longer read the result.
inline constexpr std::int64_t kFormatVersion = 2;
/// Of a knowledge base whose vectors are not compared by cosine: the same tables, and the newest format there is. One that does
/// not need it has kFormatVersion, so that a librag that knows no other metric can go on with it.
inline constexpr std::int64_t kMetricFormat = 3;

/// kOlderFormat: a whole knowledge base that migrate.hpp brings to kFormatVersion.
enum class DatabaseState { kEmpty, kOlderFormat, kKnowledgeBase };

/// Reads the header and the schema. Throws kInvalidArgument (another program's database), kVersion (a newer format, naming both
/// versions), kCorrupt (no database, or not the tables of its version).
DatabaseState check_database(Connection& connection);

/// Creates all tables in one transaction: after a crash the database is either empty or whole.
void create_tables(Connection& connection);

/// For migrations, inside their transaction: one table or index of this format, and its number.
void create_item(Connection& connection, std::string_view name);
void set_format_version(Connection& connection, std::int64_t version = kFormatVersion);
std::int64_t format_version(Connection& connection);

}  // namespace rag::core
