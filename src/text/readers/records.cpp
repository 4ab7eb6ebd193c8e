#include "text/readers/records.hpp"

#include "core/error.hpp"
#include "text/readers/fields.hpp"

namespace rag::core {

/// Indices into the fields; kNone: not there.
struct RecordMapper::Choice {
    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
    std::size_t text = kNone;
    std::size_t title = kNone;
    std::size_t id = kNone;
};

std::string RecordMapper::place(std::uint64_t row) const {
    return fmt::format("{}, row {}", quote(name_, 400), row);
}

RecordMapper::Choice RecordMapper::choose(const std::vector<Field>& fields, std::uint64_t row) const {
    const auto find = [&](std::string_view name) {
        for (std::size_t i = 0; i < fields.size(); ++i) {
            if (fields[i].name == name) return i;
        }
        return Choice::kNone;
    };
    const auto wanted = [&](const std::optional<std::string>& asked, std::string_view usual) {
        return find(asked ? std::string_view(*asked) : usual);
    };
    Choice choice;
    choice.text = wanted(options_.text_field, "text");
    choice.title = wanted(options_.title_field, "title");
    choice.id = wanted(options_.id_field, "id");
    // A record may leave its title and id out; a text that was asked for has to be there.
    if (choice.text == Choice::kNone && options_.text_field)
        fail(Code::kInvalidArgument, "{} has no field {}", place(row), quote(*options_.text_field));
    if (choice.id == Choice::kNone && !options_.id_field) choice.id = find("_id");
    return choice;
}

bool RecordMapper::map(const std::vector<Field>& fields, std::uint64_t row, ReadDocument& out) const {
    const Choice choice = choose(fields, row);
    const auto given = [&](std::size_t index) {
        return index != Choice::kNone && !fields[index].is_null ? fields[index].text : std::string_view();
    };
    std::string text(given(choice.text));
    if (choice.text == Choice::kNone) {
        for (std::size_t i = 0; i < fields.size(); ++i) {
            if (i == choice.id || fields[i].is_null || is_blank_text(fields[i].text)) continue;
            text.append(text.empty() ? "" : "\n").append(fields[i].name).append(": ").append(fields[i].text);
        }
    }
    out = {};
    out.title = title_line(given(choice.title));
    out.id = given(choice.id);
    out.metadata = "{";
    for (std::size_t i = 0; i < fields.size(); ++i) {
        if (i == choice.text || i == choice.title || i == choice.id) continue;
        if (out.metadata.size() > 1) out.metadata += ',';
        append_json_string(out.metadata, fields[i].name);
        out.metadata += ':';
        if (fields[i].is_string) {
            append_json_string(out.metadata, fields[i].text);
        } else {
            out.metadata.append(fields[i].text);
        }
    }
    out.metadata += '}';
    return finish(std::move(text), row, out);
}

bool RecordMapper::map_text(std::string_view text, std::uint64_t row, ReadDocument& out) const {
    out = {};
    out.metadata = "{}";
    return finish(std::string(text), row, out);
}

bool RecordMapper::finish(std::string text, std::uint64_t row, ReadDocument& out) const {
    if (text.size() > kMaxReadBytes)
        fail(Code::kInvalidArgument, "the text of {} has {} bytes, at most {} are taken", place(row), text.size(), kMaxReadBytes);
    out.text = options_.clean ? clean_text(text, options_.cleaning) : std::move(text);
    if (is_blank_text(out.text)) return false;
    if (is_blank_text(out.id)) out.id = fmt::format("{}:{}", options_.id, row);
    out.source = options_.source;
    return true;
}

}  // namespace rag::core
