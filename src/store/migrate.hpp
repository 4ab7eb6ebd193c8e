// Brings a knowledge base of an older format to this one, in one transaction: a process that is killed, or a disk that is full,
// leaves the older one as it was. Chunks keep their keys and their content, so index files stay valid and nothing is embedded
// anew. For store/ only.
#pragma once

#include "core/cancel.hpp"

namespace rag::core {

class Connection;

/// check_database() said kOlderFormat. The connection must be the only writer. `progress` is asked every 20 ms, in documents, on
/// a thread of its own. kCorrupt names a document or chunk whose rows contradict each other; Stopped. After either the database
/// is as it was.
void migrate(Connection& connection, const Progress& progress);

}  // namespace rag::core
