// Blocks of a page as text that a person and a model can read and the chunker can cut (TextKind::kHtml): paragraphs with blank
// lines between, headings as "# ...", items of lists as "- ...", rows of tables as "a | b", preformatted text between lines of
// back quotes. Used by one thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rag::core {

class PageText {
  public:
    /// Text in the flow: runs of white space are one space.
    void add(std::string_view utf8);
    /// Preformatted text, as it is.
    void add_preformatted(std::string_view utf8);
    /// A line end inside a block.
    void line_break();
    /// Ends the block: what has been added becomes a paragraph, or a part of the cell that is open.
    void end_block();

    void begin_heading(int level);
    void end_heading();
    void begin_list(bool ordered);
    void end_list();
    void begin_item();
    void begin_preformatted();
    void end_preformatted();
    void begin_table();
    void end_table();
    void begin_row();
    void begin_cell();
    void end_row();
    void begin_main();
    void end_main();

    const std::string& first_heading() const noexcept { return first_heading_; }
    std::size_t size() const noexcept { return out_.size() + block_.size(); }
    /// All of it, or what stood in <main> if anything did.
    std::string finish();

  private:
    struct Row {
        std::vector<std::string> cells;  // parts of a cell are lines
        bool layout = false;             // cells hold headings, lists and the like: the table only places them
    };
    struct List {
        bool ordered = false;
        unsigned long next = 1;
    };
    enum Spacing { kLoose, kTight };
    void emit(std::string_view text, Spacing spacing);
    void emit_row(Row& row);
    void leave_cells();

    std::string out_;
    std::string block_;
    bool space_ = false;        // white space that has not been added yet
    std::string prefix_;        // of the next block: "# ", "- "
    Spacing spacing_ = kLoose;  // of the next block to the one before
    bool preformatted_ = false;
    std::vector<Row> rows_;  // of nested tables
    std::vector<List> lists_;
    std::string first_heading_;
    std::vector<std::pair<std::size_t, std::size_t>> mains_;
    std::size_t open_mains_ = 0;
    std::size_t main_start_ = 0;
};

}  // namespace rag::core
