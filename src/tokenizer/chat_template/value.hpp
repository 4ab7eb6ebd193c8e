// What a chat template computes with: Python's values as far as Jinja shows them (None, bool, int, float, str, list, tuple, dict,
// namespace, macro, loop, bound method). Immutable except namespaces and the position of generators, as in Jinja's
// ImmutableSandboxedEnvironment. Containers know how deeply they are nested, so that no destructor can overflow the stack;
// things that can form cycles (namespaces, loops, macros) belong to the Renderer and are held here by plain pointer.
// Thread rule: values of one rendering belong to one thread; constants of a parsed template are shared and never change.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace rag::core::jinja {

class Value;
struct Namespace;
struct Loop;
struct Macro;
struct Function;
struct Method;

/// Containers nested more deeply, or whose text would be longer (an element used twice counts twice), are refused where they are
/// made: so comparing, printing and destroying a value are bounded by its weight.
inline constexpr std::uint32_t kMaxValueDepth = 200;
inline constexpr std::uint64_t kMaxValueWeight = 64U << 20;
/// What a value counts beside its text, about its size in memory: so that the limit on steps bounds memory too.
inline constexpr std::uint64_t kValueBytes = 32;

/// A Python str. `markup`: came from the filter `safe`, so that `+` escapes the other side (markupsafe.Markup).
struct Text {
    std::string bytes;  // well-formed UTF-8
    bool markup = false;
};

enum class SequenceKind : std::uint8_t { kList, kTuple, kGenerator, kView, kRange };

/// list, tuple, range, what a lazy filter returns (kGenerator: can be walked once), or dict.keys()/values()/items() (kView).
struct Sequence {
    SequenceKind kind = SequenceKind::kList;
    std::vector<Value> items;
    std::uint32_t depth = 1;
    std::uint64_t weight = 0;
    mutable bool exhausted = false;  // kGenerator only
    std::string label;               // kView: "dict_keys", ...; kRange: "range(0, 3)"; kTuple: "group" (of the filter groupby)
    std::int64_t range_begin = 0;    // kRange only
    std::int64_t range_step = 1;
};

struct Undefined {
    std::shared_ptr<const std::string> hint;  // what an operation on it says
};
struct None {};

using TextPtr = std::shared_ptr<const Text>;
using SequencePtr = std::shared_ptr<const Sequence>;
struct Map;
using MapPtr = std::shared_ptr<const Map>;
using MethodPtr = std::shared_ptr<const Method>;

class Value {
  public:
    using Data = std::variant<Undefined, None, bool, std::int64_t, double, TextPtr, SequencePtr, MapPtr, Namespace*, Loop*,
                              const Macro*, const Function*, MethodPtr>;

    Value() = default;  // undefined
    explicit Value(Data data) : data_(std::move(data)) {}
    static Value undefined(std::string hint);
    static Value none() { return Value(None{}); }
    static Value boolean(bool value) { return Value(Data(std::in_place_type<bool>, value)); }
    static Value integer(std::int64_t value) { return Value(Data(std::in_place_type<std::int64_t>, value)); }
    static Value real(double value) { return Value(Data(std::in_place_type<double>, value)); }
    static Value text(std::string bytes, bool markup = false);
    static Value sequence(SequenceKind kind, std::vector<Value> items, std::string label = {});
    static Value range(std::vector<Value> items, std::string label, std::int64_t begin, std::int64_t step);
    static Value list(std::vector<Value> items) { return sequence(SequenceKind::kList, std::move(items)); }
    static Value tuple(std::vector<Value> items) { return sequence(SequenceKind::kTuple, std::move(items)); }
    static Value map(Map entries);

    template <typename T>
    const T* as() const noexcept {
        return std::get_if<T>(&data_);
    }
    bool is_undefined() const noexcept { return std::holds_alternative<Undefined>(data_); }
    bool is_none() const noexcept { return std::holds_alternative<None>(data_); }
    bool is_bool() const noexcept { return std::holds_alternative<bool>(data_); }
    /// The string, or null if this is none.
    const std::string* string() const noexcept;
    bool is_markup() const noexcept;
    const Sequence* sequence() const noexcept;
    const Map* mapping() const noexcept;
    /// bool and int as int, as Python computes with them; false otherwise.
    bool integer_value(std::int64_t& out) const noexcept;
    /// bool, int and float as float; false otherwise.
    bool number_value(double& out) const noexcept;
    /// Whether this is a number in Python's sense (bool, int, float).
    bool is_number() const noexcept;
    const Data& data() const noexcept { return data_; }

    /// Python's bool(value).
    bool truth() const noexcept;
    /// Python's name of the type: "str", "dict", "NoneType" ...
    std::string_view type_name() const noexcept;
    std::uint32_t depth() const noexcept;
    /// About its bytes in memory: what walking over it costs.
    std::uint64_t weight() const noexcept;

  private:
    Data data_;
};

/// A dict in the order of insertion. Keys are hashable values; text keys are found by hash, others by walking.
struct Map {
    std::vector<std::pair<Value, Value>> entries;
    std::unordered_map<std::string, std::size_t> index;
    std::uint32_t depth = 1;
    std::uint64_t weight = 0;

    /// Adds, or replaces in place as Python does.
    void set(const Value& key, Value value);
    const Value* find(const Value& key) const;
    const Value* find(const std::string& key) const;
};

/// namespace(...): the only thing a template can change.
struct Namespace {
    std::vector<std::pair<std::string, Value>> attributes;
};

/// A method taken from a value: message.content.strip
struct Method {
    Value self;
    std::string name;
};

/// Python's ==. Never fails; values nested more deeply than kMaxValueDepth do not exist.
bool equal(const Value& a, const Value& b) noexcept;

/// Whether Python takes this value as a key of a dict.
bool hashable(const Value& value) noexcept;

/// str(value) and repr(value) as Python writes them. The text of an undefined value is empty.
std::string to_text(const Value& value);
std::string to_repr(const Value& value);

/// repr(float): the shortest digits that read back as the same number.
std::string float_text(double value);

/// How Python's json.dumps is called by transformers' tojson.
struct JsonStyle {
    bool ensure_ascii = false;
    bool sort_keys = false;
    bool pretty = false;  // indent was given
    std::string indent;   // one level
    std::string item_separator = ", ";
    std::string key_separator = ": ";
};

/// Appends json.dumps(value). A value that JSON does not have is Error(kInvalidArgument) naming its type.
void append_json(std::string& out, const Value& value, const JsonStyle& style);

/// JSON text to a value. Error(kInvalidArgument) names `what` and the reason: syntax, nesting, integers beyond 64 bits.
Value parse_json(std::string_view text, std::string_view what);

}  // namespace rag::core::jinja
