"""The knowledge base as a store beside Chroma and LanceDB: 10,000 short documents with vectors of 384 dimensions that the caller
brings. Adding (acknowledged, in batches of 1,000, each batch found at once), then a fresh process that imports, opens and searches.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import librag
import numpy as np
from measure import Result, take_turns

DOCUMENTS, DIM, BATCH = 10_000, 384, 1_000

# What a user's program does first, by the clock of the fresh process; the start of the interpreter is left out.
FRESH = {
    "librag": """
import librag
engine = librag.Engine({path!r}, read_only=True)
found = [hit.doc_id for hit in engine.search("number 77", vector=vector, k=10)]
""",
    "Chroma": """
import chromadb
client = chromadb.PersistentClient({path!r}, settings=chromadb.Settings(anonymized_telemetry=False))
found = client.get_collection("documents").query(query_embeddings=[vector], n_results=10)["ids"][0]
""",
    "LanceDB": """
import lancedb
table = lancedb.connect({path!r}).open_table("documents")
found = [row["id"] for row in table.search(vector).limit(10).to_list()]
""",
}
PROGRAM = """
import time
vector = [(i * 37 % 101 - 50) / 100 for i in range({dim})]
started = time.perf_counter()
{body}
print((time.perf_counter() - started) * 1000)
assert len(found) == 10, found
"""


class Store:
    """One contender: add() makes a new store in a folder and returns the seconds that adding took."""

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors = vectors
        self.ids = [f"document-{i}" for i in range(len(vectors))]
        self.texts = [f"text number {i} about {'abcdefghij'[i % 10] * 5} and number {i % 997}" for i in range(len(vectors))]

    def batches(self) -> list[slice]:
        return [slice(start, start + BATCH) for start in range(0, len(self.ids), BATCH)]

    def check(self, found: str, batch: slice) -> None:
        """A batch that was acknowledged is found at once."""
        expected = self.ids[batch][-1]
        if found != expected:
            raise AssertionError(f"{type(self).__name__} acknowledged {expected} and found {found}")


class Librag(Store):
    """Durable at each return: SQLite with synchronous=FULL."""

    def add(self, path: str) -> float:
        with librag.Engine(path) as engine:
            started = time.perf_counter()
            for batch in self.batches():
                engine.add(self.texts[batch], ids=self.ids[batch], vectors=self.vectors[batch], show_progress=False)
                self.check(engine.search(vector=self.vectors[batch][-1], k=1)[0].doc_id, batch)
            return time.perf_counter() - started


class Chroma(Store):
    def add(self, path: str) -> float:
        import chromadb

        client = chromadb.PersistentClient(path, settings=chromadb.Settings(anonymized_telemetry=False))
        collection = client.create_collection("documents", embedding_function=None, metadata={"hnsw:space": "cosine"})
        started = time.perf_counter()
        for batch in self.batches():
            collection.add(ids=self.ids[batch], documents=self.texts[batch], embeddings=list(self.vectors[batch]))
            self.check(collection.query(query_embeddings=[self.vectors[batch][-1]], n_results=1)["ids"][0][0], batch)
        return time.perf_counter() - started


class LanceDB(Store):
    """Without an index, as it is after adding: its searches are exact scans."""

    def add(self, path: str) -> float:
        import lancedb

        database = lancedb.connect(path)
        started = time.perf_counter()
        table = None
        for batch in self.batches():
            rows = [
                {"id": name, "text": text, "vector": vector}
                for name, text, vector in zip(self.ids[batch], self.texts[batch], self.vectors[batch])
            ]
            if table is None:
                table = database.create_table("documents", rows)
            else:
                table.add(rows)
            self.check(table.search(self.vectors[batch][-1]).limit(1).to_list()[0]["id"], batch)
        return time.perf_counter() - started


def run(models: Path, rounds: int) -> list[Result]:
    """Documents a second, then milliseconds. Needs no model; `make bench` installs both peers."""
    import chromadb  # noqa: F401  (missing: said before anything is measured)
    import lancedb  # noqa: F401

    rng = np.random.default_rng(1)
    centres = rng.standard_normal((100, DIM)).astype(np.float32)
    vectors = centres[rng.integers(0, 100, DOCUMENTS)] + 0.5 * rng.standard_normal((DOCUMENTS, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    stores = {"librag": Librag(vectors), "Chroma": Chroma(vectors), "LanceDB": LanceDB(vectors)}
    with tempfile.TemporaryDirectory() as folder:
        paths: dict[str, str] = {}  # of each one's last store

        def adding(name: str) -> Callable[[], float]:
            def once() -> float:
                # A new folder each time: Chroma goes on using what it has open of an old one.
                paths[name] = tempfile.mkdtemp(prefix=name, dir=folder)
                return DOCUMENTS / stores[name].add(paths[name])

            return once

        def fresh(name: str) -> Callable[[], float]:
            program = PROGRAM.format(dim=DIM, body=FRESH[name].format(path=paths[name]))

            def once() -> float:
                done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
                if done.returncode:
                    raise RuntimeError(f"{name} in a fresh process: {done.stderr[-500:]}")
                return float(done.stdout.split()[-1])

            return once

        title = f"adding {DOCUMENTS:,} documents with vectors"
        results = take_turns(title, "documents/s", {name: adding(name) for name in stores}, rounds, warm_up=False)
        return results + take_turns(
            f"import, open, first search of {DOCUMENTS:,} documents", "ms", {name: fresh(name) for name in stores}, rounds
        )
