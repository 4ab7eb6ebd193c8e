#include "train/tasks/token_pass.hpp"

#include <vector>

#include "model/host_call.hpp"

namespace rag::core {

TokenLoss run_token_pass(const TaskInput& input, const PackedTexts& texts, const TokenTargets& targets,
                         const TokenPassOptions& options, std::uint64_t dropout_seed) {
    TokenLoss loss;
    StopCheck stop(options.stop);
    stop.finish(input.model.trainer().token_loss(texts.view(), targets, options.scale,
                                                 {options.training, options.training, dropout_seed}, loss, stop.call()));
    return loss;
}

TokenLoss run_token_passes(const TaskInput& input, std::span<const TokenPart> parts, const TokenPassOptions& options,
                           const std::function<std::uint64_t(std::uint64_t pass)>& seed_of) {
    TokenLoss sum;
    std::uint64_t pass = 0;
    for (std::size_t begin = 0; begin < parts.size();) {
        PackedTexts packed;
        std::vector<std::int32_t> targets;
        std::size_t end = begin;
        while (end < parts.size() && (end == begin || packed.tokens() + parts[end].ids.size() <= input.config.micro_tokens)) {
            packed.add(parts[end].ids);
            targets.insert(targets.end(), parts[end].targets.begin(), parts[end].targets.end());
            ++end;
        }
        add_loss(run_token_pass(input, packed, {targets, {}, 1.0F, 0.0F}, options, seed_of(pass++)), sum);
        begin = end;
    }
    return sum;
}

void add_loss(const TokenLoss& part, TokenLoss& sum) {
    sum.cross_entropy += part.cross_entropy;
    sum.teacher += part.teacher;
    sum.count += part.count;
    sum.right += part.right;
}

}  // namespace rag::core
