// Passes over token losses, which the tasks of decoders and of masked tokens share: examples lie end to end as far as
// micro_tokens goes, losses are summed. Thread rule: one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "model/backend_training.hpp"
#include "train/tasks/task.hpp"
#include "train/token_text.hpp"

namespace rag::core {

/// Ids and what each should lead to, see TokenTargets. Views of what the caller keeps.
struct TokenPart {
    std::span<const std::int32_t> ids, targets;
};

/// What the passes of a step or an evaluation have in common.
struct TokenPassOptions {
    double scale = 1.0;     // of the gradient
    bool training = false;  // gradients are added, tokens are dropped
    const std::function<bool()>& stop;
};

/// One pass. `dropout_seed`: see ForwardOptions. Throws Stopped and what the backend reports.
TokenLoss run_token_pass(const TaskInput& input, const PackedTexts& texts, const TokenTargets& targets,
                         const TokenPassOptions& options, std::uint64_t dropout_seed);

/// As many passes as it takes; `seed_of(n)` is the dropout's of pass n.
TokenLoss run_token_passes(const TaskInput& input, std::span<const TokenPart> parts, const TokenPassOptions& options,
                           const std::function<std::uint64_t(std::uint64_t pass)>& seed_of);

void add_loss(const TokenLoss& part, TokenLoss& sum);

}  // namespace rag::core
