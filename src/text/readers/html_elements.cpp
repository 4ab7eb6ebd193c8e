#include "text/readers/html_elements.hpp"

#include <algorithm>
#include <array>

namespace rag::core {
namespace {

using enum HtmlElement::Role;

struct Entry {
    std::string_view name;
    HtmlElement element;
};

constexpr std::array<Entry, 67> kElements = {{
    {"address", {kBlock, 0}},    {"article", {kSection, 0}}, {"aside", {kSection, 0}},   {"audio", {kHidden, 0}},
    {"blockquote", {kBlock, 0}}, {"body", {kBlock, 0}},      {"br", {kBreak, 0}},        {"button", {kHidden, 0}},
    {"canvas", {kHidden, 0}},    {"caption", {kBlock, 0}},   {"center", {kBlock, 0}},    {"datalist", {kHidden, 0}},
    {"dd", {kBlock, 0}},         {"details", {kBlock, 0}},   {"dir", {kList, 0}},        {"div", {kBlock, 0}},
    {"dl", {kBlock, 0}},         {"dt", {kBlock, 0}},        {"embed", {kHidden, 0}},    {"fieldset", {kBlock, 0}},
    {"figcaption", {kBlock, 0}}, {"figure", {kBlock, 0}},    {"footer", {kMargin, 0}},   {"form", {kBlock, 0}},
    {"frameset", {kBlock, 0}},   {"h1", {kHeading, 1}},      {"h2", {kHeading, 2}},      {"h3", {kHeading, 3}},
    {"h4", {kHeading, 4}},       {"h5", {kHeading, 5}},      {"h6", {kHeading, 6}},      {"header", {kMargin, 0}},
    {"hr", {kBlock, 0}},         {"html", {kBlock, 0}},      {"iframe", {kHidden, 0}},   {"legend", {kBlock, 0}},
    {"li", {kItem, 0}},          {"listing", {kPre, 0}},     {"main", {kMain, 0}},       {"menu", {kList, 0}},
    {"meter", {kHidden, 0}},     {"nav", {kHidden, 0}},      {"noscript", {kHidden, 0}}, {"object", {kHidden, 0}},
    {"ol", {kList, 1}},          {"optgroup", {kHidden, 0}}, {"option", {kHidden, 0}},   {"p", {kBlock, 0}},
    {"pre", {kPre, 0}},          {"progress", {kHidden, 0}}, {"rp", {kHidden, 0}},       {"script", {kHidden, 0}},
    {"section", {kSection, 0}},  {"select", {kHidden, 0}},   {"style", {kHidden, 0}},    {"summary", {kBlock, 0}},
    {"svg", {kHidden, 0}},       {"table", {kTable, 0}},     {"td", {kCell, 0}},         {"template", {kHidden, 0}},
    {"textarea", {kHidden, 0}},  {"th", {kCell, 0}},         {"title", {kTitle, 0}},     {"tr", {kRow, 0}},
    {"ul", {kList, 0}},          {"video", {kHidden, 0}},    {"xmp", {kPre, 0}},
}};
static_assert(std::is_sorted(kElements.begin(), kElements.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; }));

}  // namespace

HtmlElement html_element(std::string_view lower_case_name) noexcept {
    const auto found = std::lower_bound(kElements.begin(), kElements.end(), lower_case_name,
                                        [](const Entry& entry, std::string_view name) { return entry.name < name; });
    return found != kElements.end() && found->name == lower_case_name ? found->element : HtmlElement{};
}

bool is_boilerplate_role(std::string_view role) noexcept {
    constexpr std::array<std::string_view, 8> kRoles = {"navigation", "banner",  "contentinfo", "search",
                                                        "menu",       "menubar", "toolbar",     "tablist"};
    return std::find(kRoles.begin(), kRoles.end(), role) != kRoles.end();
}

}  // namespace rag::core
