"""clang-format (check only) over all C and C++ sources, then clang-tidy over the torch-free folders, both of the exact versions in
pyproject.toml. clang-tidy runs in as many processes as there are CPUs; a file that passed is remembered by the contents of all of
our files it includes, so a second run costs seconds. Exits 1 on any finding.
Usage: lint_cpp.py BUILD_FOLDER   (the folder that holds compile_commands.json)
       lint_cpp.py --format-only  (lets clang-format rewrite, and nothing else)"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(sys.executable).parent
SOURCE_FOLDERS = ["include", "src", "bindings", "tests", "examples", "benchmarks"]
SUFFIXES = {".c", ".cpp", ".h", ".hpp"}
TIDY_FOLDERS = ["src", "bindings/c"]
NOT_TIDIED = "src/libtorch"  # of which only the kernels are in the torch-free compile commands: intrinsics and macros


def sources() -> list[pathlib.Path]:
    found = [path for folder in SOURCE_FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES]
    return sorted(path for path in found if path.is_file())


def run_format(*mode: str) -> bool:
    return subprocess.run([BIN / "clang-format", *mode, *sources()], check=False).returncode == 0


def our_headers(entry: dict[str, str]) -> list[pathlib.Path]:
    """Files of ours that the unit includes, by the compiler's own account."""
    words = shlex.split(entry["command"])
    if pathlib.Path(words[0]).name == "ccache":
        words = words[1:]
    output = words.index("-o")
    command = words[:output] + words[output + 2 :] + ["-MM", "-MT", "x"]
    made = subprocess.run(command, check=True, capture_output=True, text=True, cwd=entry["directory"]).stdout
    names = made.replace("\\\n", " ").split()[1:]
    paths = {pathlib.Path(entry["directory"], name).resolve() for name in names}
    return sorted(path for path in paths if path.is_relative_to(ROOT))


def fingerprint(entry: dict[str, str]) -> str:
    digest = hashlib.sha256(entry["command"].encode())
    version = subprocess.run([BIN / "clang-tidy", "--version"], check=True, capture_output=True).stdout
    digest.update(version)
    for path in [ROOT / ".clang-tidy", *our_headers(entry)]:
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def tidy_one(build: pathlib.Path, entry: dict[str, str]) -> tuple[str, str, float]:
    started = time.monotonic()
    passed = build / "tidy_passed" / fingerprint(entry)
    if passed.exists():
        return entry["file"], "", 0.0
    command = [BIN / "clang-tidy", "-p", build, "--quiet", entry["file"]]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    if run.returncode == 0:
        passed.touch()
        return entry["file"], "", time.monotonic() - started
    return entry["file"], run.stdout + run.stderr, time.monotonic() - started


def check_tidy(build: pathlib.Path) -> bool:
    entries = json.loads((build / "compile_commands.json").read_text())
    folders = tuple(str(ROOT / folder) + "/" for folder in TIDY_FOLDERS)
    skipped = str(ROOT / NOT_TIDIED) + "/"
    entries = [entry for entry in entries if entry["file"].startswith(folders) and not entry["file"].startswith(skipped)]
    if not entries:
        print("clang-tidy: no file to check, so nothing is proved")
        return False
    (build / "tidy_passed").mkdir(exist_ok=True)
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for name, text, seconds in pool.map(lambda entry: tidy_one(build, entry), entries):
            if text:
                bad += 1
                print(f"clang-tidy: {pathlib.Path(name).relative_to(ROOT)} ({seconds:.0f} s)\n{text}", flush=True)
    print(f"clang-tidy: {len(entries)} files, {bad} with findings")
    return bad == 0


def main() -> None:
    if sys.argv[1] == "--format-only":
        raise SystemExit(0 if run_format("-i") else 1)
    formatted = run_format("--dry-run", "-Werror")
    print("clang-format:", "clean" if formatted else "files to format (make format)", flush=True)
    tidy = check_tidy(pathlib.Path(sys.argv[1]).resolve())
    raise SystemExit(0 if formatted and tidy else 1)


if __name__ == "__main__":
    main()
