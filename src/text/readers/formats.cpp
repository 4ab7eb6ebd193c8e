#include "text/readers/formats.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "text/readers/fields.hpp"

namespace rag::core {
namespace {

constexpr PageFormat kPlain{read_plain, TextKind::kText, kMaxReadBytes, nullptr};
constexpr PageFormat kMarkdownPage{read_markdown, TextKind::kMarkdown, kMaxReadBytes, nullptr};
constexpr PageFormat kRstPage{read_rst, TextKind::kRst, kMaxReadBytes, nullptr};
constexpr PageFormat kHtmlPage{read_html, TextKind::kHtml, kMaxPageBytes, html_declaration};
constexpr PageFormat kBraces{read_plain, TextKind::kCode, kMaxReadBytes, nullptr};
constexpr PageFormat kIndented{read_plain, TextKind::kCodeIndented, kMaxReadBytes, nullptr};
constexpr PageFormat kShell{read_plain, TextKind::kCodeShell, kMaxReadBytes, nullptr};

constexpr std::array<FileFormat, 70> kFormats = {{
    {"bash", FileFormat::kPage, kShell},        {"c", FileFormat::kPage, kBraces},
    {"cc", FileFormat::kPage, kBraces},         {"cfg", FileFormat::kPage, kPlain},
    {"cjs", FileFormat::kPage, kBraces},        {"conf", FileFormat::kPage, kPlain},
    {"cpp", FileFormat::kPage, kBraces},        {"cs", FileFormat::kPage, kBraces},
    {"css", FileFormat::kPage, kBraces},        {"csv", FileFormat::kTable, kPlain},
    {"cu", FileFormat::kPage, kBraces},         {"cxx", FileFormat::kPage, kBraces},
    {"dart", FileFormat::kPage, kBraces},       {"ex", FileFormat::kPage, kIndented},
    {"exs", FileFormat::kPage, kIndented},      {"go", FileFormat::kPage, kBraces},
    {"gradle", FileFormat::kPage, kBraces},     {"groovy", FileFormat::kPage, kBraces},
    {"h", FileFormat::kPage, kBraces},          {"hh", FileFormat::kPage, kBraces},
    {"hpp", FileFormat::kPage, kBraces},        {"htm", FileFormat::kPage, kHtmlPage},
    {"html", FileFormat::kPage, kHtmlPage},     {"hxx", FileFormat::kPage, kBraces},
    {"ini", FileFormat::kPage, kPlain},         {"java", FileFormat::kPage, kBraces},
    {"jl", FileFormat::kPage, kIndented},       {"js", FileFormat::kPage, kBraces},
    {"json", FileFormat::kJson, kPlain},        {"jsonl", FileFormat::kJsonLines, kPlain},
    {"jsx", FileFormat::kPage, kBraces},        {"kt", FileFormat::kPage, kBraces},
    {"kts", FileFormat::kPage, kBraces},        {"lua", FileFormat::kPage, kIndented},
    {"m", FileFormat::kPage, kBraces},          {"markdown", FileFormat::kPage, kMarkdownPage},
    {"md", FileFormat::kPage, kMarkdownPage},   {"mjs", FileFormat::kPage, kBraces},
    {"mkd", FileFormat::kPage, kMarkdownPage},  {"mm", FileFormat::kPage, kBraces},
    {"ndjson", FileFormat::kJsonLines, kPlain}, {"php", FileFormat::kPage, kBraces},
    {"pl", FileFormat::kPage, kShell},          {"pm", FileFormat::kPage, kShell},
    {"proto", FileFormat::kPage, kBraces},      {"py", FileFormat::kPage, kIndented},
    {"pyi", FileFormat::kPage, kIndented},      {"pyx", FileFormat::kPage, kIndented},
    {"r", FileFormat::kPage, kShell},           {"rb", FileFormat::kPage, kIndented},
    {"rs", FileFormat::kPage, kBraces},         {"rst", FileFormat::kPage, kRstPage},
    {"scala", FileFormat::kPage, kBraces},      {"scss", FileFormat::kPage, kBraces},
    {"sh", FileFormat::kPage, kShell},          {"sql", FileFormat::kPage, kPlain},
    {"swift", FileFormat::kPage, kBraces},      {"tab", FileFormat::kTable, kPlain},
    {"text", FileFormat::kPage, kPlain},        {"toml", FileFormat::kPage, kPlain},
    {"ts", FileFormat::kPage, kBraces},         {"tsv", FileFormat::kTable, kPlain},
    {"tsx", FileFormat::kPage, kBraces},        {"txt", FileFormat::kPage, kPlain},
    {"vue", FileFormat::kPage, kBraces},        {"xhtml", FileFormat::kPage, kHtmlPage},
    {"yaml", FileFormat::kPage, kPlain},        {"yml", FileFormat::kPage, kPlain},
    {"zig", FileFormat::kPage, kBraces},        {"zsh", FileFormat::kPage, kShell},
}};
static_assert(std::is_sorted(kFormats.begin(), kFormats.end(),
                             [](const FileFormat& a, const FileFormat& b) { return a.suffix < b.suffix; }));

/// A name of the file system as text: bytes that are not UTF-8 are written as \xNN.
std::string readable(std::string_view name) {
    std::string out;
    for (std::size_t at = 0; at < name.size();) {
        const Utf8Step step = decode_utf8(name, at);
        if (step.valid) {
            out.append(name.substr(at, step.length));
        } else {
            for (std::size_t i = 0; i < step.length; ++i)
                out += fmt::format("\\x{:02x}", static_cast<unsigned char>(name[at + i]));
        }
        at += step.length;
    }
    return out;
}

void check_options(const ReadOptions& options) {
    require_utf8(options.id, "the id");
    require_utf8(options.title, "the title");
    require_utf8(options.source, "the source");
    for (const auto* field : {&options.text_field, &options.title_field, &options.id_field})
        if (*field) require_utf8(**field, "the name of a field");
    const auto delimiter = static_cast<unsigned char>(options.delimiter);
    if (delimiter >= 0x80 || delimiter == '"' || delimiter == '\n' || delimiter == '\r')
        fail(Code::kInvalidArgument,
             "the delimiter of a table must be an ASCII character, and no quote and no line end; it is {}",
             quote(std::string_view(&options.delimiter, 1)));
}

std::unique_ptr<DocumentReader> open_source(std::unique_ptr<ByteSource> bytes, const std::string& file_name,
                                            ReadOptions options) {
    const std::filesystem::path name(file_name);
    if (options.format.empty()) {
        const std::string suffix = name.extension().string();
        options.format = suffix.empty() ? suffix : suffix.substr(1);
    }
    const FileFormat* format = find_format(options.format);
    if (format == nullptr)
        fail(Code::kUnsupported, "{}: no reader knows the format {}", quote(bytes->name(), 400), quote(options.format));
    options.format = format->suffix;
    if (options.id.empty()) options.id = readable(name.filename().string());
    if (options.source.empty()) options.source = readable(file_name);
    check_options(options);
    switch (format->family) {
        case FileFormat::kTable:
            return make_table_reader(std::move(bytes), std::move(options));
        case FileFormat::kJson:
            return make_json_reader(std::move(bytes), std::move(options));
        case FileFormat::kJsonLines:
            return make_json_lines_reader(std::move(bytes), std::move(options));
        case FileFormat::kPage:
            break;
    }
    if (options.title.empty()) options.title = title_line(readable(name.stem().string()));
    return make_page_reader(std::move(bytes), format->page, std::move(options));
}

}  // namespace

const FileFormat* find_format(std::string_view suffix) {
    std::string lower;
    for (const char c : suffix) lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const auto found = std::lower_bound(kFormats.begin(), kFormats.end(), lower,
                                        [](const FileFormat& format, const std::string& name) { return format.suffix < name; });
    return found != kFormats.end() && found->suffix == lower ? &*found : nullptr;
}

std::vector<std::string> readable_suffixes() {
    std::vector<std::string> out;
    for (const FileFormat& format : kFormats) out.emplace_back(format.suffix);
    return out;
}

std::unique_ptr<DocumentReader> DocumentReader::open_file(const std::filesystem::path& path, ReadOptions options) {
    return open_source(ByteSource::open_file(path), path.string(), std::move(options));
}

std::unique_ptr<DocumentReader> DocumentReader::open_bytes(std::string_view bytes, const std::string& name, ReadOptions options) {
    return open_source(ByteSource::of_bytes(bytes, name), name, std::move(options));
}

}  // namespace rag::core
