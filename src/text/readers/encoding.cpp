#include "text/readers/encoding.hpp"

#include <unicode/ucnv.h>
#include <unicode/ucsdet.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "text/icu.hpp"

namespace rag::core {
namespace {

constexpr int kSureConfidence = 80;  // of ICU's detector, 0 to 100

struct CloseDetector {
    void operator()(UCharsetDetector* detector) const noexcept { ucsdet_close(detector); }
};
struct CloseConverter {
    void operator()(UConverter* converter) const noexcept { ucnv_close(converter); }
};

struct Mark {
    std::string_view bytes;
    const char* encoding;
};
// UTF-32LE before UTF-16LE, whose mark it begins with.
constexpr std::array<Mark, 5> kMarks = {{{"\xEF\xBB\xBF", "UTF-8"},
                                         {std::string_view("\xFF\xFE\0\0", 4), "UTF-32LE"},
                                         {std::string_view("\0\0\xFE\xFF", 4), "UTF-32BE"},
                                         {"\xFF\xFE", "UTF-16LE"},
                                         {"\xFE\xFF", "UTF-16BE"}}};

bool is_ascii(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// True if an ill-formed sequence at `at` is only the beginning of a character that the end of the text cuts off.
bool is_cut_off(std::string_view text, std::size_t at) noexcept {
    const Utf8Step step = decode_utf8(text, at);
    return !step.valid && at + step.length == text.size() && text.size() - at < 4 &&
           static_cast<unsigned char>(text[at]) >= 0xC2 && static_cast<unsigned char>(text[at]) < 0xF5;
}

bool is_utf8(std::string_view head, bool whole) noexcept {
    const std::size_t bad = find_invalid_utf8(head);
    return bad == std::string_view::npos || (!whole && is_cut_off(head, bad));
}

std::uint64_t count_lines(std::string_view text) noexcept {
    return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

class Utf8Decoder final : public Decoder {
  public:
    Utf8Decoder(std::string name, std::uint64_t offset) : name_(std::move(name)), offset_(offset) {}

    void decode(std::string_view bytes, bool last, std::string& out) override {
        const std::size_t before = out.size();
        out += rest_;
        out.append(bytes);
        const std::string_view text = std::string_view(out).substr(before);
        std::size_t good = text.size();
        const std::size_t bad = find_invalid_utf8(text);
        if (bad != std::string_view::npos) {
            if (last || !is_cut_off(text, bad)) {
                fail(Code::kInvalidArgument, "{} is not UTF-8: byte 0x{:02x} at offset {}, in line {}", quote(name_, 400),
                     static_cast<unsigned char>(text[bad]), offset_ + bad, line_ + count_lines(text.substr(0, bad)));
            }
            good = bad;
        }
        offset_ += good;
        line_ += count_lines(text.substr(0, good));
        rest_.assign(text.substr(good));
        out.resize(before + good);
    }

  private:
    std::string name_;
    std::uint64_t offset_;
    std::uint64_t line_ = 1;
    std::string rest_;  // a character whose end has not come yet
};

class IcuDecoder final : public Decoder {
  public:
    IcuDecoder(const std::string& encoding, std::string name, std::uint64_t offset)
        : encoding_(encoding), name_(std::move(name)), offset_(offset) {
        UErrorCode code = U_ZERO_ERROR;
        converter_.reset(ucnv_open(encoding.c_str(), &code));
        check_icu(code, "ucnv_open");
        ucnv_setToUCallBack(converter_.get(), UCNV_TO_U_CALLBACK_STOP, nullptr, nullptr, nullptr, &code);
        check_icu(code, "ucnv_setToUCallBack");
    }

    void decode(std::string_view bytes, bool last, std::string& out) override {
        const char* source = bytes.data();
        const char* const end = source + bytes.size();
        std::array<UChar, 4096> units;
        for (;;) {
            UChar* target = units.data();
            UErrorCode code = U_ZERO_ERROR;
            ucnv_toUnicode(converter_.get(), &target, units.data() + units.size(), &source, end, nullptr, last ? 1 : 0, &code);
            give(units.data(), target, out);
            if (code == U_BUFFER_OVERFLOW_ERROR) continue;
            if (U_FAILURE(code)) refuse(offset_ + static_cast<std::uint64_t>(source - bytes.data()));
            break;
        }
        offset_ += bytes.size();
        if (last && high_ != 0) append_utf8(out, 0xFFFD);
    }

  private:
    void give(const UChar* from, const UChar* to, std::string& out) {
        for (; from != to; ++from) {
            const char32_t unit = *from;
            if (high_ != 0) {
                const char32_t high = high_;
                high_ = 0;
                if (unit >= 0xDC00 && unit < 0xE000) {
                    append_utf8(out, 0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00));
                    continue;
                }
                append_utf8(out, 0xFFFD);
            }
            if (unit >= 0xD800 && unit < 0xDC00) {
                high_ = unit;
            } else {
                append_utf8(out, unit);
            }
        }
    }

    [[noreturn]] void refuse(std::uint64_t consumed) {
        std::array<char, 32> bad{};
        auto size = static_cast<std::int8_t>(bad.size());
        UErrorCode code = U_ZERO_ERROR;
        ucnv_getInvalidChars(converter_.get(), bad.data(), &size, &code);
        const std::size_t count = U_FAILURE(code) || size < 0 ? 0 : static_cast<unsigned char>(size);
        std::string bytes;
        for (std::size_t i = 0; i < count; ++i) bytes += fmt::format(" 0x{:02x}", static_cast<unsigned char>(bad[i]));
        fail(Code::kInvalidArgument, "{} is not {}:{}{} at offset {}", quote(name_, 400), encoding_,
             count > 1 ? " bytes" : " byte", bytes, consumed >= count ? consumed - count : 0);
    }

    std::string encoding_;
    std::string name_;
    std::uint64_t offset_;
    std::unique_ptr<UConverter, CloseConverter> converter_;
    char32_t high_ = 0;  // a high surrogate whose low one has not come yet; 0: none
};

}  // namespace

std::string known_encoding(std::string_view label) {
    std::string name;
    for (const char c : label) name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    // ICU would look for files of other names.
    const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == ':';
    });
    if (name.empty() || name.size() > 40 || !plain) return {};
    if (name == "utf-8" || name == "utf8" || name == "utf-8-sig") return "UTF-8";
    if (name == "gb2312" || name == "gbk" || name == "gb_2312-80" || name == "cp936") return "gb18030";
    if (name == "iso-8859-1" || name == "latin1" || name == "latin-1" || name == "ascii" || name == "us-ascii")
        return "windows-1252";
    UErrorCode code = U_ZERO_ERROR;
    if (ucnv_countAliases(name.c_str(), &code) == 0 || U_FAILURE(code)) return {};
    const char* canonical = ucnv_getAlias(name.c_str(), 0, &code);
    if (U_FAILURE(code) || canonical == nullptr) return {};
    // ICU knows names of tables that are not in the data it was built with.
    const std::unique_ptr<UConverter, CloseConverter> converter(ucnv_open(canonical, &code));
    if (U_FAILURE(code)) return {};
    // The name on the Internet, where there is one: people know it.
    const char* standard = ucnv_getStandardName(name.c_str(), "MIME", &code);
    return standard != nullptr ? standard : canonical;
}

