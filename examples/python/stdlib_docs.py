"""The docstrings of the running interpreter's standard library as documents: real text that is present on every machine.

Python sources are parsed, never imported, so nothing of theirs runs; the modules written in C that are part of every interpreter
(builtins, math, itertools, ...) are asked; the language reference that help() shows comes with them. One document a docstring, the
id is the dotted name, with which the text begins; one document a topic of the reference.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from librag import Document

_LEFT_OUT = {"test", "tests", "idlelib", "lib2to3", "site-packages", "dist-packages", "ensurepip", "turtledemo", "__pycache__"}
_SHORTEST = 20
_IN_C = ("builtins", "math", "cmath", "array", "binascii", "zlib", "select", "mmap", "unicodedata", "resource", "fcntl")


def stdlib_docs() -> Iterator[Document]:
    """Modules, classes and functions whose names do not begin with an underscore, and topics; each id once."""
    seen: set[str] = set()
    for document in _from_sources():
        seen.add(str(document.id))
        yield document
    yield from _topics()
    for name in sorted({*_IN_C, *(n for n in sys.builtin_module_names if not n.startswith("_"))}):
        try:
            module = importlib.import_module(name)
        except ImportError:  # an interpreter built without it
            continue
        for document in _from_object(module, "" if name == "builtins" else name, name):
            if document.id not in seen:
                seen.add(str(document.id))
                yield document


def _topics() -> Iterator[Document]:
    """The chapters of the language reference behind help("for") and the like: long texts, cut into chunks when they are added."""
    topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    for name, text in sorted(topics.items()):
        title = next((line.strip() for line in text.splitlines() if line.strip()), name)
        yield Document(text, f"topic:{name}", title, {"module": "", "kind": "topic"})


def _from_object(thing: object, name: str, module: str) -> Iterator[Document]:
    """A module or class in C, and what it defines itself."""
    for key, child in sorted(vars(thing).items()):
        text = inspect.getdoc(child) or ""
        inner = f"{name}.{key}" if name else key
        if key.startswith("_") or not (inspect.isclass(child) or callable(child)):
            continue
        if isinstance(thing, ModuleType) and getattr(child, "__module__", module) not in (module, None):
            continue  # imported from elsewhere
        if len(text) >= _SHORTEST:
            kind = "class" if inspect.isclass(child) else "function" if isinstance(thing, ModuleType) else "method"
            yield Document(f"{kind} {inner}: {text}", inner, f"{kind} {inner}", {"module": module, "kind": kind})
        if inspect.isclass(child) and not isinstance(thing, type):
            yield from _from_object(child, inner, module)


def _from_sources() -> Iterator[Document]:
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if _LEFT_OUT.intersection(parts) or any(part.startswith("_") and part != "__init__" for part in parts):
            continue
        try:
            tree = ast.parse(path.read_text("utf-8"))
        except (SyntaxError, UnicodeDecodeError):  # templates and fixtures that only look like modules
            continue
        module = ".".join(part for part in parts if part != "__init__")
        yield from _documents(tree, module, module)


def _documents(node: ast.Module | ast.ClassDef, name: str, module: str) -> Iterator[Document]:
    text = ast.get_docstring(node)
    if text and len(text) >= _SHORTEST:
        kind = "module" if isinstance(node, ast.Module) else "class"
        yield Document(f"{kind} {name}: {text}", name, f"{kind} {name}", {"module": module, "kind": kind})
    seen: set[str] = set()
    for child in node.body:
        if not isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if child.name.startswith("_") or child.name in seen:
            continue
        seen.add(child.name)
        inner = f"{name}.{child.name}"
        if isinstance(child, ast.ClassDef):
            yield from _documents(child, inner, module)
            continue
        text = ast.get_docstring(child)
        if text and len(text) >= _SHORTEST:
            kind = "function" if isinstance(node, ast.Module) else "method"
            signature = f"{inner}({ast.unparse(child.args)})"
            yield Document(f"{kind} {inner}: {text}", inner, signature, {"module": module, "kind": kind})


if __name__ == "__main__":
    print(sum(1 for _ in stdlib_docs()))
