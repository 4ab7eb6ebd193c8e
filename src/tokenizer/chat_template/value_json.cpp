// JSON text to values, event by event, so that deep nesting is refused before anything deep is built.
#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.hpp"
#include "core/json_reason.hpp"
#include "core/utf8.hpp"
#include "tokenizer/chat_template/value.hpp"

namespace rag::core::jinja {

namespace {

class Builder final : public nlohmann::json_sax<nlohmann::json> {
  public:
    explicit Builder(std::string_view what) : what_(what) {}

    bool null() override { return put(Value::none()); }
    bool boolean(bool value) override { return put(Value::boolean(value)); }
    bool number_integer(number_integer_t value) override { return put(Value::integer(value)); }
    bool number_unsigned(number_unsigned_t value) override {
        if (value > static_cast<number_unsigned_t>(INT64_MAX)) too_large(std::to_string(value));
        return put(Value::integer(static_cast<std::int64_t>(value)));
    }
    bool number_float(number_float_t value, const string_t& text) override {
        if (text.find_first_of(".eE") == std::string::npos) too_large(text);
        return put(Value::real(value));
    }
    bool string(string_t& text) override { return put(Value::text(std::move(text))); }
    bool binary(binary_t&) override { return false; }
    bool start_object(std::size_t) override { return open(true); }
    bool start_array(std::size_t) override { return open(false); }
    bool key(string_t& text) override {
        open_.back().key = std::move(text);
        return true;
    }
    bool end_object() override {
        Value done = Value::map(std::move(open_.back().map));
        open_.pop_back();
        return put(std::move(done));
    }
    bool end_array() override {
        Value done = Value::list(std::move(open_.back().items));
        open_.pop_back();
        return put(std::move(done));
    }
    bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
        fail(Code::kInvalidArgument, "{} is not JSON at byte {}: {}", what_, position, quote(json_reason(error.what())));
    }

    std::optional<Value> result;

  private:
    struct Open {
        bool is_map;
        std::string key;
        Map map;
        std::vector<Value> items;
    };

    bool open(bool is_map) {
        if (open_.size() >= kMaxValueDepth) fail(Code::kInvalidArgument, "{} is nested more than {} deep", what_, kMaxValueDepth);
        open_.push_back({is_map, {}, {}, {}});
        return true;
    }

    bool put(Value value) {
        if (open_.empty()) {
            result = std::move(value);
        } else if (open_.back().is_map) {
            open_.back().map.set(Value::text(open_.back().key), std::move(value));
        } else {
            open_.back().items.push_back(std::move(value));
        }
        return true;
    }

    [[noreturn]] void too_large(const std::string& text) const {
        fail(Code::kInvalidArgument, "{}: the integer {} is beyond 64 bits", what_, quote(text, 40));
    }

    std::string_view what_;
    std::vector<Open> open_;
};

}  // namespace

Value parse_json(std::string_view text, std::string_view what) {
    require_utf8(text, what);
    Builder builder(what);
    nlohmann::json::sax_parse(text, &builder);
    if (!builder.result) fail(Code::kInvalidArgument, "{} is not JSON", what);
    return *builder.result;
}

}  // namespace rag::core::jinja
