"""MiniLM in OpenVINO (bfloat16) and ONNX Runtime (int8, dynamic quantisation), as their users run it: exported from the
sentence-transformers folder, texts sorted by length, padded batches of 32, mean of the tokens, length 1."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
_BATCH = 32
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class Peer:
    """``run`` takes the three inputs and gives the tokens' vectors."""

    def __init__(self, folder: Path, run: Callable[[dict[str, Any]], Any]) -> None:
        import transformers

        self._tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self._run = run

    def encode(self, texts: list[str]) -> Floats:
        order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
        out: list[Floats | None] = [None] * len(texts)
        for begin in range(0, len(texts), _BATCH):
            places = order[begin : begin + _BATCH]
            batch = self._tokenizer(
                [texts[i] for i in places], padding=True, truncation=True, max_length=256, return_tensors="np"
            )
            hidden = self._run({name: np.asarray(batch[name], dtype=np.int64) for name in _INPUTS})
            mask = batch["attention_mask"][..., None].astype(np.float32)
            vectors = (hidden * mask).sum(axis=1) / mask.sum(axis=1)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            for place, vector in zip(places, vectors, strict=True):
                out[place] = vector
        return np.asarray(out, dtype=np.float32)


def peers(folder: Path, scratch: Path) -> dict[str, Peer]:
    """Those that are installed; the exported models stay in ``scratch``."""
    found = {}
    for name, make in (("OpenVINO bfloat16", _openvino), ("ONNX Runtime int8", _onnx_runtime)):
        try:
            found[name] = Peer(folder, make(folder, scratch))
        except ImportError as missing:
            print(f"{name} is left out: {missing}")
    return found


def _torch_model(folder: Path) -> tuple[Any, tuple[Any, ...]]:
    import torch
    import transformers

    class Tokens(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
            return self.model(input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).last_hidden_state

    ids = torch.ones((2, 8), dtype=torch.int64)
    return Tokens(), (ids, torch.ones_like(ids), torch.zeros_like(ids))


def _openvino(folder: Path, scratch: Path) -> Callable[[dict[str, Any]], Any]:
    os.environ.setdefault("OPENVINO_TELEMETRY_OPTOUT", "1")
    import openvino

    model, example = _torch_model(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converted = openvino.convert_model(model, example_input=example)
    for i, name in enumerate(_INPUTS):
        converted.inputs[i].get_tensor().set_names({name})
    compiled = openvino.compile_model(converted, "CPU", {"INFERENCE_PRECISION_HINT": "bf16", "PERFORMANCE_HINT": "LATENCY"})
    request = compiled.create_infer_request()
    return lambda inputs: request.infer(inputs)[compiled.output(0)]


def _onnx_runtime(folder: Path, scratch: Path) -> Callable[[dict[str, Any]], Any]:
    import onnxruntime
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic

    whole, small = scratch / "minilm.onnx", scratch / "minilm-int8.onnx"
    if not small.exists():
        scratch.mkdir(parents=True, exist_ok=True)
        model, example = _torch_model(folder)
        axes = {name: {0: "texts", 1: "tokens"} for name in (*_INPUTS, "hidden")}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                model, example, str(whole), input_names=list(_INPUTS), output_names=["hidden"], dynamic_axes=axes, dynamo=False
            )
        quantize_dynamic(whole, small, weight_type=QuantType.QInt8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    session = onnxruntime.InferenceSession(str(small), options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)[0]
