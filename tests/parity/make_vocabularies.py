#!/usr/bin/env python3
"""Lays out every kind of vocabulary that librag reads, with the ids that the kind's own program gives, for
tests/tokenizer/test_vocabularies.cpp.

    make_vocabularies.py --out build/vocabularies [--data SHARED]

--data: the folder with tokenizers/ (by default $RAG_SHARED_DATA); without it nothing is written. Each vocabulary is a folder or
file below --out, unpacked from the data or written from a vocabulary there in another format. index.json lists {"name", "path",
"rows"}; a row is {"text", "ids", "ids_special"?, "offsets"?, "decoded"?}: ids without and with special tokens, offsets in
characters, the text of `ids` with special tokens kept.
"""

import argparse
import gzip
import json
import os
import pathlib
import shutil

SHARED = {  # folder: (files to unpack, what librag is asked to read)
    "bert-base-cased": (["tokenizer.json"], "."),
    "bert-base-uncased": (["tokenizer.json"], "."),
    "cl100k_base": (["cl100k_base.tiktoken", "pattern.txt"], "."),
    "deepseek-coder": (["tokenizer.json"], "."),
    "gpt2": (["tokenizer.json"], "."),
    "refact": (["tokenizer.json"], "."),
    "roberta-base": (["tokenizer.json", "tokenizer_config.json"], "."),
    "rwkv_world": (["rwkv_vocab_v20230424.txt"], "."),
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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--data", default=os.environ.get("RAG_SHARED_DATA", ""))
    arguments = parser.parse_args()
    writer = Writer(arguments.out)
    tokenizers = pathlib.Path(arguments.data) / "tokenizers"
    if arguments.data and tokenizers.is_dir():
        texts = {row["id"]: row["text"] for row in read_lines(tokenizers / "texts.jsonl.gz")}
        add_shared(writer, tokenizers, texts)
    writer.finish()


if __name__ == "__main__":
    main()
