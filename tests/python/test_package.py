"""The package as such: what importing it costs, what the stub says, what the binding includes, what is not there yet."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import librag
import pytest
from librag import _librag, errors

ROOT = Path(__file__).resolve().parents[2]


# Methods with an underscore that the stub declares too.
SPECIAL = ("__len__", "__eq__", "__reduce__", "__copy__", "__deepcopy__", "_from_bytes")


def run(code: str) -> str:
    """Runs Python code in a fresh process and gives what it printed."""
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True).stdout


def test_import_open_and_search_load_no_torch_no_numpy_no_tqdm(tmp_path: Path) -> None:
    code = f"""
import sys
import librag
with librag.Engine({str(tmp_path / "kb")!r}) as engine:
    engine.add(["a knowledge base of one document"], vectors=[[0.5, 0.25, 1]])
    assert engine.search("knowledge", mode="bm25")
    assert engine.search("knowledge", vector=[0.5, 0.25, 1])
maps = open("/proc/self/maps").read()
print(sorted({{name for name in ("torch", "c10") if "lib" + name in maps}}), "librag_torch" in maps)
print(sorted(name for name in ("numpy", "tqdm", "torch") if name in sys.modules))
"""
    assert run(code).split("\n")[:2] == ["[] False", "[]"]


def test_importing_says_how_long_threads_wait_unless_the_user_does(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import os, librag; print(os.environ.get('GOMP_SPINCOUNT'))"
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert run(code) == "10000\n"
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    assert run(code) == "None\n"
    monkeypatch.delenv("OMP_WAIT_POLICY")
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    assert run(code) == "7\n"


def test_stub_has_the_shape_of_the_module() -> None:
    tree = ast.parse((ROOT / "python/librag/_librag.pyi").read_text("utf-8"))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    real = {name: value for name, value in vars(_librag).items() if not name.startswith("_")}
    assert set(classes) == {name for name, value in real.items() if inspect.isclass(value)}
    assert functions == {name for name, value in real.items() if not inspect.isclass(value)}
    for name, node in classes.items():
        declared = {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}
        members = {
            key: value
            for key, value in vars(real[name]).items()
            if not key.startswith("_") or (key == "__init__" and "pybind11_object" not in str(value.__doc__)) or key in SPECIAL
        }
        if "__init__" not in declared:
            members.pop("__init__", None)
        assert set(declared) == set(members), name
        for key, item in declared.items():
            is_property = any(isinstance(d, ast.Name) and d.id == "property" for d in item.decorator_list)
            assert is_property == isinstance(members[key], property), f"{name}.{key}"
            if is_property or key in SPECIAL:
                continue
            # pybind11's docstring begins with the signature: the argument names must be the stub's.
            signature = (inspect.getdoc(getattr(real[name], key)) or "").split("\n")[0]
            arguments = [a for a in re.findall(r"(\w+): ", signature.split(") ->")[0]) if a != "self"]
            stub = [a.arg for a in item.args.args if a.arg != "self"]
            assert [a for a in arguments if not a.startswith("arg")] == stub or not stub, f"{name}.{key}: {signature}"


def test_binding_includes_only_public_headers() -> None:
    for path in sorted((ROOT / "bindings/python").glob("*.?pp")):
        for line in path.read_text("utf-8").splitlines():
            include = re.match(r'#include ["<]([^">]+)[">]', line)
            if include and not re.match(
                r"(rag/|pybind11/|(common|gil|text_argument)\.hpp$|unistd\.h$|[a-z_]+$)", include.group(1)
            ):
                pytest.fail(f"{path.name} includes {include.group(1)}")


def test_every_status_has_its_exception() -> None:
    header = (ROOT / "include/rag/rag.h").read_text("utf-8")
    codes = {int(number): name for name, number in re.findall(r"^    (RAG_[A-Z_]+) = (-?\d+)", header, re.M) if int(number) <= 1}
    negative = {number for number, name in codes.items() if number < 0 and not name.startswith(("RAG_LOG", "RAG_SEARCH"))}
    assert negative | {1} == set(errors._BY_CODE)
    for number in negative:
        assert _librag.status_name(number) == codes[number]
        error = errors.from_code(number, "text")
        assert error.code == number
        assert isinstance(error, librag.RagError)
        assert str(error) == "text"


def test_all_public_names_are_documented() -> None:
    for name in librag.__all__:
        thing = getattr(librag, name)
        if inspect.isclass(thing) and thing.__module__.startswith("librag.") and thing.__module__ != "librag._librag":
            assert inspect.getdoc(thing), name
            for key, value in vars(thing).items():
                if not key.startswith("_") and callable(value):
                    assert inspect.getdoc(value), f"{name}.{key}"


def test_version_is_one() -> None:
    from importlib.metadata import version

    cmake = re.search(r"project\(librag VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text("utf-8"))
    assert cmake
    assert librag.__version__ == cmake.group(1) == version("librag")


def test_fork_is_refused_with_a_clear_error() -> None:
    code = """
import os, sys, librag
engine = librag.Engine()
engine.add("text", ids="a")
child = os.fork()
if child == 0:
    try:
        engine.search("text")
    except librag.InvalidState as error:
        os._exit(7 if "fork" in str(error) else 8)
    os._exit(9)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(engine.search("text")[0].doc_id)
"""
    assert run(code).split() == ["7", "a"]


def test_missing_torch_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(librag.NotFound, match="nothing-here"):
        librag.Encoder(tmp_path / "nothing-here")
