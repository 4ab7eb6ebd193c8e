#include "tokenizer/chat_template/runtime.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "tokenizer/chat_template/python_text.hpp"

namespace rag::core::jinja {

void Runtime::charge(std::uint64_t steps) {
    if (steps > max_steps_ - steps_) fail(Code::kInvalidArgument, "the limit of {} steps is passed", max_steps_);
    steps_ += steps;
}

Value Runtime::make_text(std::string bytes, bool markup) {
    charge_bytes(bytes.size());
    return Value::text(std::move(bytes), markup);
}

SequencePtr Runtime::iterate(const Value& value) {
    charge(1);
    if (const auto* items = value.as<SequencePtr>()) {
        if ((*items)->kind != SequenceKind::kGenerator) return *items;
        if ((*items)->exhausted) return std::make_shared<const Sequence>();
        (*items)->exhausted = true;
        return *items;
    }
    auto out = std::make_shared<Sequence>();
    if (const auto* text = value.string()) {
        const std::vector<std::size_t> offsets = code_point_offsets(*text);
        charge(offsets.size());
        for (std::size_t i = 0; i + 1 < offsets.size(); ++i)
            out->items.push_back(Value::text(text->substr(offsets[i], offsets[i + 1] - offsets[i])));
    } else if (const auto* map = value.mapping()) {
        charge(map->entries.size());
        for (const auto& entry : map->entries) out->items.push_back(entry.first);
    } else if (value.as<Loop*>() != nullptr) {
        fail(Code::kUnsupported, "going through \"loop\" itself, which takes its rounds away, is not known");
    } else if (!value.is_undefined()) {
        fail(Code::kInvalidArgument, "{} object is not iterable", quote(value.type_name()));
    }
    return out;
}

Bound::Bound(Arguments& arguments, std::string_view what, std::initializer_list<std::string_view> names)
    : what_(what), names_(names), values_(names.size()) {
    if (arguments.positional.size() > names_.size())
        fail(Code::kInvalidArgument, "{} takes at most {} arguments, not {}", what_, names_.size(), arguments.positional.size());
    for (std::size_t i = 0; i < arguments.positional.size(); ++i) values_[i] = std::move(arguments.positional[i]);
    for (auto& [name, value] : arguments.named) {
        const auto at = std::find(names_.begin(), names_.end(), name);
        if (at == names_.end()) fail(Code::kInvalidArgument, "{} takes no argument {}", what_, quote(name, 40));
        auto& slot = values_[static_cast<std::size_t>(at - names_.begin())];
        if (slot) fail(Code::kInvalidArgument, "{} is given {} twice", what_, quote(name, 40));
        slot = std::move(value);
    }
}

const Value& Bound::required(std::size_t index) const {
    const Value* value = get(index);
    if (value == nullptr) fail(Code::kInvalidArgument, "{} needs the argument {}", what_, quote(names_[index]));
    return *value;
}

const std::string& Bound::text(std::size_t index) const {
    const Value& value = required(index);
    if (value.string() == nullptr)
        fail(Code::kInvalidArgument, "{}: {} must be str, not {}", what_, quote(names_[index]), value.type_name());
    return *value.string();
}

const std::string* Bound::optional_text(std::size_t index) const {
    return get(index) == nullptr || get(index)->is_none() ? nullptr : &text(index);
}

std::int64_t Bound::integer(std::size_t index, std::int64_t fallback) const {
    if (get(index) == nullptr) return fallback;
    std::int64_t out = 0;
    if (!get(index)->integer_value(out))
        fail(Code::kInvalidArgument, "{}: {} must be int, not {}", what_, quote(names_[index]), get(index)->type_name());
    return out;
}

bool Bound::flag(std::size_t index, bool fallback) const {
    return get(index) == nullptr ? fallback : get(index)->truth();
}

std::string escape_html(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '\'':
                out += "&#39;";
                break;
            case '"':
                out += "&#34;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

}  // namespace rag::core::jinja
