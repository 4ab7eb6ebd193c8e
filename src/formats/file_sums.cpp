#include "formats/file_sums.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/mapped_file.hpp"
#include "core/sha256.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kDigits = 64;
constexpr std::size_t kMaxSumsBytes = 16u << 20;
constexpr std::size_t kSlice = 16u << 20;

bool is_hexadecimal(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool stays_inside(const std::string& name) {
    const std::filesystem::path path(name);
    return !name.empty() && name.find('\0') == std::string::npos && path.is_relative() &&
           std::none_of(path.begin(), path.end(), [](const auto& part) { return part == ".."; });
}

}  // namespace

std::map<std::string, std::string> parse_sums(std::string_view text, const std::string& file) {
    std::map<std::string, std::string> sums;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty() || line.front() == '#') continue;
        const auto wrong = [&](std::string_view what) {
            fail(Code::kCorrupt, "{}, line {}: {}: {}", quote(file, 400), number, what, quote(line));
        };
        if (line.size() < kDigits + 3 || !std::all_of(line.begin(), line.begin() + kDigits, is_hexadecimal) ||
            line[kDigits] != ' ' || (line[kDigits + 1] != ' ' && line[kDigits + 1] != '*'))
            wrong("64 hexadecimal digits, two blanks and a name are expected");
        std::string sum(line.substr(0, kDigits));
        std::transform(sum.begin(), sum.end(), sum.begin(),
                       [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c; });
        std::string name(line.substr(kDigits + 2));
        if (name.starts_with("./")) name.erase(0, 2);
        if (!stays_inside(name)) wrong("a name inside the folder is expected");
        if (!sums.emplace(std::move(name), std::move(sum)).second) wrong("the name is there twice");
    }
    return sums;
}

std::map<std::string, std::string> read_sums(const std::filesystem::path& folder) {
    const std::filesystem::path path = folder / kSumsFile;
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) return {};
    const auto file = MappedFile::open(path);
    if (file->bytes().size() > kMaxSumsBytes)
        fail(Code::kCorrupt, "{} has {} bytes, at most {} are read", quote(file->name(), 400), file->bytes().size(),
             kMaxSumsBytes);
    return parse_sums({reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()}, file->name());
}

std::string file_sha256(const std::filesystem::path& path, const Progress& progress) {
    const auto file = MappedFile::open(path);
    const auto bytes = file->bytes();
    Sha256 hash;
    for (std::size_t begin = 0; begin < bytes.size(); begin += kSlice) {
        hash.add(bytes.subspan(begin, std::min(kSlice, bytes.size() - begin)));
        report(progress, std::min(begin + kSlice, bytes.size()), bytes.size());
    }
    return hash.finish();
}

}  // namespace rag::core