bool is_single_byte(const std::string& encoding) {
    UErrorCode code = U_ZERO_ERROR;
    const std::unique_ptr<UConverter, CloseConverter> converter(ucnv_open(encoding.c_str(), &code));
    return U_SUCCESS(code) && ucnv_getMaxCharSize(converter.get()) == 1;
}

DetectedEncoding detect_encoding(std::string_view head, bool whole, std::string_view declared) {
    for (const Mark& mark : kMarks) {
        if (head.starts_with(mark.bytes)) return {mark.encoding, mark.bytes.size(), {}};
    }
    const bool utf8 = is_utf8(head, whole);
    const bool ascii = is_ascii(head);
    if (utf8 && !ascii) return {"UTF-8", 0, {}};
    // A page that says UTF-16 in ASCII is wrong about it.
    std::string known = known_encoding(declared);
    if (!known.empty() && !known.starts_with("UTF-16") && !known.starts_with("UTF-32")) return {std::move(known), 0, {}};
    if (utf8) return {"UTF-8", 0, {}};
    UErrorCode code = U_ZERO_ERROR;
    const std::unique_ptr<UCharsetDetector, CloseDetector> detector(ucsdet_open(&code));
    check_icu(code, "ucsdet_open");
    ucsdet_setText(detector.get(), head.data(), static_cast<std::int32_t>(head.size()), &code);
    const UCharsetMatch* match = ucsdet_detect(detector.get(), &code);
    if (U_FAILURE(code) || match == nullptr) return {};
    const std::string name = ucsdet_getName(match, &code);
    const std::int32_t confidence = ucsdet_getConfidence(match, &code);
    if (U_SUCCESS(code) && name == "GB18030" && confidence >= kSureConfidence) return {"gb18030", 0, {}};
    return {{}, 0, name};
}

std::unique_ptr<Decoder> Decoder::open(const std::string& encoding, std::string name, std::uint64_t offset) {
    if (encoding == "UTF-8") return std::make_unique<Utf8Decoder>(std::move(name), offset);
    return std::make_unique<IcuDecoder>(encoding, std::move(name), offset);
}

}  // namespace rag::core
