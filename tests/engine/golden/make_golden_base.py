"""Makes a small knowledge base with the librag that is installed, and writes down what must be read from it for ever.

    python make_golden_base.py FOLDER [METRIC]

FOLDER/knowledge is the base; FOLDER/expected.json lists its documents with their vectors, and the ids that were removed. The folders
format_N beside this script were made so, by the librag that wrote format N; test_golden_bases.cpp opens each of them. Vectors are made
of exact binary fractions, so that they are the same on every machine. A metric other than cosine makes format 3.
"""

import json
import pathlib
import shutil
import sys
from typing import Any

import librag

CHINESE = "\u77e5\u8bc6\u5e93\u91cc\u7684\u6587\u6863\u4e0d\u4f1a\u4e22\u5931\u3002"


def vector_of(number: int) -> list[float]:
    return [((number * 37 + place * 11) % 64 - 31.5) / 32 for place in range(8)]


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    shutil.rmtree(folder / "knowledge", ignore_errors=True)
    documents: dict[str, dict[str, Any]] = {}
    metric: Any = sys.argv[2] if len(sys.argv) > 2 else None
    with librag.Engine(folder / "knowledge", metric=metric) as engine:
        for number in range(12):
            documents[f"note-{number}"] = {
                "text": f"Note number {number} about marker{number}.\nIts second line.",
                "title": f"Note {number}" if number % 2 else "",
                "metadata": {"number": number, "tags": ["a", "b"][: number % 3], "big": 9007199254740993 + number},
                "source": f"file:///notes/{number}.txt",
                "language": "en",
                "vector": vector_of(number),
            }
        long = " ".join(f"word{number}{'.' if number % 9 == 8 else ''}" for number in range(500))
        documents["\u957f\u6587"] = {"text": CHINESE * 3, "title": "\u6807\u9898", "metadata": {"lang": "zh"}, "language": "zh"}
        documents["long"] = {"text": long, "title": "A handbook"}
        for id, document in documents.items():
            engine.add({"id": id, **document})
        documents["note-3"]["text"] = "Note number 3 was written again, about marker3."
        documents["note-4"]["metadata"] = {"number": 4, "changed": True}
        for id in ("note-3", "note-4"):
            engine.upsert({"id": id, **documents[id]})
        removed = ["note-0", "note-5"]
        engine.add({"id": "last", "text": "The last key is one that no document has any more."})
        engine.delete([*removed, "last"])
        expected = []
        for id in documents:
            if id in removed:
                continue
            stored = engine.get(id)
            assert stored is not None
            expected.append(
                {
                    "id": id,
                    "text": stored.text,
                    "title": stored.title,
                    "metadata": stored.metadata,
                    "created_ms": stored.created_ms,
                    "updated_ms": stored.updated_ms,
                    "chunks": stored.chunks,
                    "source": stored.source,
                    "language": stored.language,
                    "vector": documents[id].get("vector"),
                }
            )
        sequence = engine.stats()["sequence"]
    for name in ("knowledge.sqlite3-wal", "knowledge.sqlite3-shm", "knowledge.lock"):
        (folder / "knowledge" / name).unlink(missing_ok=True)
    lines = ",\n".join(json.dumps(document) for document in expected)
    text = f'{{"sequence": {sequence}, "removed": {json.dumps([*removed, "last"])}, "documents": [\n{lines}\n]}}\n'
    (folder / "expected.json").write_text(text, "ascii")


if __name__ == "__main__":
    main()
