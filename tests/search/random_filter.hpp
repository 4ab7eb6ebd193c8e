// Random filters and metadata that meet each other often: few keys, few values, every operator.
#pragma once

#include <nlohmann/json.hpp>
#include <random>
#include <string>

namespace rag::test {

using Json = nlohmann::json;

class RandomFilter {
  public:
    explicit RandomFilter(unsigned seed) : random_(seed) {}
    Json scalar() {
        switch (pick(5)) {
            case 0:
                return std::string(1, static_cast<char>('a' + pick(3)));
            case 1:
                return static_cast<int>(pick(4));
            case 2:
                return static_cast<double>(pick(8)) / 2;
            case 3:
                return pick(2) == 0;
            default:
                return nullptr;
        }
    }
    Json doc() {
        Json out = Json::object();
        for (const char* key : {"x", "y", "z"}) {
            if (pick(4) != 0) out[key] = scalar();
        }
        return out;
    }
    /// Also lists, nested objects and keys with dots.
    Json rich_doc() {
        Json out = doc();
        if (pick(2) == 0) out["tags"] = Json::array({scalar(), scalar()});
        if (pick(2) == 0) out["o"] = Json{{"x", scalar()}, {"p", Json{{"x", scalar()}}}};
        if (pick(4) == 0) out["o.x"] = scalar();
        return out;
    }
    /// Of a field that only rich documents have.
    Json rich_filter() {
        static const char* const kFields[] = {"tags", "o", "o.x", "o.p.x", "o.nothing", "x"};
        const std::string field = kFields[pick(6)];
        switch (pick(5)) {
            case 0:
                return Json{{field, Json{{"$contains", scalar()}}}};
            case 1:
                return Json{{field, Json{{"$not", Json{{"$contains", scalar()}}}}}};
            case 2:
                return Json{{field, Json{{"$in", Json::array({scalar(), Json::array({scalar(), scalar()}), Json{{"x", 1}}})}}}};
            case 3:
                return Json{{field, Json{{"$exists", pick(2) == 0}}}};
            default:
                return Json{{field, scalar()}};
        }
    }
    Json condition(int depth) {
        static const char* const kNames[] = {"$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$not"};
        Json out = Json::object();
        for (unsigned i = 0; i <= pick(2); ++i) {
            const std::string name = kNames[pick(depth > 0 ? 10 : 9)];
            if (name == "$in" || name == "$nin") {
                out[name] = Json::array({scalar(), scalar()});
            } else if (name == "$exists") {
                out[name] = pick(2) == 0;
            } else if (name == "$not") {
                out[name] = condition(depth - 1);
            } else if (name == "$eq" || name == "$ne") {
                out[name] = scalar();
            } else {
                out[name] =
                    pick(2) == 0 ? Json(static_cast<int>(pick(4))) : Json(std::string(1, static_cast<char>('a' + pick(3))));
            }
        }
        return out;
    }
    Json filter(int depth) {
        Json out = Json::object();
        for (unsigned i = 0; i < pick(3); ++i) {
            const std::string key(1, static_cast<char>('x' + pick(3)));
            out[key] = pick(3) == 0 ? scalar() : condition(2);
        }
        if (depth > 0 && pick(2) == 0) out["$or"] = Json::array({filter(depth - 1), filter(depth - 1)});
        if (depth > 0 && pick(3) == 0) out["$and"] = Json::array({filter(depth - 1)});
        if (depth > 0 && pick(3) == 0) out["$not"] = filter(depth - 1);
        return out;
    }

    unsigned pick(unsigned count) { return static_cast<unsigned>(random_() % count); }

  private:
    std::mt19937 random_;
};

}  // namespace rag::test
