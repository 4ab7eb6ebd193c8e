// sentence-transformers folders: what the backend is told, and what is refused before any weight is computed.
#include <fstream>

#include "model/encoder_files.hpp"
#include "model_files.hpp"

using namespace rag::core;
using namespace rag::test;

TEST_CASE("a BERT folder gives configuration, weights and layers", "[model]") {
    const auto folder = fixture("tiny_bert");
    RAG_NEEDS(folder);
    const EncoderFiles files = read_encoder_folder(folder.path);
    CHECK(files.config.architecture == "bert");
    CHECK(files.config.hidden_size == 32);
    CHECK(files.config.layers == 2);
    CHECK(files.config.pooling == std::vector<Pooling>{Pooling::kMean});
    CHECK(files.config.activation == Activation::kGelu);
    CHECK(files.max_tokens == 24);  // sentence_bert_config.json, not the 12 of tokenizer.json or the 40 positions
    CHECK(files.normalize);
    CHECK(files.weights.tensors.size() == 5 + 2 * 16);
    CHECK(files.weights.tensors[0].name == "embeddings.word_embeddings.weight");
    CHECK(files.weights.owner != nullptr);
    CHECK(files.layers.size() == 2 * 6 + 1);
    CHECK(files.layers.at("encoder.layer.1.intermediate.dense") == std::vector<std::int64_t>{64, 32});
    CHECK(files.layers.at("pooler.dense").empty());
    CHECK(files.layers.find("embeddings.word_embeddings") == files.layers.end());
}

TEST_CASE("a BERT folder whose tensors carry a prefix reads the same", "[model]") {
    const auto folder = fixture("tiny_bert");
    RAG_NEEDS(folder);
    TemporaryFolder scratch;
    const auto copy = copy_model(folder, scratch);
    std::string bytes = read_file(copy / "model.safetensors");
    std::uint64_t size = 0;
    std::memcpy(&size, bytes.data(), sizeof(size));
    std::string header = bytes.substr(8, static_cast<std::size_t>(size));
    for (const std::string name : {"\"embeddings.", "\"encoder."}) {
        for (auto at = header.find(name); at != std::string::npos; at = header.find(name, at + 7)) header.insert(at + 1, "bert.");
    }
    const std::uint64_t changed = header.size();
    write_file(copy / "model.safetensors", std::string(reinterpret_cast<const char*>(&changed), 8) + header +
                                               bytes.substr(8 + static_cast<std::size_t>(size)));
    const EncoderFiles plain = read_encoder_folder(folder.path);
    const EncoderFiles prefixed = read_encoder_folder(copy);
    REQUIRE(prefixed.weights.tensors.size() == plain.weights.tensors.size());
    CHECK(prefixed.weights.tensors[7].name == plain.weights.tensors[7].name);
    CHECK(checksum_weights(prefixed.weights) == checksum_weights(plain.weights));
    CHECK(prefixed.layers == plain.layers);
}

TEST_CASE("the limit on tokens is the smaller of the folder's and the positions", "[model]") {
    const auto folder = fixture("tiny_bert");
    RAG_NEEDS(folder);
    TemporaryFolder scratch;
    const auto copy = copy_model(folder, scratch);
    edit(copy / "sentence_bert_config.json", "24", "4000");
    CHECK(read_encoder_folder(copy).max_tokens == 40);
    std::filesystem::remove(copy / "sentence_bert_config.json");
    edit(copy / "tokenizer_config.json", "40", "33");
    CHECK(read_encoder_folder(copy).max_tokens == 33);
    std::filesystem::remove(copy / "tokenizer_config.json");
    CHECK(read_encoder_folder(copy).max_tokens == 40);
    std::filesystem::remove(copy / "modules.json");
    CHECK_FALSE(read_encoder_folder(copy).normalize);
}

