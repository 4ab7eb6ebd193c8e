#include "exchange/line_reader.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/error.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << 20;

[[noreturn]] void fail_io(const char* what, const std::string& name, int error) {
    const Code code = error == ENOENT || error == ENOTDIR ? Code::kNotFound : Code::kIo;
    fail(code, "cannot {} {}: {}", what, quote(name, 400), std::generic_category().message(error));
}

}  // namespace

LineReader::LineReader(const std::filesystem::path& path) : name_(path.string()) {
    if (name_.empty() || name_.find('\0') != std::string::npos)
        fail(Code::kInvalidArgument, "{} is no path of a file", quote(name_, 400));
    descriptor_ = ::open(name_.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ < 0) fail_io("open", name_, errno);
    struct ::stat status{};
    if (::fstat(descriptor_, &status) == 0 && S_ISDIR(status.st_mode)) {
        ::close(descriptor_);
        fail(Code::kInvalidArgument, "{} is a folder", quote(name_, 400));
    }
    if (S_ISREG(status.st_mode)) total_ = static_cast<std::uint64_t>(status.st_size);
    if (fill() && buffer_.starts_with("\xef\xbb\xbf")) at_ = 3;
}

LineReader::~LineReader() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

/// Appends a block; false at the end of the file.
bool LineReader::fill() {
    if (ended_) return false;
    buffer_.erase(0, at_);
    at_ = 0;
    const std::size_t size = buffer_.size();
    buffer_.resize(size + kBlock);
    ssize_t got = 0;
    do {
        got = ::read(descriptor_, buffer_.data() + size, kBlock);
    } while (got < 0 && errno == EINTR);
    if (got < 0) fail_io("read", name_, errno);
    buffer_.resize(size + static_cast<std::size_t>(got));
    done_ += static_cast<std::uint64_t>(got);
    ended_ = got == 0;
    return !ended_;
}

bool LineReader::next(std::string_view& line, std::size_t max_bytes) {
    while (true) {
        std::size_t end = buffer_.find('\n', at_);
        while (end == std::string::npos) {
            const std::size_t seen = buffer_.size() - at_;
            if (seen > max_bytes) {
                fail(Code::kInvalidArgument, "line {} of {} has more than {} bytes", number_ + 1, quote(name_, 400), max_bytes);
            }
            if (!fill()) break;
            end = buffer_.find('\n', seen);
        }
        if (end == std::string::npos && at_ == buffer_.size()) return false;
        const std::size_t stop = end == std::string::npos ? buffer_.size() : end;
        line = std::string_view(buffer_).substr(at_, stop - at_);
        at_ = end == std::string::npos ? stop : stop + 1;
        ++number_;
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.find_first_not_of(" \t") != std::string_view::npos) return true;
    }
}

}  // namespace rag::core
