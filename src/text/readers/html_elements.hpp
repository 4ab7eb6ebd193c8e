// What the HTML reader does at each element: HTML Living Standard, section 4, as far as it matters for text. Immutable.
#pragma once

#include <cstdint>
#include <string_view>

namespace rag::core {

struct HtmlElement {
    enum Role : std::uint8_t {
        kInline,   // and all that is unknown
        kHidden,   // no text for readers: scripts, menus, controls
        kBlock,    // a paragraph of its own
        kSection,  // a block that makes header and footer in it those of a part, not of the page
        kMargin,   // header or footer: of the page it is hidden
        kMain,
        kHeading,  // level 1 to 6
        kList,
        kItem,
        kTable,
        kRow,
        kCell,
        kPre,
        kBreak,
        kTitle
    } role = kInline;
    std::uint8_t level = 0;
};

HtmlElement html_element(std::string_view lower_case_name) noexcept;

/// Roles of ARIA that tell what is no content: navigation, banner, contentinfo, search and the like.
bool is_boilerplate_role(std::string_view role) noexcept;

}  // namespace rag::core
