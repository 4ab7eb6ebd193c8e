#!/usr/bin/env python3
"""Lays out every kind of vocabulary that librag reads, with the ids that the kind's own program gives, for
tests/tokenizer/test_vocabularies.cpp.

    make_vocabularies.py --out build/vocabularies [--data SHARED]

--data: the folder with tokenizers/ (by default $RAG_SHARED_DATA), --published: that of scripts/get_tokenizers.py; without them
only SentencePiece models trained here are written. Each vocabulary is a folder or
file below --out, unpacked from the data or written from a vocabulary there in another format. index.json lists {"name", "path",
"rows"}; a row is {"text", "ids", "ids_special"?, "offsets"?, "decoded"?}: ids without and with special tokens, offsets in
characters, the text of `ids` with special tokens kept.
"""

import argparse
import base64
import gzip
import io
import json
import os
import pathlib
import shutil
import struct

import gguf
import sentencepiece
from tokenizers import Tokenizer

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

SHARED = {  # folder: (files to unpack, what librag is asked to read)
    "bert-base-cased": (["tokenizer.json"], "."),
    "bert-base-uncased": (["tokenizer.json"], "."),
    "cl100k_base": (["cl100k_base.tiktoken", "pattern.txt"], "."),
    "clip": (["tokenizer.json", "tokenizer_config.json"], "."),
    "deepseek-coder": (["tokenizer.json"], "."),
    "gpt2": (["tokenizer.json"], "."),
    "phi-3-mini": (["tokenizer.json", "tokenizer_config.json"], "."),
    "refact": (["tokenizer.json"], "."),
    "roberta-base": (["tokenizer.json", "tokenizer_config.json"], "."),
    "rwkv_world": (["rwkv_vocab_v20230424.txt"], "."),
    "spm_bpemb_en_100k": (["model.spm"], "model.spm"),
    "t5-small": (["tokenizer.json", "tokenizer_config.json"], "."),
    "whisper-tiny": (["tokenizer.json", "tokenizer_config.json"], "."),
}


def read_lines(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def unpack(source, names, target):
    """Copies files, packed or not, out of the shared data."""
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)
        else:
            with gzip.open(source / f"{name}.gz") as packed, open(target / name, "wb") as plain:
                shutil.copyfileobj(packed, plain)


