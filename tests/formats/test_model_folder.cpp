// The configurations in model folders: both generations of the files, and refusal by file, key and value.
#include "build_files.hpp"
#include "formats/encoder_config.hpp"
#include "formats/model_folder.hpp"
#include "formats/sentence_folder.hpp"

using namespace rag::core;
using namespace rag::test;

namespace {

const std::string kBert = R"({"model_type":"bert","vocab_size":100,"hidden_size":32,"num_hidden_layers":2,"num_attention_heads":4,
    "intermediate_size":64,"max_position_embeddings":48,"type_vocab_size":2,"layer_norm_eps":1e-12,"hidden_act":"gelu"})";

/// `text` with one "key": value put in or replaced.
std::string with(std::string text, const std::string& key, const std::string& value) {
    const std::string quoted = "\"" + key + "\":";
    const auto at = text.find(quoted);
    if (at == std::string::npos) return text.substr(0, text.size() - 1) + "," + quoted + value + "}";
    const auto end = text.find_first_of(",}", at);
    return text.replace(at, end - at, quoted + value);
}

}  // namespace

TEST_CASE("BERT's config.json is read", "[formats]") {
    TemporaryFolder folder;
    require_error(Code::kNotFound, {"config.json"}, [&] { read_bert_config(folder.path()); });
    put(folder, "config.json", kBert);
    CHECK(read_model_type(folder.path()) == "bert");
    const auto config = read_bert_config(folder.path());
    CHECK(config.hidden_size == 32);
    CHECK(config.max_positions == 48);
    CHECK(config.layer_norm_eps == 1e-12);
    CHECK(config.position_embedding_type == "absolute");
    const std::vector<std::pair<std::string, std::string>> bad = {{"hidden_size", "0"},
                                                                  {"hidden_size", "-4"},
                                                                  {"hidden_size", "\"32\""},
                                                                  {"hidden_size", "32.5"},
                                                                  {"hidden_size", "1000000000000"},
                                                                  {"hidden_size", "18446744073709551615"},
                                                                  {"num_hidden_layers", "5000"},
                                                                  {"layer_norm_eps", "0"},
                                                                  {"layer_norm_eps", "\"small\""},
                                                                  {"hidden_act", "3"},
                                                                  {"vocab_size", "null"}};
    for (const auto& [key, value] : bad) {
        put(folder, "config.json", with(kBert, key, value));
        INFO(key << " = " << value);
        require_error(Code::kCorrupt, {"config.json", key}, [&] { read_bert_config(folder.path()); });
    }
    for (const std::string text : {"", "[]", "{", "{\"a\":1e999}", "{\"model_type\":\"a\",\"model_type\":\"b\"}", "\xff"}) {
        put(folder, "config.json", text);
        INFO(text);
        require_error(Code::kCorrupt, {"config.json"}, [&] { read_model_type(folder.path()); });
    }
}

TEST_CASE("a sentence-transformers folder is read in both generations", "[formats]") {
    TemporaryFolder folder;
    put(folder, "config.json", kBert);
    const auto plain = read_sentence_folder(folder.path());
    CHECK(plain.transformer == folder.path());
    CHECK(plain.pooling == std::vector<std::string>{"mean"});
    CHECK_FALSE(plain.normalize);
    CHECK_FALSE(plain.max_seq_length);

    put(folder, "modules.json", R"([{"idx":0,"name":"0","path":"","type":"sentence_transformers.models.Transformer"},
        {"idx":1,"name":"1","path":"1_Pooling","type":"sentence_transformers.models.Pooling"},
        {"idx":2,"name":"2","path":"2_Normalize","type":"sentence_transformers.models.Normalize"}])");
    put(folder, "1_Pooling/config.json", R"({"word_embedding_dimension":32,"pooling_mode_cls_token":true,
        "pooling_mode_mean_tokens":false})");
    put(folder, "sentence_bert_config.json", R"({"max_seq_length":40,"do_lower_case":false})");
    const auto old = read_sentence_folder(folder.path());
    CHECK(old.pooling == std::vector<std::string>{"cls"});
    CHECK(old.embedding_dimension == 32);
    CHECK(old.normalize);
    CHECK(old.max_seq_length == 40);

    put(folder, "modules.json", R"([{"idx":0,"name":"0","path":"0_T",
        "type":"sentence_transformers.base.modules.transformer.Transformer"},
        {"idx":1,"name":"1","path":"1_Pooling","type":"sentence_transformers.sentence_transformer.modules.pooling.Pooling"},
        {"idx":2,"name":"2","path":"2_Dense","type":"sentence_transformers.models.Dense"},
        {"idx":3,"name":"3","path":"3_CNN","type":"sentence_transformers.models.CNN"}])");
    put(folder, "1_Pooling/config.json", R"({"embedding_dimension":32,"pooling_mode":"mean","include_prompt":false})");
    put(folder, "2_Dense/config.json", R"({"in_features":32,"out_features":8,"bias":false,
        "activation_function":"torch.nn.modules.activation.ReLU"})");
    put(folder, "config_sentence_transformers.json",
        R"({"prompts":{"query":"q: ","document":null},"default_prompt_name":"query"})");
    put(folder, "0_T/tokenizer_config.json", R"({"model_max_length":33})");
    const auto current = read_sentence_folder(folder.path());
    CHECK(current.transformer == folder.path() / "0_T");
    CHECK(current.pooling == std::vector<std::string>{"mean"});
    CHECK_FALSE(current.normalize);
    CHECK(current.max_seq_length == 33);
    CHECK(current.other_modules == std::vector<std::string>{"CNN"});
    CHECK_FALSE(current.include_prompt);
    REQUIRE(current.dense.size() == 1);
    CHECK(current.dense[0].folder == folder.path() / "2_Dense");
    CHECK(current.dense[0].inputs == 32);
    CHECK(current.dense[0].outputs == 8);
    CHECK_FALSE(current.dense[0].bias);
    CHECK(current.dense[0].activation == "ReLU");
    CHECK(current.prompts == std::map<std::string, std::string>{{"query", "q: "}});
    CHECK(current.default_prompt_name == "query");
    put(folder, "0_T/tokenizer_config.json", R"({"model_max_length":1000000000000000019884624838656})");
    CHECK_FALSE(read_sentence_folder(folder.path()).max_seq_length);
}

