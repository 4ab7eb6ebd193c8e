#include "text/readers/page_reader.hpp"

#include "core/error.hpp"
#include "text/readers/fields.hpp"

namespace rag::core {
namespace {

class PageReader final : public DocumentReader {
  public:
    PageReader(std::unique_ptr<ByteSource> bytes, const PageFormat& format, ReadOptions options)
        : format_(format),
          options_(std::move(options)),
          source_(std::move(bytes), options_.encoding, format.declaration, options_.progress) {}

    bool next(ReadDocument& out) override {
        if (done_) return false;
        done_ = true;
        Page page = format_.read(source_.read_all(format_.limit), source_);
        if (page.text.size() > kMaxReadBytes) {
            fail(Code::kInvalidArgument, "the text of {} has {} bytes, at most {} are taken", quote(source_.name(), 400),
                 page.text.size(), kMaxReadBytes);
        }
        if (options_.clean) page.text = clean_text(page.text, options_.cleaning);
        if (is_blank_text(page.text)) {
            ++blank_;
            return false;
        }
        out.id = options_.id;
        out.title = title_line(page.title);
        if (out.title.empty()) out.title = options_.title;
        out.text = std::move(page.text);
        out.metadata = "{\"format\":" + json_string(options_.format);
        if (source_.encoding() != "UTF-8") out.metadata += ",\"encoding\":" + json_string(source_.encoding());
        out.metadata += '}';
        out.source = options_.source;
        out.language = std::move(page.language);
        out.kind = format_.kind;
        return true;
    }

  private:
    PageFormat format_;
    ReadOptions options_;
    TextSource source_;
    bool done_ = false;
};

}  // namespace

std::unique_ptr<DocumentReader> make_page_reader(std::unique_ptr<ByteSource> bytes, const PageFormat& format,
                                                 ReadOptions options) {
    return std::make_unique<PageReader>(std::move(bytes), format, std::move(options));
}

}  // namespace rag::core
