#include "engine/bm25_settings.hpp"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/log.hpp"

namespace rag::core {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxSettingsBytes = 4096;

/// With the numbers that negative ones stand for, and the language by its one name.
Bm25Options settled(const Bm25Options& options) {
    return Bm25Index(options).options();
}

}  // namespace

std::string write_bm25_settings(const Bm25Options& options) {
    Json json;
    json["k1"] = options.k1;
    json["b"] = options.b;
    json["language"] = options.language;
    json["variant"] = static_cast<std::uint32_t>(options.variant);
    json["delta"] = options.delta;
    json["k3"] = std::isinf(options.k3) ? Json("infinity") : Json(options.k3);  // JSON has no such number
    json["title_weight"] = options.title_weight;
    json["positions"] = options.positions;
    return json.dump();
}

Bm25Options parse_bm25_settings(std::string_view json, std::string_view name) {
    try {
        if (json.size() > kMaxSettingsBytes) fail(Code::kInvalidArgument, "they have {} bytes", json.size());
        const Json known = Json::parse(json);
        Bm25Options out;
        out.k1 = known.at("k1").get<double>();
        out.b = known.at("b").get<double>();
        out.language = known.at("language").get<std::string>();
        const auto variant = known.at("variant").get<std::uint64_t>();
        if (variant > static_cast<std::uint64_t>(Bm25Variant::kL))
            fail(Code::kInvalidArgument, "there is no variant {}", variant);
        out.variant = static_cast<Bm25Variant>(variant);
        out.delta = known.at("delta").get<double>();
        const Json& k3 = known.at("k3");
        out.k3 = k3 == "infinity" ? std::numeric_limits<double>::infinity() : k3.get<double>();
        out.title_weight = known.at("title_weight").get<double>();
        out.positions = known.at("positions").get<bool>();
        return settled(out);
    } catch (const Json::exception& error) {
        fail(Code::kCorrupt, "{} is damaged: its BM25 settings: {}", quote(name, 400), error.what());
    } catch (const Error& error) {
        if (error.code() == Code::kOutOfMemory) throw;
        fail(Code::kCorrupt, "{} is damaged: its BM25 settings: {}", quote(name, 400), error.what());
    }
}

Bm25Options settle_bm25_settings(Store& store, const std::optional<Bm25Options>& given) {
    const auto stored = store.read().meta(kBm25Meta);
    Bm25Options own = stored ? parse_bm25_settings(*stored, store.name()) : settled({});
    if (!given) return own;
    Bm25Options wanted = settled(*given);
    if (wanted == own) return own;
    if (store.read_only()) {
        fail(Code::kInvalidArgument, "the BM25 settings of {} are {}, those given are {}: only a writer changes them",
             quote(store.name(), 400), write_bm25_settings(own), write_bm25_settings(wanted));
    }
    log(LogLevel::kInfo, "the BM25 settings of {} were {}, from now on they are {}", quote(store.name(), 400),
        write_bm25_settings(own), write_bm25_settings(wanted));
    auto transaction = store.write();
    transaction.set_meta(kBm25Meta, write_bm25_settings(wanted));
    transaction.commit();
    return wanted;
}

}  // namespace rag::core
