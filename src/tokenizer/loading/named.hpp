// Errors of parts that do not know which file they are made from get its name.
#pragma once

#include <string>
#include <string_view>

#include "core/error.hpp"

namespace rag::core {

/// What make() returns; an Error whose text does not begin with `name` is thrown on as "name: text".
template <typename Make>
auto make_named(const std::string& name, Make make) {
    try {
        return make();
    } catch (const Error& error) {
        if (std::string_view(error.what()).starts_with(name)) throw;
        throw Error(error.code(), fmt::format("{}: {}", name, error.what()));
    }
}

}  // namespace rag::core
