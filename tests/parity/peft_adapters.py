"""peft's model with several random LoRA adapters, the oracle of tests of adapters that stay beside the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def with_adapters(base: Any, configs: Mapping[str, Mapping[str, Any]]) -> Any:
    """`configs` by adapter name: arguments of peft.LoraConfig. Both factors are random, so that no adapter is without effect."""
    import peft
    import torch

    model: Any = None
    for name, settings in configs.items():
        config = peft.LoraConfig(**settings)
        if model is None:
            model = peft.get_peft_model(base, config, adapter_name=name).eval()
        else:
            model.add_adapter(name, config)
    noise = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "lora_" in key:
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=noise))
    return model