class Writer:
    def __init__(self, out):
        self.out = out
        self.index = []
        out.mkdir(parents=True, exist_ok=True)

    def add(self, name, path, rows):
        rows_path = self.out / f"{name}.rows.jsonl"
        with open(rows_path, "w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps({key: value for key, value in row.items() if value is not None}) + "\n")
        self.index.append({"name": name, "path": str(path), "rows": str(rows_path)})

    def finish(self):
        (self.out / "index.json").write_text(json.dumps(self.index, indent=1), encoding="utf-8")


def shared_rows(folder, texts):
    """The goldens of a folder of the shared data, with their texts."""
    for row in read_lines(folder / "golden.jsonl.gz"):
        out = {"text": texts[row["id"]], "ids": row["ids"], "ids_special": row.get("ids_special")}
        if row.get("offsets") is not None:
            out["offsets"] = [place for pair in row["offsets"] for place in pair]
        yield out | {"decoded": row.get("decoded")}


def add_shared(writer, tokenizers, texts):
    for name, (files, path) in SHARED.items():
        unpack(tokenizers / name, files, writer.out / name)
        writer.add(name, writer.out / name / path, shared_rows(tokenizers / name, texts))


# ---- SentencePiece ------------------------------------------------------------------------------------------------------------

SENTENCES = [
    "A knowledge base answers questions from the documents that it holds, and says where it read the answer.",
    "Documents are cut into passages, passages into words, words into tokens; tokens are what a model reads.",
    "Nothing is sent anywhere. The models run where the documents are, on an ordinary machine without a network.",
    "It's fast enough, isn't it? They'll see, we've measured: 12,345 passages in 67.8 seconds on 2 cores.",
    "\u77e5\u8bc6\u5e93\u6839\u636e\u5b83\u4fdd\u5b58\u7684\u6587\u6863\u56de\u7b54\u95ee\u9898\uff0c\u5e76\u8bf4\u660e\u7b54\u6848\u51fa\u81ea\u54ea\u91cc\u3002",
    "Gr\u00f6\u00dfe, na\u00efve caf\u00e9, \u00c5ngstr\u00f6m, \u043f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440, \ud55c\uad6d\uc5b4 \ubb38\uc7a5.",
]


def sentencepiece_rows(model, texts):
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    for text in texts:
        if "\0" in text:  # ends a text there
            continue
        ids = processor.encode(text)
        yield {"text": text, "ids": ids, "ids_special": ids, "decoded": processor.decode(ids)}


def trained(**options):
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 4), model_writer=out, hard_vocab_limit=False, minloglevel=2, num_threads=1, **options
    )
    return out.getvalue()


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def message(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def with_unused(model):
    """The same model with every third piece of more than one character marked as unused."""
    out, at, number = b"", 0, 0
    while at < len(model):
        key, at = read_varint(model, at)
        size, at = read_varint(model, at)  # the fields of the file are messages, all of them
        part, at = model[at : at + size], at + size
        if key >> 3 == 1:
            length, start = read_varint(part, 1)
            piece = part[start : start + length].decode()
            normal = len(part) == start + length + 5  # a text and a score; the type is only written when it is not NORMAL
            if number > 20 and number % 3 == 0 and normal and len(piece) > 1:
                part += b"\x18" + varint(UNUSED)
            number += 1
        out += message(key >> 3, part)
    return out


def t5_as_sentencepiece(tokenizer_json):
    """T5's own vocabulary and character map as the file that they come from."""
    out = b""
    for i, (piece, score) in enumerate(tokenizer_json["model"]["vocab"][:32000]):
        kind = UNKNOWN if i == tokenizer_json["model"]["unk_id"] else CONTROL if i < 3 else NORMAL
        out += message(1, message(1, piece.encode()) + b"\x15" + struct.pack("<f", score) + b"\x18" + varint(kind))
    charsmap = base64.b64decode(tokenizer_json["normalizer"]["precompiled_charsmap"])
    return out + message(3, message(2, charsmap))


def llama2_as_sentencepiece(tokenizer_json):
    """Llama 2's own vocabulary as the file that it comes from; the rank of what a merge makes is the order of its score."""
    made = {}
    for rank, merge in enumerate(tokenizer_json["model"]["merges"]):
        made.setdefault("".join(merge.split(" ") if isinstance(merge, str) else merge), rank)
    out = b""
    for i, piece in enumerate(sorted(tokenizer_json["model"]["vocab"], key=tokenizer_json["model"]["vocab"].get)):
        is_byte = len(piece) == 6 and piece.startswith("<0x")
        kind = UNKNOWN if i == 0 else CONTROL if i < 3 else BYTE if is_byte else NORMAL
        score = 0.0 if kind != NORMAL else -float(made.get(piece, len(made) + i))
        out += message(1, message(1, piece.encode()) + b"\x15" + struct.pack("<f", score) + b"\x18" + varint(kind))
    trainer = b"\x18\x02" + varint(35 << 3) + b"\x01"  # bpe, byte_fallback
    return out + message(2, trainer) + message(3, b"\x18\x01\x20\x00")  # a space before, white space stays


def add_sentencepiece(writer, tokenizers, texts):
    symbols = ["<sep>", "passages", " mix ", "\u2581two"]
    models = {
        "spm_unigram": trained(vocab_size=300, model_type="unigram", user_defined_symbols=symbols, control_symbols=["<ctl>"]),
        "spm_unigram_bytes": trained(vocab_size=600, model_type="unigram", byte_fallback=True, add_dummy_prefix=False),
        "spm_unigram_plain": trained(
            vocab_size=300, model_type="unigram", normalization_rule_name="identity", remove_extra_whitespaces=False
        ),
        "spm_bpe": trained(vocab_size=300, model_type="bpe", user_defined_symbols=symbols, control_symbols=["<ctl>"]),
        "spm_bpe_bytes": trained(
            vocab_size=600,
            model_type="bpe",
            byte_fallback=True,
            remove_extra_whitespaces=False,
            normalization_rule_name="identity",
        ),
        "spm_bpe_across": trained(vocab_size=400, model_type="bpe", split_by_whitespace=False, normalization_rule_name="nfkc_cf"),
    }
    models["spm_bpe_unused"] = with_unused(models["spm_bpe"])
    models["spm_unigram_unused"] = with_unused(models["spm_unigram"])
    own = [
        *texts,
        *SENTENCES,
        *hard_texts(),
        "a<sep>b <sep> c<ctl>d passages  mix \u2581two<unk>",
        "<0x41>\u2047 \u2581",
        "<s></s>",
    ]
    for name, model in models.items():
        path = writer.out / f"{name}.model"
        path.write_bytes(model)
        writer.add(name, path, sentencepiece_rows(model, own))
    if tokenizers is not None:
        model = t5_as_sentencepiece(read_json(tokenizers / "t5-small" / "tokenizer.json"))
        path = writer.out / "t5.model"
        path.write_bytes(model)
        writer.add("t5.model", path, sentencepiece_rows(model, own))


# ---- GGUF, written as llama.cpp's converter writes it -------------------------------------------------------------------------

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
META = "\u2581"


def read_json(path):
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    with gzip.open(f"{path}.gz", "rt", encoding="utf-8") as file:
        return json.load(file)


def tokens_and_types(tokenizer_json):
    """All ids in order, those of added tokens as the converter marks them; holes are unused."""
    model = tokenizer_json["model"]
    by_id = {}
    if isinstance(model["vocab"], list):
        by_id = {i: (token, NORMAL) for i, (token, _) in enumerate(model["vocab"])}
    else:
        by_id = {i: (token, NORMAL) for token, i in model["vocab"].items()}
    for token in tokenizer_json["added_tokens"]:
        by_id[token["id"]] = (token["content"], CONTROL if token["special"] else USER_DEFINED)
    count = max(by_id) + 1
    return [by_id.get(i, (f"[PAD{i}]", UNUSED)) for i in range(count)]


def template_ids(tokenizer_json):
    """What the post-processor puts before and behind one text."""
    post = tokenizer_json.get("post_processor") or {}
    for stage in post.get("processors", [post]):
        if stage.get("type") != "TemplateProcessing":
            continue
        names = [piece["SpecialToken"]["id"] if "SpecialToken" in piece else None for piece in stage["single"]]
        ids = [None if name is None else stage["special_tokens"][name]["ids"][0] for name in names]
        return ([*ids[: ids.index(None)], None][0], [*ids[ids.index(None) + 1 :], None][0])
    return (None, None)


def write_gguf(path, kind, pre, tokenizer_json, name="test"):
    model = tokenizer_json["model"]
    listed = tokens_and_types(tokenizer_json)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(name)
    writer.add_tokenizer_model(kind)
    writer.add_tokenizer_pre(pre)
    bos, eos = template_ids(tokenizer_json)
    unknown = None
    if kind == "gpt2":
        merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
        writer.add_token_merges(merges)
    elif kind == "bert":
        unknown = model["vocab"][model["unk_token"]]
        listed = [
            (token if kind != NORMAL or (token.startswith("[") and token.endswith("]")) else phantom_space(token), kind)
            for token, kind in listed
        ]
    elif kind == "llama":
        unknown = model["vocab"][model["unk_token"]]
        made = {}  # the rank of what a merge makes is the order of its score
        for rank, merge in enumerate(model["merges"]):
            made.setdefault("".join(merge.split(" ") if isinstance(merge, str) else merge), -float(rank + 1))
        writer.add_token_scores([0.0 if kind == USER_DEFINED else made.get(token, -1e9) for token, kind in listed])
        listed = [(token, BYTE if len(token) == 6 and token.startswith("<0x") else kind) for token, kind in listed]
        listed = [(token.replace(META, " ") if kind == USER_DEFINED else token, kind) for token, kind in listed]
        writer.add_add_space_prefix("Prepend" in json.dumps(tokenizer_json["normalizer"]))
    elif kind == "t5":
        unknown = model["unk_id"]
        scores = [score for _, score in model["vocab"]]
        writer.add_token_scores([score if listed[i][1] == NORMAL else -1000.0 for i, score in enumerate(scores)])
        writer.add_precompiled_charsmap(base64.b64decode(tokenizer_json["normalizer"]["precompiled_charsmap"]))
        writer.add_add_space_prefix(True)
        writer.add_remove_extra_whitespaces(True)
    if unknown is not None:
        listed[unknown] = (listed[unknown][0], UNKNOWN)
        writer.add_unk_token_id(unknown)
    if kind == "bert":
        writer.add_uint32("tokenizer.ggml.cls_token_id", bos)
        writer.add_sep_token_id(eos)
    else:
        for token_id, add_id, add_flag in (
            (bos, writer.add_bos_token_id, writer.add_add_bos_token),
            (eos, writer.add_eos_token_id, writer.add_add_eos_token),
        ):
            if token_id is not None:
                add_id(token_id)
            add_flag(token_id is not None)
    writer.add_token_list([token for token, _ in listed])
    writer.add_token_types([kind for _, kind in listed])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def phantom_space(token):
    return token[2:] if token.startswith("##") else META + token


def without(rows, *keys):
    for row in rows:
        yield {key: value for key, value in row.items() if key not in keys}


def add_gguf_of_shared(writer, tokenizers, texts):
    for name, kind, pre in (
        ("gpt2", "gpt2", "gpt-2"),
        ("deepseek-coder", "gpt2", "deepseek-coder"),
        ("refact", "gpt2", "refact"),
        ("bert-base-uncased", "bert", "bert-bge"),
        ("phi-3-mini", "llama", "default"),
        ("t5-small", "t5", "default"),
    ):
        path = writer.out / f"{name}.gguf"
        write_gguf(path, kind, pre, read_json(tokenizers / name / "tokenizer.json"), name)
        rows = list(shared_rows(tokenizers / name, texts))
        cases = {"gpt2": "gpt-2", "bert-base-uncased": "bert-bge", "phi-3-mini": "phi-3"}.get(name, name)
        if (tokenizers / "llamacpp_cases" / f"{cases}.jsonl").exists():
            rows += read_cases(tokenizers, cases)
        if name == "phi-3-mini":
            rows += read_cases(tokenizers, "llama-spm")
        writer.add(f"{name}.gguf", path, rows)


def read_cases(tokenizers, name):
    with open(tokenizers / "llamacpp_cases" / f"{name}.jsonl", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def hard_texts():
    """Where merges of one score, or of one result, could go either way."""
    yield from (" " * count + "x" for count in (2, 3, 7, 31, 32, 33, 62, 63, 64, 100))
    yield from ("\n" * count + "x" for count in (2, 3, 30, 31, 32, 33, 65, 100))
    yield from (
        "a" * 57,
        "ab" * 33,
        "=" * 200,
        "-" * 90,
        "_" * 77,
        "  \n \n\t\t  \r\n",
        "aaabaaabaaaab" * 5,
        "\u2581\u2581 \u2581x",
    )
    yield from ("0" * 40, "1234567890" * 5, "\u4e2d" * 40, "\U0001f600" * 9, "e\u0301" * 9, "don't WE'LL I'm", "<s>a</s>b<unk>c")


def add_gguf_of_published(writer, published, tokenizers, texts):
    texts = [*texts, *hard_texts()]
    for name, kind, pre, cases in (
        ("llama3", "gpt2", "llama-bpe", "llama-bpe"),
        ("llama3_1", "gpt2", "llama-bpe", "llama-bpe"),
        ("qwen3", "gpt2", "qwen2", "qwen2"),
        ("gpt4o", "gpt2", "gpt-4o", None),
        ("gptoss", "gpt2", "gpt-4o", None),
        ("deepseek_v3", "gpt2", "deepseek-v3", None),
        ("llama2", "llama", "default", None),
        ("gemma3", "llama", "default", None),
    ):
        folder = published / name
        if not (folder / "tokenizer.json").exists():
            continue
        path = writer.out / f"{name}.gguf"
        write_gguf(path, kind, pre, read_json(folder / "tokenizer.json"), name)
        theirs = Tokenizer.from_file(str(folder / "tokenizer.json"))
        rows = []
        for text in texts:
            encoding = theirs.encode(text, add_special_tokens=False)
            decoded = theirs.decode(encoding.ids, skip_special_tokens=False)
            rows.append({"text": text, "ids": encoding.ids, "ids_special": theirs.encode(text).ids, "decoded": decoded})
        writer.add(f"{name}.gguf", path, rows + (read_cases(tokenizers, cases) if cases else []))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--data", default=os.environ.get("RAG_SHARED_DATA", ""))
    parser.add_argument("--published", type=pathlib.Path, default=ROOT / "models" / "tokenizers")
    arguments = parser.parse_args()
    writer = Writer(arguments.out)
    texts = {}
    tokenizers = pathlib.Path(arguments.data) / "tokenizers"
    if arguments.data and tokenizers.is_dir():
        texts = {row["id"]: row["text"] for row in read_lines(tokenizers / "texts.jsonl.gz")}
        add_shared(writer, tokenizers, texts)
        add_sentencepiece(writer, tokenizers, list(texts.values()))
        add_gguf_of_shared(writer, tokenizers, texts)
        if arguments.published.is_dir():
            add_gguf_of_published(writer, arguments.published, tokenizers, [text for text in texts.values() if len(text) < 4000])
    else:
        add_sentencepiece(writer, None, [])
    writer.finish()


if __name__ == "__main__":
    main()
