// .html: the text that a reader of the page sees, without scripts, menus and what else surrounds it. The markup is parsed by
// libxml2's HTML parser as a stream of events (SAX): no tree is built, so memory is that of the page and its text. Chosen over
// gumbo 0.10 (Debian 12's), which follows HTML5 to the letter but frees its tree by recursion, takes quadratic time for unclosed
// tags and is not maintained; no other HTML parser is packaged there.
#include <libxml/HTMLparser.h>
#include <libxml/parser.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "text/readers/fields.hpp"
#include "text/readers/html_elements.hpp"
#include "text/readers/page_reader.hpp"
#include "text/readers/page_text.hpp"

namespace rag::core {
namespace {

constexpr int kMaxDepth = 1000;  // libxml2 looks through all open elements at an end tag that closes none
constexpr std::size_t kMaxLanguageBytes = 35;
constexpr unsigned kEventsPerPoll = 4096;

std::string_view view_of(const xmlChar* text) noexcept {
    return text == nullptr ? std::string_view() : std::string_view(reinterpret_cast<const char*>(text));
}

bool is_language(std::string_view tag) noexcept {
    if (tag.size() < 2 || tag.size() > kMaxLanguageBytes) return false;
    return tag.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == std::string_view::npos;
}

/// A style attribute that hides its element: "display: none" or "visibility: hidden" among its declarations.
bool style_hides(std::string_view style) {
    std::string plain;  // without white space, in small letters
    for (const char c : style) {
        if (c == ' ' || (c >= '\t' && c <= '\r')) continue;
        plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    for (std::size_t at = 0; at < plain.size();) {
        const std::size_t end = std::min(plain.find(';', at), plain.size());
        const std::string_view declaration = std::string_view(plain).substr(at, end - at);
        if (declaration.starts_with("display:none") || declaration.starts_with("visibility:hidden")) return true;
        at = end + 1;
    }
    return false;
}

struct Attributes {
    std::string_view language;
    bool hidden = false;
    bool main = false;
};

Attributes attributes_of(const xmlChar** pairs) {
    Attributes out;
    for (; pairs != nullptr && pairs[0] != nullptr; pairs += 2) {
        const std::string_view name = view_of(pairs[0]);
        const std::string_view value = view_of(pairs[1]);
        if (name == "hidden" || (name == "aria-hidden" && value == "true")) out.hidden = true;
        if (name == "style" && style_hides(value)) out.hidden = true;
        if (name == "role") {
            out.hidden = out.hidden || is_boilerplate_role(value);
            out.main = value == "main";
        }
        // The link on a heading to itself that documentation tools make.
        if (name == "class" && value == "headerlink") out.hidden = true;
        if ((name == "lang" || name == "xml:lang") && is_language(value)) out.language = value;
    }
    return out;
}

/// What the parser's events are told to. Its functions are called from C: exceptions are kept until the parser has returned.
class PageEvents {
  public:
    PageEvents(const TextSource& source, htmlParserCtxtPtr parser) : source_(source), parser_(parser) {}

    void start(std::string_view name, const xmlChar** attributes) {
        const HtmlElement element = html_element(name);
        const Attributes given = attributes_of(attributes);
        if (language_.empty() && name == "html") language_ = given.language;
        Open open{element, false, false};
        if (parser_->nameNr > kMaxDepth) {
            fail(Code::kInvalidArgument, "{}: elements of the page are nested deeper than {}", quote(source_.name(), 400),
                 kMaxDepth);
        }
        open.hides =
            given.hidden || element.role == HtmlElement::kHidden || (element.role == HtmlElement::kMargin && parts_ == 0);
        // Whatever a page says about all of itself, it has text to show.
        if (name == "html" || name == "body") open.hides = false;
        open.main = !open.hides && (given.main || element.role == HtmlElement::kMain);
        if (open.hides) {
            if (hidden_++ == 0) text_.end_block();
        } else if (hidden_ == 0) {
            begin(element);
        }
        if (open.main && hidden_ == 0) text_.begin_main();
        if (element.role == HtmlElement::kSection || open.main) ++parts_;
        open_.push_back(open);
    }

    void end() {
        if (open_.empty()) return;
        const Open open = open_.back();
        open_.pop_back();
        if (open.element.role == HtmlElement::kSection || open.main) --parts_;
        if (open.main && hidden_ == 0) text_.end_main();
        if (open.hides) {
            --hidden_;
        } else if (hidden_ == 0) {
            finish(open.element);
        }
    }

    void characters(std::string_view text) {
        if (in_title_ > 0) {
            if (title_.size() < 4 * kMaxReadTitleBytes) title_.append(text);
        } else if (hidden_ == 0) {
            if (preformatted_ > 0) {
                text_.add_preformatted(text);
            } else {
                text_.add(text);
            }
        }
    }

    /// Runs one event; polls for the caller's stop.
    template <typename Event>
    void run(const Event& event) noexcept {
        if (error_) return;
        try {
            if (++events_ % kEventsPerPoll == 0) source_.report_progress();
            event();
        } catch (...) {
            error_ = std::current_exception();
            xmlStopParser(parser_);
        }
    }

    Page take() {
        if (error_) std::rethrow_exception(error_);
        Page page;
        page.text = text_.finish();
        page.title = is_blank_text(title_) ? text_.first_heading() : title_;
        page.language = language_;
        return page;
    }

  private:
    struct Open {
        HtmlElement element;
        bool hides;
        bool main;
    };

    void begin(HtmlElement element) {
        switch (element.role) {
            case HtmlElement::kInline:
            case HtmlElement::kHidden:
                return;
            case HtmlElement::kBlock:
            case HtmlElement::kSection:
            case HtmlElement::kMargin:
            case HtmlElement::kMain:
                return text_.end_block();
            case HtmlElement::kHeading:
                return text_.begin_heading(element.level);
            case HtmlElement::kList:
                return text_.begin_list(element.level == 1);
            case HtmlElement::kItem:
                return text_.begin_item();
            case HtmlElement::kTable:
                return text_.begin_table();
            case HtmlElement::kRow:
                return text_.begin_row();
            case HtmlElement::kCell:
                return text_.begin_cell();
            case HtmlElement::kPre:
                if (preformatted_++ == 0) text_.begin_preformatted();
                return;
            case HtmlElement::kBreak:
                return text_.line_break();
            case HtmlElement::kTitle:
                ++in_title_;
                return;
        }
    }

    void finish(HtmlElement element) {
        switch (element.role) {
            case HtmlElement::kInline:
            case HtmlElement::kHidden:
            case HtmlElement::kBreak:
                return;
            case HtmlElement::kBlock:
            case HtmlElement::kSection:
            case HtmlElement::kMargin:
            case HtmlElement::kMain:
            case HtmlElement::kItem:
            case HtmlElement::kCell:
                return text_.end_block();
            case HtmlElement::kHeading:
                return text_.end_heading();
            case HtmlElement::kList:
                return text_.end_list();
            case HtmlElement::kTable:
                return text_.end_table();
            case HtmlElement::kRow:
                return text_.end_row();
            case HtmlElement::kPre:
                if (--preformatted_ == 0) text_.end_preformatted();
                return;
            case HtmlElement::kTitle:
                --in_title_;
                return;
        }
    }

    const TextSource& source_;
    htmlParserCtxtPtr parser_;
    PageText text_;
    std::string title_;
    std::string language_;
    std::vector<Open> open_;
    std::size_t hidden_ = 0;
    std::size_t parts_ = 0;  // articles, sections and mains around this place
    std::size_t preformatted_ = 0;
    std::size_t in_title_ = 0;
    unsigned events_ = 0;
    std::exception_ptr error_;
};

PageEvents& events_of(void* data) noexcept {
    return *static_cast<PageEvents*>(data);
}

extern "C" {

void rag_html_start(void* data, const xmlChar* name, const xmlChar** attributes) noexcept {
    PageEvents& events = events_of(data);
    events.run([&] { events.start(view_of(name), attributes); });
}

void rag_html_end(void* data, const xmlChar*) noexcept {
    PageEvents& events = events_of(data);
    events.run([&] { events.end(); });
}

void rag_html_characters(void* data, const xmlChar* text, int size) noexcept {
    PageEvents& events = events_of(data);
    events.run([&] { events.characters({reinterpret_cast<const char*>(text), static_cast<std::size_t>(size)}); });
}

// Markup that is wrong is read as well as it can be; the event only polls, because end tags that close nothing give no other.
void rag_html_wrong(void* data, const char*, ...) noexcept {
    events_of(data).run([] {});
}

}  // extern "C"

struct FreeParser {
    void operator()(htmlParserCtxtPtr parser) const noexcept { htmlFreeParserCtxt(parser); }
};

}  // namespace

Page read_html(std::string html, const TextSource& source) {
    static std::once_flag once;
    std::call_once(once, [] { xmlInitParser(); });
    const std::unique_ptr<htmlParserCtxt, FreeParser> parser(htmlNewParserCtxt());
    if (!parser || parser->sax == nullptr) fail(Code::kOutOfMemory, "no memory to parse {}", quote(source.name(), 400));
    PageEvents events(source, parser.get());
    *parser->sax = htmlSAXHandler{};
    parser->sax->startElement = rag_html_start;
    parser->sax->endElement = rag_html_end;
    parser->sax->characters = rag_html_characters;
    parser->sax->ignorableWhitespace = rag_html_characters;
    parser->sax->cdataBlock = rag_html_characters;
    parser->sax->error = rag_html_wrong;
    parser->userData = &events;
    // The text is UTF-8 by now, whatever the page says. HUGE: texts of more than 10 MB are not cut.
    const int options = HTML_PARSE_RECOVER | HTML_PARSE_NONET | HTML_PARSE_IGNORE_ENC | static_cast<int>(XML_PARSE_HUGE);
    htmlDocPtr document = htmlCtxtReadMemory(parser.get(), html.data(), static_cast<int>(html.size()), nullptr, "UTF-8", options);
    if (document != nullptr) xmlFreeDoc(document);
    return events.take();
}

std::string html_declaration(std::string_view head) {
    head = head.substr(0, 1024);  // HTML Living Standard, 13.2.3.2: as far as a browser looks
    std::string lower;
    for (const char c : head) lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    for (const std::string_view key : {"charset", "encoding"}) {
        for (std::size_t at = lower.find(key); at != std::string::npos; at = lower.find(key, at + 1)) {
            std::size_t from = lower.find_first_not_of(" \t\n\r", at + key.size());
            if (from == std::string::npos || lower[from] != '=') continue;
            from = lower.find_first_not_of(" \t\n\r\"'", from + 1);
            if (from == std::string::npos) continue;
            const std::size_t to = std::min(lower.find_first_of(" \t\n\r\"'/>;?", from), lower.size());
            return lower.substr(from, to - from);
        }
    }
    return {};
}

}  // namespace rag::core
