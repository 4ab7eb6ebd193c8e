"""Small random encoders made by transformers, for test_encoder_architectures.py and test_cross_encoders.py: every family, weights
scaled up so that attention is peaked, with a tokenizer of the family's kind in front."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

TEXTS = [
    "The river carries the letter past the old mill.",
    "A knowledge base answers questions from the documents that it holds.",
    "Seven small boats wait in the harbour for the evening wind, and nobody in the town remembers who built them, or when, or why.",
    "12 boats, 3 mills and 1 river: 4.5 km",
    "\u6cb3\u6c34\u6d41\u8fc7\u65e7\u78e8\u574a\u3002",
    "\u77e5\u8bc6\u5e93\u7528\u5b83\u6240\u5b58\u7684\u6587\u4ef6\u56de\u7b54\u95ee\u9898\u3002",
    "The mill",
    " ".join(["The wind waits in the old harbour and the river remembers 7 boats."] * 9),
]
VOCABULARY = 300
# hidden, layers, heads, intermediate: heads of 8, of 16 (one vector register) and of 12 dimensions, an odd feed-forward.
SHAPES = [(32, 2, 4, 64), (64, 3, 4, 96), (48, 2, 4, 77)]
FAMILIES = ["bert", "roberta", "xlm-roberta", "distilbert", "mpnet", "modernbert"]
BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def make_tokenizer(family: str) -> Any:
    """WordPiece with [CLS] and [SEP], or for RoBERTa's kind <s> and </s> (two of them between the texts of a pair)."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    like_roberta = family in ("roberta", "xlm-roberta", "mpnet")
    special = ROBERTA_SPECIAL if like_roberta else BERT_SPECIAL
    unknown = "<unk>" if like_roberta else "[UNK]"
    # Not trained: a trainer's vocabulary differs from run to run, and with it the vectors of the random models.
    text = " ".join(TEXTS).lower()
    letters = sorted(set(text) - {" "})
    words = sorted({word.strip(".,:") for word in text.split()} - set(letters))
    pieces = [*special, *letters, *("##" + letter for letter in letters), *words]
    vocabulary = {piece: i for i, piece in enumerate(pieces[:VOCABULARY])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=unknown))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(special)
    first, last = ("<s>", "</s>") if like_roberta else ("[CLS]", "[SEP]")
    pair = f"{first} $A {last} {last} $B {last}" if like_roberta else f"{first} $A {last} $B:1 {last}:1"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        pair=pair,
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (first, last)],
    )
    return tokenizer


def make_config(family: str, shape: tuple[int, int, int, int], **changes: Any) -> Any:
    hidden, layers, heads, inner = shape
    sizes = {
        "vocab_size": VOCABULARY,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": inner,
        "max_position_embeddings": 200,
    }
    roberta = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    if family == "bert":
        return transformers.BertConfig(**{**sizes, **changes})
    if family == "roberta":
        return transformers.RobertaConfig(**{**sizes, "type_vocab_size": 1, **roberta, **changes})
    if family == "xlm-roberta":
        return transformers.XLMRobertaConfig(**{**sizes, "type_vocab_size": 1, **roberta, **changes})
    if family == "mpnet":
        return transformers.MPNetConfig(**{**sizes, **roberta, **changes})
    if family == "distilbert":
        own = {"dim": hidden, "n_layers": layers, "n_heads": heads, "hidden_dim": inner, "max_position_embeddings": 200}
        return transformers.DistilBertConfig(vocab_size=VOCABULARY, **{**own, **changes})
    special = {"pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3}
    own = {"local_attention": 16, "global_attn_every_n_layers": 2}
    return transformers.ModernBertConfig(**{**sizes, **special, **own, **changes})


def randomize(model: Any, seed: int) -> None:
    """Weights large enough that attention is peaked and every part matters; norms and biases away from one and zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() == 1:
                centre = 1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0
                parameter.copy_(centre + 0.1 * noise)
            elif "relative_attention_bias" in name:
                parameter.copy_(2.0 * noise)
            elif "embedding" in name:
                parameter.copy_(0.5 * noise)
            else:
                scale = (
                    2.5 if any(part in name for part in ("query", "key", "q_lin", "k_lin", "attn.q", "attn.k", "qkv")) else 1.5
                )
                parameter.copy_(noise * scale / parameter.shape[1] ** 0.5)


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False), encoding="utf-8")


def edit_json(path: Path, **changes: Any) -> None:
    """Sets keys of a JSON object; None removes one."""
    data = json.loads(path.read_text(encoding="utf-8"))
    for key, value in changes.items():
        data.pop(key, None)
        if value is not None:
            data[key] = value
    write_json(path, data)


def write_tokenizer(folder: Path, family: str, model_max_length: int = 190) -> None:
    tokenizer = make_tokenizer(family)
    tokenizer.save(str(folder / "tokenizer.json"))
    special = ROBERTA_SPECIAL if family in ("roberta", "xlm-roberta", "mpnet") else BERT_SPECIAL
    if special is BERT_SPECIAL:
        names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), special, strict=True))
    else:
        names = dict(zip(("cls_token", "pad_token", "sep_token", "unk_token", "mask_token"), special, strict=True))
    types = ["input_ids", "token_type_ids", "attention_mask"] if family == "bert" else ["input_ids", "attention_mask"]
    write_json(
        folder / "tokenizer_config.json",
        {
            **names,
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": model_max_length,
            "model_input_names": types,
        },
    )


def write_encoder(folder: Path, family: str, shape: tuple[int, int, int, int], seed: int = 1, **changes: Any) -> Any:
    """A plain model folder; returns transformers' model."""
    config = make_config(family, shape, **changes)
    model = transformers.AutoModel.from_config(config).eval()
    randomize(model, seed)
    model.save_pretrained(folder)
    write_tokenizer(folder, family)
    return model


def write_modules(folder: Path, dimension: int, pooling: dict[str, Any], *, normalize: bool = False, dense: int = 0) -> None:
    """modules.json and the modules' configurations; Dense folders are written by the caller as 2_Dense, 3_Dense, ..."""
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling")]
    kinds += [(f"{2 + i}_Dense", "Dense") for i in range(dense)]
    if normalize:
        kinds.append((f"{2 + dense}_Normalize", "Normalize"))
        (folder / f"{2 + dense}_Normalize").mkdir(exist_ok=True)
    write_json(
        folder / "modules.json",
        [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (path, kind) in enumerate(kinds)
        ],
    )
    write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": dimension, **pooling})


def spread(expected: Any) -> float:
    """The range of the outputs, which tolerances are parts of."""
    return float(expected.max() - expected.min())
