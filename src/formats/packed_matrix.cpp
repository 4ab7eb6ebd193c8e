#include "formats/packed_matrix.hpp"

#include "core/error.hpp"
#include "formats/json_text.hpp"

namespace rag::core {

using nlohmann::json;

std::string write_padded_shapes(const PaddedShapes& shapes) {
    return json(shapes).dump(-1, ' ', false, json::error_handler_t::replace);
}

PaddedShapes read_padded_shapes(std::string_view text, std::string_view file) {
    const json object = parse_json(text, file);
    PaddedShapes out;
    const auto fail_at = [&](const json& value) {
        fail(Code::kCorrupt, "{}: {} in __metadata__ holds {}, not shapes of matrices by name", quote(file, 400), kPaddedShapes,
             quote(value.dump(-1, ' ', false, json::error_handler_t::replace), 100));
    };
    if (!object.is_object()) fail_at(object);
    for (const auto& [name, shape] : object.items()) {
        if (!shape.is_array() || shape.size() != 2 || !shape[0].is_number_integer() || !shape[1].is_number_integer())
            fail_at(shape);
        out[name] = {shape[0].get<std::int64_t>(), shape[1].get<std::int64_t>()};
    }
    return out;
}

}  // namespace rag::core
