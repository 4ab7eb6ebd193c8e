"""Small random decoders as embedders and rerankers, made by transformers and saved as sentence-transformers publishes them, for
test_decoder_encoders.py: Qwen3-Embedding (last token, prompts, an end token that the tokenizer appends) and Qwen3-Reranker (yes or
no behind a prompt)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from decoder_models import PLAIN, SHAPES, randomize
from encoder_models import TEXTS, write_json

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"]
PROMPTS = {"query": "Instruct: Given a web search query, find passages that answer it\nQuery:", "document": ""}

# The words of the published card, as a template whose roles are those of a pair.
TEMPLATE = (
    "{%- set task = namespace(text='Given a web search query, retrieve relevant passages that answer the query') -%}"
    "{%- for message in messages if message['role'] == 'system' -%}{%- set task.text = message['content'] -%}{%- endfor -%}"
    "{{- '<|im_start|>system\n' -}}"
    "{{- 'Judge whether the Document meets the requirements based on the Query and the Instruct provided. ' -}}"
    '{{- \'Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n\' -}}'
    "{{- '<Instruct>: ' + task.text + '\n' -}}"
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'query' -%}{{- '<Query>: ' + message['content'] + '\n' -}}{%- endif -%}"
    "{%- if message['role'] == 'document' -%}{{- '<Document>: ' + message['content'] -}}{%- endif -%}"
    "{%- endfor -%}"
    "{{- '<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n' -}}"
)
CHAT = (
    "{% for m in messages %}{% if m['role'] == 'user' %}"
    "{{ '<|im_start|>user\n' + m['content'] + '<|im_end|>\n' }}{% endif %}{% endfor %}"
)


def make_tokenizer(folder: Path, template: str | None, append_end: bool, limit: int) -> int:
    """A byte-level BPE with the words yes and no, saved to the folder; how many tokens it has."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: i for i, letter in enumerate(letters)}
    merges = []
    for left, right in (("y", "e"), ("ye", "s"), ("n", "o"), ("t", "h"), ("th", "e"), ("\u0120", "the"), ("i", "n"), ("e", "r")):
        vocabulary[left + right] = len(vocabulary)
        merges.append((left, right))
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL[:3])
    tokenizer.add_tokens(SPECIAL[3:])
    end = tokenizer.token_to_id(SPECIAL[0])
    if append_end:
        tokenizer.post_processor = processors.TemplateProcessing(single="$A <|endoftext|>", special_tokens=[(SPECIAL[0], end)])
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=SPECIAL[0],
        eos_token=SPECIAL[0] if append_end else SPECIAL[2],
        padding_side="left",
        model_max_length=limit,
    )
    if template is not None:
        fast.chat_template = template
    fast.save_pretrained(folder)
    return int(tokenizer.get_vocab_size())


def make_model(folder: Path, kind: str, shape: int, vocabulary: int, tied: bool, **changes: Any) -> Any:
    """kind: "AutoModel" or "AutoModelForCausalLM"."""
    hidden, layers, heads, kv_heads, head_dim, intermediate = SHAPES[shape]
    config = transformers.Qwen3Config(
        vocab_size=vocabulary,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=head_dim,
        intermediate_size=intermediate,
        max_position_embeddings=1024,
        tie_word_embeddings=tied,
        pad_token_id=None,
        **{**PLAIN, **changes},
    )
    model = getattr(transformers, kind).from_config(config, attn_implementation="eager").eval()
    randomize(model, 5 + shape)
    model.save_pretrained(folder)
    return model


def write_embedder(folder: Path, shape: int = 0, limit: int = 190, **changes: Any) -> Any:
    """Transformer, Pooling of the last token, Normalize, prompts."""
    vocabulary = make_tokenizer(folder, None, append_end=True, limit=limit)
    model = make_model(folder, "AutoModel", shape, vocabulary, tied=True, **changes)
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(kinds)
    ]
    write_json(folder / "modules.json", modules)
    hidden = SHAPES[shape][0]
    write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": hidden, "pooling_mode_lasttoken": True})
    (folder / "2_Normalize").mkdir(exist_ok=True)
    write_json(
        folder / "config_sentence_transformers.json",
        {"prompts": PROMPTS, "default_prompt_name": None, "similarity_fn_name": "cosine"},
    )
    return model


def write_reranker(
    folder: Path, shape: int = 0, *, tied: bool = True, published: bool = True, limit: int = 900, **settings: Any
) -> Any:
    """published: with LogitScore and a template of its own; else a bare Qwen3ForCausalLM with a template for chats."""
    vocabulary = make_tokenizer(folder, TEMPLATE if published else CHAT, append_end=False, limit=limit)
    model = make_model(folder, "AutoModelForCausalLM", shape, vocabulary, tied)
    if published:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        kinds = [
            ("", "sentence_transformers.base.modules.transformer.Transformer"),
            ("1_LogitScore", "sentence_transformers.cross_encoder.modules.logit_score.LogitScore"),
        ]
        write_json(
            folder / "modules.json",
            [{"idx": i, "name": str(i), "path": path, "type": kind} for i, (path, kind) in enumerate(kinds)],
        )
        ids = {f"{name}_token_id": tokenizer.convert_tokens_to_ids(word) for name, word in (("true", "yes"), ("false", "no"))}
        write_json(folder / "1_LogitScore" / "config.json", {**ids, **settings})
        write_json(
            folder / "sentence_bert_config.json",
            {
                "transformer_task": "text-generation",
                "modality_config": {
                    "text": {"method": "forward", "method_output_name": "logits"},
                    "message": {"method": "forward", "method_output_name": "logits", "format": "flat"},
                },
                "module_output_name": "causal_logits",
            },
        )
        write_json(
            folder / "config_sentence_transformers.json",
            {"model_type": "CrossEncoder", "prompts": {"papers": "Find the paper"}, "default_prompt_name": None},
        )
    return model


LONG_TEXT = " ".join(TEXTS) * 3
