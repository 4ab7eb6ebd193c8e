// Configurations of arbitrary bytes are refused with an Error or give values within the ranges of model_folder.hpp. The input is
// up to four files, divided by lines "---": the configurations (all of them read the first part), modules.json, the pooling's and
// the Dense module's.
//
// link: rag_model rag_formats rag_core
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "formats/encoder_config.hpp"
#include "formats/model_folder.hpp"
#include "formats/sentence_folder.hpp"
#include "model/decoder_family.hpp"

namespace {

using namespace rag::core;

/// One scratch folder for the process; every configuration is a link to the same file, so that a run writes three files.
class Folder {
  public:
    Folder() {
        // In memory where there is such a folder: thousands of runs write three files each.
        const std::filesystem::path memory = "/dev/shm";
        const auto parent = ::access(memory.c_str(), W_OK) == 0 ? memory : std::filesystem::temp_directory_path();
        std::string pattern = (parent / "librag-fuzz-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) std::abort();
        path_ = pattern;
        std::filesystem::create_directory(path_ / "1_Pooling");
        std::filesystem::create_directory(path_ / "2_Dense");
        for (const char* name :
             {"adapter_config.json", "sentence_bert_config.json", "tokenizer_config.json", "config_sentence_transformers.json"})
            std::filesystem::create_symlink("config.json", path_ / name);
    }
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    const std::filesystem::path& path() const { return path_; }
    void write(const char* name, std::string_view bytes) const {
        std::ofstream out(path_ / name, std::ios::binary | std::ios::trunc);
        out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }

  private:
    std::filesystem::path path_;
};

template <typename Call>
void ask(Call&& call) {
    try {
        call();
    } catch (const Error&) {
        // What is expected of a bad file.
    }
}

void require(bool condition) {
    if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Folder folder;
    constexpr std::string_view kDivider = "\n---\n";
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    for (const char* name : {"config.json", "modules.json", "1_Pooling/config.json", "2_Dense/config.json"}) {
        const auto end = rest.find(kDivider);
        folder.write(name, rest.substr(0, end));
        rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + kDivider.size());
    }
    ask([] { read_model_type(folder.path()); });
    ask([] {
        const auto config = read_bert_config(folder.path());
        require(config.hidden_size >= 1 && config.heads >= 1 && config.layers <= 4096 && config.layer_norm_eps > 0);
    });
    ask([] { require(read_distilbert_config(folder.path()).heads >= 1); });
    ask([] {
        const auto config = read_modernbert_config(folder.path());
        require(config.global_layers.size() == static_cast<std::size_t>(config.layers) && config.global_theta > 0 &&
                config.local_theta > 0 && config.local_attention >= 1);
    });
    ask([] { require(!read_classifier_config(folder.path()).labels.empty()); });
    ask([] {
        const auto config = read_decoder_folder(folder.path());
        require(config.heads >= 1 && config.kv_heads.value_or(1) >= 1 && config.rope.theta.value_or(1) > 0);
        const auto decoder = decoder_config_of(config);
        require(static_cast<std::int64_t>(decoder.rotary.frequencies.size()) == decoder.head_dim / 2 &&
                decoder.rms_norm_eps >= 0);
    });
    ask([] { require(read_lora_config(folder.path()).r >= 1); });
    ask([] {
        const auto sentence = read_sentence_folder(folder.path());
        require(sentence.max_seq_length.value_or(1) >= 1 && !sentence.transformer.empty());
    });
    return 0;
}
