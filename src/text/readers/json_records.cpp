#include "text/readers/json_records.hpp"

#include <nlohmann/json.hpp>
#include <unordered_set>

#include "core/error.hpp"

namespace rag::core {
namespace {

/// Takes everything that nlohmann's parser says and keeps only where it fails, which simdjson does not tell.
struct FailureFinder : nlohmann::json::json_sax_t {
    std::size_t offset = 0;
    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(number_integer_t) override { return true; }
    bool number_unsigned(number_unsigned_t) override { return true; }
    bool number_float(number_float_t, const string_t&) override { return true; }
    bool string(string_t&) override { return true; }
    bool binary(binary_t&) override { return true; }
    bool start_object(std::size_t) override { return true; }
    bool key(string_t&) override { return true; }
    bool end_object() override { return true; }
    bool start_array(std::size_t) override { return true; }
    bool end_array() override { return true; }
    bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
        offset = position;
        return false;
    }
};

}  // namespace

bool JsonRecords::map(simdjson::dom::element element, std::uint64_t row, ReadDocument& out) {
    std::string_view text;
    if (element.get_string().get(text) == simdjson::SUCCESS) return mapper_.map_text(text, row, out);
    simdjson::dom::object object;
    if (element.get_object().get(object) != simdjson::SUCCESS)
        fail(Code::kInvalidArgument, "{} is neither an object nor a text", mapper_.place(row));
    fields_.clear();
    texts_.clear();
    std::unordered_set<std::string_view> names;
    for (const auto member : object) {
        // Which of the two is meant nobody can say.
        if (!names.insert(member.key).second)
            fail(Code::kInvalidArgument, "{} has the key {} twice", mapper_.place(row), quote(member.key, 80));
        Field field;
        field.name = member.key;
        if (member.value.get_string().get(field.text) != simdjson::SUCCESS) {
            field.text = texts_.emplace_back(simdjson::minify(member.value));
            field.is_string = false;
            field.is_null = member.value.is_null();
        }
        fields_.push_back(field);
    }
    return mapper_.map(fields_, row, out);
}

std::string json_problem(std::string_view text, simdjson::error_code error) {
    FailureFinder finder;
    if (!nlohmann::json::sax_parse(text, &finder))
        return fmt::format("no JSON at byte {}, before {}", finder.offset,
                           finder.offset < text.size() ? quote(text.substr(finder.offset), 20) : std::string("the end"));
    // What only simdjson refuses.
    if (error == simdjson::DEPTH_ERROR) return "JSON that is nested deeper than 1024 levels";
    if (error == simdjson::NUMBER_ERROR) return "JSON with an integer that is wider than 64 bits: it must be a string";
    return std::string("no JSON: ") + simdjson::error_message(error);
}

}  // namespace rag::core