TEST_CASE("a BERT folder that librag cannot run is refused by file, key and value", "[model]") {
    const auto folder = fixture("tiny_bert");
    RAG_NEEDS(folder);
    TemporaryFolder scratch;
    struct Change {
        std::string file, from, to;
        Code code;
        std::vector<std::string> parts;
    };
    const std::vector<Change> changes = {
        {"config.json", "\"bert\"", "\"deberta-v2\"", Code::kUnsupported, {"config.json", "deberta-v2", "bert"}},
        {"config.json", "\"gelu\"", "\"mish\"", Code::kUnsupported, {"config.json", "mish"}},
        {"config.json", "\"num_attention_heads\": 4", "\"num_attention_heads\": 5", Code::kCorrupt, {"32", "5"}},
        {"config.json", "\"hidden_size\": 32", "\"hidden_size\": 64", Code::kCorrupt, {"32", "64"}},
        {"config.json",
         "\"num_hidden_layers\": 2",
         "\"num_hidden_layers\": 3",
         Code::kCorrupt,
         {"encoder.layer.2.attention.self.query.weight", "[32, 32]", "missing", "model.safetensors"}},
        {"config.json",
         "\"intermediate_size\": 64",
         "\"intermediate_size\": 65",
         Code::kCorrupt,
         {"encoder.layer.0.intermediate.dense.weight", "[64, 32]", "[65, 32]", "model.safetensors"}},
        {"config.json",
         "\"model_type\"",
         "\"position_embedding_type\": \"relative_key\", \"model_type\"",
         Code::kUnsupported,
         {"relative_key"}},
        {"config.json", "\"is_decoder\": false", "\"is_decoder\": true", Code::kUnsupported, {"is_decoder"}},
        {"1_Pooling/config.json",
         "\"pooling_mode_mean_tokens\": true",
         "\"pooling_mode\": \"attention\"",
         Code::kUnsupported,
         {"attention", "lasttoken"}},
        {"1_Pooling/config.json", "32", "48", Code::kCorrupt, {"48", "32"}},
        {"modules.json", "models.Normalize", "models.LSTM", Code::kUnsupported, {"LSTM", "Dense"}},
        {"modules.json", "models.Normalize", "models.Dense", Code::kNotFound, {"2_Normalize", "config.json"}},
        {"modules.json", "models.Pooling", "models.Dropout", Code::kCorrupt, {"not a Pooling"}},
    };
    for (const Change& change : changes) {
        const auto copy = copy_model(folder, scratch);
        edit(copy / change.file, change.from, change.to);
        INFO(change.file << ": " << change.to);
        try {
            read_encoder_folder(copy);
            FAIL("no error was thrown");
        } catch (const Error& error) {
            INFO(error.what());
            CHECK(error.code() == change.code);
            for (const auto& part : change.parts) CHECK_THAT(error.what(), Catch::Matchers::Contains(part));
        }
    }
}

TEST_CASE("several poolings are kept in their order, and a folder of vectors is no classifier", "[model]") {
    const auto folder = fixture("tiny_bert");
    RAG_NEEDS(folder);
    TemporaryFolder scratch;
    const auto copy = copy_model(folder, scratch);
    edit(copy / "1_Pooling/config.json", "\"pooling_mode_cls_token\": false", "\"pooling_mode_cls_token\": true");
    const EncoderFiles files = read_encoder_folder(copy);
    CHECK(files.config.pooling == std::vector<Pooling>{Pooling::kCls, Pooling::kMean});
    CHECK(files.config.outputs() == 64);
    require_error(Code::kCorrupt, {"pooler.dense.weight", "[32, 32]", "missing"}, [&] { read_classifier_folder(copy); });
}

TEST_CASE("weights of the wrong kind or length are refused by tensor", "[model]") {
    const auto folder = fixture("tiny_bert");
    RAG_NEEDS(folder);
    TemporaryFolder scratch;
    auto copy = copy_model(folder, scratch);
    edit_header(copy / "model.safetensors", "\"embeddings.LayerNorm.bias\":{\"dtype\":\"F32\"",
                "\"embeddings.LayerNorm.bias\":{\"dtype\":\"I32\"");
    require_error(Code::kUnsupported, {"embeddings.LayerNorm.bias", "I32", "F32", "model.safetensors"},
                  [&] { read_encoder_folder(copy); });
    copy = copy_model(folder, scratch);
    edit_header(copy / "model.safetensors", "embeddings.LayerNorm.bias", "embeddings.LayerNorm.bass");
    require_error(Code::kCorrupt, {"embeddings.LayerNorm.bias", "missing"}, [&] { read_encoder_folder(copy); });
    copy = copy_model(folder, scratch);
    std::filesystem::resize_file(copy / "model.safetensors", 5000);
    require_error(Code::kCorrupt, {"model.safetensors"}, [&] { read_encoder_folder(copy); });
    std::filesystem::remove(copy / "model.safetensors");
    require_error(Code::kNotFound, {"model.safetensors"}, [&] { read_encoder_folder(copy); });
    require_error(Code::kInvalidArgument, {"config.json", "is a file"}, [&] { read_encoder_folder(copy / "config.json"); });
    require_error(Code::kNotFound, {"absent"}, [&] { read_encoder_folder(scratch / "absent"); });
}
