#include "store/commit_mark.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <random>
#include <system_error>

#include "core/checksum.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "store/sqlite.hpp"

namespace rag::core {
namespace {

constexpr std::string_view kMagic = "RAGMARK1";
constexpr std::size_t kSequenceAt = 8 + kWriterNameBytes;
constexpr std::size_t kChecksumAt = kSequenceAt + 8;
static_assert(kChecksumAt + 8 == kMarkBytes && std::endian::native == std::endian::little);
// A writer may be at it while a reader reads: what does not fit its checksum is read again.
constexpr int kReadings = 5;

std::string random_name() {
    std::random_device device;
    std::string name;
    for (int i = 0; i < 4; ++i) name += fmt::format("{:08x}", device() & 0xFFFFFFFFU);
    return name;
}

std::string reason(int error) {
    return std::generic_category().message(error);
}

}  // namespace

std::array<std::byte, kMarkBytes> write_mark(const Mark& mark) {
    if (mark.writer.size() != kWriterNameBytes)
        fail(Code::kInternal, "a mark's writer has {} bytes, not {}", mark.writer.size(), kWriterNameBytes);
    std::array<std::byte, kMarkBytes> bytes{};
    std::memcpy(bytes.data(), kMagic.data(), kMagic.size());
    std::memcpy(bytes.data() + kMagic.size(), mark.writer.data(), kWriterNameBytes);
    std::memcpy(bytes.data() + kSequenceAt, &mark.sequence, sizeof(mark.sequence));
    const std::uint64_t checksum = checksum64(std::span(bytes).first(kChecksumAt));
    std::memcpy(bytes.data() + kChecksumAt, &checksum, sizeof(checksum));
    return bytes;
}

std::optional<Mark> parse_mark(std::span<const std::byte> bytes) {
    if (bytes.size() != kMarkBytes || std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) return std::nullopt;
    std::uint64_t checksum = 0;
    std::memcpy(&checksum, bytes.data() + kChecksumAt, sizeof(checksum));
    if (checksum != checksum64(bytes.first(kChecksumAt))) return std::nullopt;
    Mark mark;
    mark.writer.assign(reinterpret_cast<const char*>(bytes.data()) + kMagic.size(), kWriterNameBytes);
    std::memcpy(&mark.sequence, bytes.data() + kSequenceAt, sizeof(mark.sequence));
    if (mark.sequence < 1) return std::nullopt;
    return mark;
}

std::optional<Mark> read_mark(const std::filesystem::path& folder) {
    const std::string file = (folder / kMarkName).string();
    const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (descriptor < 0) {
        if (errno != ENOENT) log(LogLevel::kWarning, "{} cannot be read: {}", quote(file, 400), reason(errno));
        return std::nullopt;
    }
    std::optional<Mark> mark;
    std::array<std::byte, kMarkBytes + 1> bytes{};
    for (int reading = 0; !mark && reading < kReadings; ++reading) {
        const ssize_t size = ::pread(descriptor, bytes.data(), bytes.size(), 0);
        if (size > 0) mark = parse_mark(std::span(bytes).first(static_cast<std::size_t>(size)));
    }
    ::close(descriptor);
    if (!mark) log(LogLevel::kWarning, "{} is damaged, and tells nothing about lost commits", quote(file, 400));
    return mark;
}

CommitMark::CommitMark(const std::filesystem::path& folder) : file_(folder / kMarkName), writer_(random_name()) {}

CommitMark::~CommitMark() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

/// The writer's name must be in the database itself before the mark says it: a database that lost its log would else be taken for
/// a copy from before this writer.
bool CommitMark::is_in_database(Connection& connection) {
    if (in_database_) return true;
    // A reader of an older state holds the log back, maybe for long: it is asked for at the 1st, 2nd, 4th, 8th ... commit.
    if (!std::has_single_bit(commits_)) return false;
    Statement row = connection.prepare("PRAGMA wal_checkpoint(PASSIVE)");
    in_database_ = row.step() && row.integer(0) == 0 && row.integer(1) == row.integer(2);
    return in_database_;
}

void CommitMark::write(std::int64_t sequence) {
    if (descriptor_ < 0) descriptor_ = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
    if (descriptor_ < 0) fail(Code::kIo, "cannot open {}: {}", quote(file_.string(), 400), reason(errno));
    const auto bytes = write_mark({writer_, sequence});
    const ssize_t size = ::pwrite(descriptor_, bytes.data(), bytes.size(), 0);
    if (size != static_cast<ssize_t>(bytes.size()))
        fail(Code::kIo, "cannot write {}: {}", quote(file_.string(), 400), reason(size < 0 ? errno : ENOSPC));
}

void CommitMark::committed(Connection& connection, std::int64_t sequence) noexcept {
    signed_ = true;
    ++commits_;
    try {
        if (is_in_database(connection)) write(sequence);
        failed_ = false;
    } catch (const std::exception& error) {
        if (!failed_) log_line(LogLevel::kWarning, error.what());
        failed_ = true;
    }
}

}  // namespace rag::core
