// What builtins (filters, tests, methods, functions) are written against: arguments, limits, and the calls back into the
// renderer. Everything throws Error without a line; Renderer adds the line it is on. One rendering, one thread.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/chat_template/value.hpp"

namespace rag::core::jinja {

struct Arguments {
    std::vector<Value> positional;
    std::vector<std::pair<std::string, Value>> named;
};

/// The part of the renderer that builtins see.
class Runtime {
  public:
    explicit Runtime(std::uint64_t max_steps) : max_steps_(max_steps) {}
    virtual ~Runtime() = default;
    Runtime(const Runtime&) = delete;
    Runtime& operator=(const Runtime&) = delete;

    /// Counts work: a node, an element, 64 bytes of text. Error(kInvalidArgument) naming the limit once it is passed.
    void charge(std::uint64_t steps);
    void charge_bytes(std::uint64_t bytes) { charge(1 + bytes / 64); }
    /// A new str, charged by its length.
    Value make_text(std::string bytes, bool markup = false);

    virtual Value call(const Value& callee, Arguments arguments) = 0;
    virtual Namespace* new_namespace() = 0;
    /// Seconds since 1970 for strftime_now.
    virtual std::int64_t now() const = 0;

    /// The elements that `for` would walk over. Error for what Python cannot iterate. A generator is used up.
    SequencePtr iterate(const Value& value);

  private:
    std::uint64_t steps_ = 0;
    std::uint64_t max_steps_;
};

/// Arguments bound to names, as a Python signature binds them. Too many, unknown and doubled ones are errors naming `what`.
class Bound {
  public:
    Bound(Arguments& arguments, std::string_view what, std::initializer_list<std::string_view> names);
    /// Null if it was not given.
    const Value* get(std::size_t index) const {
        const auto& value = values_[index];
        return value ? &*value : nullptr;
    }
    const Value& required(std::size_t index) const;
    /// Must be a str.
    const std::string& text(std::size_t index) const;
    /// A str or None (null).
    const std::string* optional_text(std::size_t index) const;
    std::int64_t integer(std::size_t index, std::int64_t fallback) const;
    bool flag(std::size_t index, bool fallback) const;

  private:
    std::string what_;
    std::vector<std::string_view> names_;
    std::vector<std::optional<Value>> values_;
};

/// A function every template can call: range, namespace, raise_exception ...
struct Function {
    std::string_view name;
    Value (*body)(Runtime& runtime, Arguments& arguments);
};

// Lookups by name; null or false when librag does not know it.
const Function* find_global(std::string_view name);
using FilterBody = Value (*)(Runtime& runtime, const Value& input, Arguments& arguments);
FilterBody find_filter(std::string_view name);
FilterBody find_sequence_filter(std::string_view name);
FilterBody find_layout_filter(std::string_view name);
using TestBody = bool (*)(Runtime& runtime, const Value& input, Arguments& arguments);
TestBody find_test(std::string_view name);
/// Whether jinja2 3.1 has it, for the text of the error.
bool is_jinja_filter(std::string_view name);

Value apply_filter(Runtime& runtime, std::string_view name, const Value& input, Arguments arguments);
bool apply_test(Runtime& runtime, std::string_view name, const Value& input, Arguments arguments);

/// item.a.b for "a.b", as jinja2's make_attrgetter; digits are indexes. `otherwise` (may be null) stands for undefined parts.
Value attribute_path(Runtime& runtime, Value item, const Value& path, const Value* otherwise);

/// range(begin, end, step), of which `items` are the numbers.
Value make_range(std::vector<Value> items, std::int64_t begin, std::int64_t end, std::int64_t step);

// Operators and subscripts with Python's meaning.
Value binary(Runtime& runtime, std::string_view op, const Value& a, const Value& b);
bool compare(Runtime& runtime, std::string_view op, const Value& a, const Value& b);
bool less(const Value& a, const Value& b);
bool contains(Runtime& runtime, const Value& container, const Value& item);
Value get_attribute(Runtime& runtime, const Value& object, const std::string& name);
Value get_item(Runtime& runtime, const Value& object, const Value& key);
Value get_slice(Runtime& runtime, const Value& object, const Value& begin, const Value& end, const Value& step);
/// "%s items" % value, and the filter `format`.
Value percent_format(Runtime& runtime, const std::string& format, const Value& arguments);
/// "{} items".format(value), the method of str.
Value format_text(Runtime& runtime, const std::string& self, Arguments& arguments);

/// Whether `object` has a method of this name that templates may call; `refused` tells apart those that change it.
bool has_method(const Value& object, std::string_view name, bool& refused);
Value call_method(Runtime& runtime, const Method& method, Arguments& arguments);
Value call_text_method(Runtime& runtime, const Value& self, std::string_view name, Arguments& arguments);

/// html.escape as markupsafe does it.
std::string escape_html(std::string_view text);

}  // namespace rag::core::jinja