TEST_CASE("a bad sentence-transformers folder is refused", "[formats]") {
    TemporaryFolder folder;
    const auto modules = [&](const std::string& text) { put(folder, "modules.json", text); };
    const auto read = [&] { read_sentence_folder(folder.path()); };
    for (const std::string text : {"{}", "[]", "[3]", R"([{"type":3}])", R"([{"type":"Pooling","path":"1_Pooling"}])"}) {
        modules(text);
        INFO(text);
        require_error(Code::kCorrupt, {"modules.json"}, read);
    }
    for (const std::string path : {"..", "../x", "/etc", "a/../../b"}) {
        modules(R"([{"type":"Transformer","path":")" + path + "\"}]");
        INFO(path);
        require_error(Code::kCorrupt, {"modules.json", "path", path}, read);
    }
    modules(R"([{"type":"Transformer","path":""},{"type":"Pooling","path":"1_Pooling"}])");
    require_error(Code::kNotFound, {"1_Pooling"}, read);
    put(folder, "1_Pooling/config.json", R"({"word_embedding_dimension":32})");
    require_error(Code::kCorrupt, {"1_Pooling", "no pooling mode"}, read);
    put(folder, "1_Pooling/config.json", R"({"pooling_mode":3})");
    require_error(Code::kCorrupt, {"pooling_mode", "3"}, read);
    put(folder, "1_Pooling/config.json", R"({"pooling_mode":"mean"})");
    put(folder, "sentence_bert_config.json", R"({"max_seq_length":0})");
    require_error(Code::kCorrupt, {"sentence_bert_config.json", "max_seq_length", "0"}, read);
    put(folder, "sentence_bert_config.json", "{}");
    for (const std::string text : {R"({"prompts":[]})", R"({"prompts":{"query":3}})", R"({"default_prompt_name":"query"})"}) {
        put(folder, "config_sentence_transformers.json", text);
        INFO(text);
        require_error(Code::kCorrupt, {"config_sentence_transformers.json"}, read);
    }
    put(folder, "config_sentence_transformers.json", "{}");
    modules(R"([{"type":"Transformer","path":""},{"type":"Pooling","path":"1_Pooling"},{"type":"Dense","path":"2_Dense"}])");
    for (const std::string text : {R"({"out_features":8})", R"({"in_features":0,"out_features":8})",
                                   R"({"in_features":32,"out_features":1152921504606846976})"}) {
        put(folder, "2_Dense/config.json", text);
        INFO(text);
        require_error(Code::kCorrupt, {"2_Dense", "features"}, read);
    }
}

TEST_CASE("ModernBERT's config.json is read in both generations", "[formats]") {
    TemporaryFolder folder;
    const std::string base = R"({"model_type":"modernbert","vocab_size":100,"hidden_size":32,"num_hidden_layers":4,
        "num_attention_heads":4,"intermediate_size":64)";
    put(folder, "config.json", base + "}");
    const auto bare = read_modernbert_config(folder.path());
    CHECK(bare.global_layers == std::vector<bool>{true, false, false, true});
    CHECK(bare.global_theta == 160000.0);
    CHECK(bare.local_theta == 10000.0);
    CHECK(bare.local_attention == 128);
    CHECK(bare.rope_type == "default");
    put(folder, "config.json",
        base + R"(,"layer_types":["full_attention","sliding_attention","full_attention","sliding_attention"],"rope_parameters":
        {"full_attention":{"rope_theta":7.0,"rope_type":"default"},"sliding_attention":{"rope_theta":5.0,"rope_type":"linear"}}})");
    const auto current = read_modernbert_config(folder.path());
    CHECK(current.global_layers == std::vector<bool>{true, false, true, false});
    CHECK(current.global_theta == 7.0);
    CHECK(current.local_theta == 5.0);
    CHECK(current.rope_type == "linear");
    for (const std::string bad :
         {R"("layer_types":["full_attention"])", R"("layer_types":["full_attention",1,2,3])", R"("rope_parameters":[])",
          R"("rope_parameters":{"full_attention":{"rope_theta":-1}})", R"("global_attn_every_n_layers":0)"}) {
        put(folder, "config.json", base + "," + bad + "}");
        INFO(bad);
        require_error(Code::kCorrupt, {"config.json"}, [&] { read_modernbert_config(folder.path()); });
    }
}

