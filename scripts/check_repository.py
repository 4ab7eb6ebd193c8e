"""Rules of this repository that no compiler or linter knows. Prints one line a finding; exits 1 if there is an error.

Errors: a source that is not ASCII or has a tab or trailing blank; a source without a header comment; torch outside src/libtorch
and its tests; a third-party header in include/; a header of ours other than include/rag in the Python binding; a path of somebody's
machine; an unfinished marker. Warnings: a source of more than 400 lines."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CODE = {".c", ".cpp", ".h", ".hpp", ".py", ".pyi", ".sh", ".cmake"}
COMMENTS = {".c": ("//", "/*"), ".h": ("//", "/*"), ".cpp": ("//", "/*"), ".hpp": ("//", "/*"), ".sh": ("#",), ".cmake": ("#",)}
GENERATED = re.compile(r"(_table|_tables|_data)\.(inc|cpp|hpp)$")  # made by a script in the repository
INCLUDE = re.compile(r"^\s*#\s*include\s*[<\"]([^>\"]+)[>\"]", re.M)
TORCH = re.compile(r"^(torch|ATen|c10|caffe2)/")
STANDARD_C = {"stddef.h", "stdint.h", "stdbool.h"}
MACHINE_PATH = re.compile(r"(?<![\w.$}/])/(home|root|Users|work|mnt|opt)/[a-z]")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
LONG_FILE = 400


def tracked_files() -> list[pathlib.Path]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, check=True, capture_output=True, cwd=ROOT).stdout.decode().split("\0")
    return [ROOT / name for name in listed if name and (ROOT / name).is_file()]


def check_text(name: str, suffix: str, text: str) -> list[str]:
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.isascii():
            column = next(index for index, letter in enumerate(line) if ord(letter) > 127)
            found.append(f"{name}:{number}: not ASCII (column {column + 1}); write an escape")
        if "\t" in line and suffix in CODE:
            found.append(f"{name}:{number}: a tab")
        if line != line.rstrip():
            found.append(f"{name}:{number}: blanks at the end")
        if UNFINISHED.search(line) and not name.endswith("check_repository.py"):
            found.append(f"{name}:{number}: an unfinished marker: {line.strip()[:80]}")
        if MACHINE_PATH.search(line) and not name.endswith("check_repository.py"):
            found.append(f"{name}:{number}: a path of one machine: {line.strip()[:80]}")
    return found


def check_header_comment(name: str, suffix: str, text: str) -> list[str]:
    start = text.lstrip()
    if suffix in {".py", ".pyi"}:
        good = start.startswith(('"""', "#")) or not start
    else:
        good = start.startswith(COMMENTS[suffix])
        # A source file beside a header of the same name is explained there.
        path = ROOT / name
        good = good or (suffix == ".cpp" and path.with_suffix(".hpp").exists())
    return [] if good else [f"{name}:1: no comment says what the file is for"]


def check_includes(name: str, text: str) -> list[str]:
    found = []
    for include in INCLUDE.findall(text):
        if TORCH.match(include) and not name.startswith(("src/libtorch/", "tests/libtorch/")):
            found.append(f"{name}: includes {include}; torch stays in src/libtorch and its tests")
        foreign = ("/" in include or include.endswith(".h")) and not include.startswith("rag/") and include not in STANDARD_C
        if name.startswith("include/") and foreign:
            found.append(f"{name}: includes {include}; public headers include the standard library and rag/ alone")
        if name.startswith("bindings/python/") and "/" in include and not include.startswith(("rag/", "pybind11/")):
            found.append(f"{name}: includes {include}; the binding wraps include/rag alone")
    return found


def main() -> None:
    errors: list[str] = []
    warnings: list[str] = []
    for path in tracked_files():
        name = path.relative_to(ROOT).as_posix()
        suffix = path.suffix
        is_code = suffix in CODE or path.name in {"CMakeLists.txt", "Makefile"}
        if not is_code:
            continue
        text = path.read_bytes().decode("utf-8", errors="surrogateescape")
        if path.name != "Makefile":
            errors += check_text(name, suffix, text)
        if suffix in COMMENTS or suffix in {".py", ".pyi"}:
            body = text.split("\n", 1)[1] if text.startswith("#!") else text
            errors += check_header_comment(name, suffix, body)
        if suffix in {".c", ".cpp", ".h", ".hpp"}:
            errors += check_includes(name, text)
        lines = text.count("\n")
        if lines > LONG_FILE and not GENERATED.search(name):
            warnings.append(f"{name}: {lines} lines; below {LONG_FILE} is the habit here")
    for line in warnings:
        print("warning:", line)
    for line in errors:
        print("error:", line)
    print(f"repository checks: {len(errors)} errors, {len(warnings)} warnings")
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
