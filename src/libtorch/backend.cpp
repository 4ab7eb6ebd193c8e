// The entry of librag_torch.so: checks the versions on both sides, chooses the architecture by name, describes itself.
#include <thread>

#include "libtorch/arch/arch.hpp"
#include "libtorch/arch/decoder_encoder.hpp"
#include "libtorch/arch/decoder_model.hpp"
#include "libtorch/device/device.hpp"
#include "libtorch/process_end.hpp"
#include "libtorch/train/model_trainer.hpp"

namespace rag::core::libtorch {
namespace {

void check_precision(Precision precision) {
    if (precision > Precision::kInt4) {
        fail(Code::kUnsupported, "precision ", static_cast<std::uint32_t>(precision), " is unknown");
    }
}

void check_exceptions(const BackendOptions& options, bool keeps_keys) {
    if (!keeps_keys && options.int8_cache) {
        fail(Code::kUnsupported, "encoders keep no keys and values, so they cannot keep them in int8");
    }
    for (const PrecisionException& exception : options.exceptions) {
        check_precision(exception.precision);
    }
}

template <typename Options>
void check_options(const Options& options) {
    find_device(options.device);
    check_precision(options.precision);
    if (options.threads > 1024) {
        fail(Code::kInvalidArgument, options.threads, " threads asked for (allowed: 0..1024)");
    }
}

// 0 threads means as many as the process may use.
template <typename Options>
Options resolved(Options options) {
    check_options(options);
    if (options.threads == 0) {
        options.threads = std::max(1U, std::thread::hardware_concurrency());
    }
    return options;
}

// Gradients are computed by the processor's own kernels alone.
TrainerOptions on_processor(TrainerOptions options) {
    if (!find_device(options.device).is_cpu()) {
        fail(Code::kUnsupported, "training runs on the processor, not on device ", quote(options.device), "; use \"cpu\"");
    }
    return options;
}

class TorchBackend : public Backend {
  public:
    std::string describe() const override {
        return c10::str("LibTorch ", TORCH_VERSION, ", ", at::get_cpu_capability(),
                        at::globalContext().hasMKLDNN() ? ", oneDNN" : "", at::globalContext().hasMKL() ? ", MKL" : "", ", ",
                        std::thread::hardware_concurrency(), " processors");
    }

    void end() noexcept override { end_computing(); }

    BackendStatus load_encoder(const EncoderConfig& config, const Weights& weights, const BackendOptions& options,
                               std::unique_ptr<BackendEncoder>& out) noexcept override {
        out.reset();
        return flattened([&] {
            check_exceptions(options, false);
            check_device_options(find_device(options.device), options);
            if (config.decoder) {
                return load_decoder_encoder(config, decoder_parts(*config.decoder, weights), weights, resolved(options), out);
            }
            struct Known {
                std::string_view name;
                decltype(&load_bert) load;
            };
            static constexpr Known kKnown[] = {{"bert", &load_bert},
                                               {"roberta", &load_roberta},
                                               {"distilbert", &load_distilbert},
                                               {"mpnet", &load_mpnet},
                                               {"modernbert", &load_modernbert}};
            for (const Known& known : kKnown) {
                if (config.architecture == known.name) {
                    return known.load(config, weights, resolved(options), out);
                }
            }
            unknown("encoder", config.architecture, weights, "bert, roberta, distilbert, mpnet, modernbert");
        });
    }

    BackendStatus load_decoder(const DecoderConfig& config, const Weights& weights, const BackendOptions& options,
                               std::unique_ptr<BackendDecoder>& out) noexcept override {
        out.reset();
        return flattened([&] {
            check_exceptions(options, true);
            check_device_options(find_device(options.device), options);
            return load_decoder_model(config, decoder_parts(config, weights), weights, resolved(options), out);
        });
    }

    BackendStatus train_encoder(const EncoderConfig& config, const Weights& weights, const TrainerOptions& options,
                                std::unique_ptr<BackendTrainer>& out) noexcept override {
        return flattened([&] { return load_encoder_trainer(config, weights, on_processor(resolved(options)), out); });
    }

    BackendStatus train_decoder(const DecoderConfig& config, const Weights& weights, const TrainerOptions& options,
                                std::unique_ptr<BackendTrainer>& out) noexcept override {
        return flattened([&] { return load_decoder_trainer(config, weights, on_processor(resolved(options)), out); });
    }

  private:
    static DecoderParts decoder_parts(const DecoderConfig& config, const Weights& weights) {
        std::string known;
        for (const auto& [name, describe] : kDecoders) {
            if (config.architecture == name) {
                return describe(config);
            }
            known += (known.empty() ? "" : ", ") + std::string(name);
        }
        unknown("decoder", config.architecture, weights, known);
    }

    [[noreturn]] static void unknown(const char* kind, const std::string& name, const Weights& weights,
                                     const std::string& known) {
        fail(Code::kUnsupported, quote(weights.source), " is of ", kind, " architecture ", quote(name), "; known: ", known);
    }

    // `load` returns a status or throws.
    template <typename Load>
    static BackendStatus flattened(Load&& load) noexcept {
        BackendStatus inner;
        BackendStatus outer = guarded([&] { inner = load(); });
        return outer.ok() ? inner : outer;
    }
};

}  // namespace
}  // namespace rag::core::libtorch

extern "C" __attribute__((visibility("default"))) void rag_torch_backend(std::uint32_t host_version, rag::core::Backend** out,
                                                                         rag::core::BackendStatus* status) {
    using namespace rag::core::libtorch;
    *out = nullptr;
    *status = guarded([&] {
        if (host_version != rag::core::kBackendVersion) {
            fail(Code::kVersion, "librag_torch.so has backend interface ", rag::core::kBackendVersion, ", librag.so asks for ",
                 host_version);
        }
        // Never destroyed: LibTorch cannot be unloaded, and models may be in use while static objects are destroyed.
        static rag::core::Backend* const backend = new TorchBackend;
        end_computing_at_exit();
        *out = backend;
    });
}