TEST_CASE("what config.json says of a classifier", "[formats]") {
    TemporaryFolder folder;
    put(folder, "config.json", kBert);
    const auto bare = read_classifier_config(folder.path());
    CHECK(bare.labels == std::vector<std::string>{"LABEL_0", "LABEL_1"});
    CHECK(bare.activation.empty());
    put(folder, "config.json", with(kBert, "id2label", R"({"1":"good","0":"bad","2":"so so"})"));
    CHECK(read_classifier_config(folder.path()).labels == std::vector<std::string>{"bad", "good", "so so"});
    put(folder, "config.json", with(kBert, "sentence_transformers", R"({"activation_fn":"torch.nn.modules.linear.Identity"})"));
    CHECK(read_classifier_config(folder.path()).activation == "Identity");
    put(folder, "config.json", with(kBert, "sbert_ce_default_activation_function", "\"torch.nn.modules.activation.Sigmoid\""));
    CHECK(read_classifier_config(folder.path()).activation == "Sigmoid");
    for (const std::string labels : {"{}", "[]", R"({"0":"a","2":"b"})", R"({"0":3})", R"({"-1":"a"})"}) {
        put(folder, "config.json", with(kBert, "id2label", labels));
        INFO(labels);
        require_error(Code::kCorrupt, {"config.json", "id2label"}, [&] { read_classifier_config(folder.path()); });
    }
}

TEST_CASE("a PEFT folder is read, and what is not implemented is refused by name", "[formats]") {
    TemporaryFolder folder;
    const std::string base = R"({"peft_type":"LORA","r":4,"lora_alpha":16,"target_modules":["query","value"],"bias":"none"})";
    put(folder, "adapter_config.json", base);
    const auto config = read_lora_config(folder.path());
    CHECK(config.r == 4);
    CHECK(config.lora_alpha == 16.0);
    CHECK_FALSE(config.use_rslora);
    CHECK(config.target_modules == std::vector<std::string>{"query", "value"});
    put(folder, "adapter_config.json", R"({"peft_type":"LORA","r":4,"use_rslora":true,"target_modules":".*q_proj",
        "rank_pattern":{"q_proj":8},"alpha_pattern":{"q_proj":32.5},"use_dora":false,"modules_to_save":null,"layer_replication":[]})");
    const auto other = read_lora_config(folder.path());
    CHECK(other.use_rslora);
    CHECK(other.target_is_regex);
    CHECK(other.rank_pattern.at("q_proj") == 8);
    CHECK(other.alpha_pattern.at("q_proj") == 32.5);

    CHECK(other.modules_to_save.empty());
    CHECK_FALSE(other.trained_biases);
    // What lies in the file whole; fan_in_fan_out means nothing for linear layers.
    for (const char* bias : {"all", "lora_only"}) {
        put(folder, "adapter_config.json",
            R"({"peft_type":"LORA","r":4,"modules_to_save":["classifier","score"],"fan_in_fan_out":true,"bias":")" +
                std::string(bias) + "\"}");
        const auto whole = read_lora_config(folder.path());
        CHECK(whole.modules_to_save == std::vector<std::string>{"classifier", "score"});
        CHECK(whole.trained_biases);
    }

    const std::vector<std::pair<std::string, std::string>> unsupported = {{"use_dora", "true"},
                                                                          {"bias", "\"some\""},
                                                                          {"lora_bias", "true"},
                                                                          {"peft_type", "\"IA3\""},
                                                                          {"target_parameters", "[\"w\"]"},
                                                                          {"layer_replication", "[[0,2]]"}};
    for (const auto& [key, value] : unsupported) {
        put(folder, "adapter_config.json", with(base, key, value));
        INFO(key << " = " << value);
        require_error(Code::kUnsupported, {"adapter_config.json", key}, [&] { read_lora_config(folder.path()); });
    }
    const std::vector<std::pair<std::string, std::string>> corrupt = {{"r", "0"},
                                                                      {"r", "null"},
                                                                      {"r", "\"4\""},
                                                                      {"lora_alpha", "\"x\""},
                                                                      {"rank_pattern", "[]"},
                                                                      {"rank_pattern", "{\"q\":0}"},
                                                                      {"alpha_pattern", "{\"q\":\"1\"}"},
                                                                      {"modules_to_save", "\"score\""},
                                                                      {"modules_to_save", "[\"\"]"},
                                                                      {"peft_type", "null"}};
    for (const auto& [key, value] : corrupt) {
        put(folder, "adapter_config.json", with(base, key, value));
        INFO(key << " = " << value);
        require_error(Code::kCorrupt, {"adapter_config.json"}, [&] { read_lora_config(folder.path()); });
    }
}
