"""The pages say what is true: every link of a .md file leads somewhere, every page in docs/ is pointed to by a header, a source or a
test, and every fenced block of code runs.

    ```python   blocks of one page run in order in one process
    ```c ```cpp a block is a whole program; it is compiled against include/ and build/release/lib and run
    ```sh       and blocks without a language are not run

Blocks run in a scratch folder in which models/ leads to the real models. Usage: check_docs.py [PAGE...]"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIBRARIES = ROOT / "build" / "release" / "lib"
MODELS = pathlib.Path(os.environ.get("RAG_MODELS") or ROOT / "models")
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```\s*$", re.M | re.S)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
COMPILERS = {"c": ["cc", "-std=c99"], "cpp": ["c++", "-std=c++17"]}


def pages() -> list[pathlib.Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"], check=True, capture_output=True, cwd=ROOT
    )
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def anchors(page: pathlib.Path) -> set[str]:
    headings = re.findall(r"^#+ +(.*)$", FENCE.sub("", page.read_text()), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def check_links(page: pathlib.Path) -> list[str]:
    errors = []
    for match in LINK.finditer(FENCE.sub("", page.read_text())):
        target = match.group(1) or match.group(2)
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists():
            errors.append(f"{page.relative_to(ROOT)}: the link {target} leads nowhere")
        elif anchor and file.suffix == ".md" and anchor not in anchors(file):
            errors.append(f"{page.relative_to(ROOT)}: {target}: no such heading")
    return errors


def check_pointed_to(page: pathlib.Path) -> list[str]:
    name = page.relative_to(ROOT).as_posix()
    if not name.startswith("docs/"):
        return []
    command = ["git", "grep", "-qF", "--untracked", name, "--", "include", "src", "bindings", "python", "tests"]
    pointed = subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    return [] if pointed else [f"{name}: no header, source or test points to it"]


def run(command: list[str], folder: pathlib.Path) -> str:
    """What the command said if it failed, else nothing."""
    environment = {**os.environ, "LD_LIBRARY_PATH": str(LIBRARIES), "TQDM_DISABLE": "1"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment, timeout=600)
    return "" if done.returncode == 0 else (done.stdout + done.stderr)[-2000:] or f"exit code {done.returncode}"


def run_program(language: str, code: str, folder: pathlib.Path) -> str:
    source = folder / f"block.{language}"
    source.write_text(code)
    libraries = ["-L", str(LIBRARIES), "-lrag"]
    warnings = ["-Wall", "-Wextra", "-Werror"]
    compile_command = [*COMPILERS[language], *warnings, "-I", str(ROOT / "include"), str(source), *libraries, "-o", "block"]
    return run(compile_command, folder) or run([str(folder / "block")], folder)


def check_code(page: pathlib.Path) -> list[str]:
    name = page.relative_to(ROOT).as_posix()
    blocks = FENCE.findall(page.read_text())
    python = "\n".join(code for language, code in blocks if language in {"python", "py"})
    programs = [(language, code) for language, code in blocks if language in COMPILERS]
    errors = []
    with tempfile.TemporaryDirectory(prefix="librag-docs-") as scratch:
        folder = pathlib.Path(scratch)
        if MODELS.exists():
            (folder / "models").symlink_to(MODELS.resolve())
        if python and (text := run([sys.executable, "-c", python], folder)):
            errors.append(f"{name}: the Python code fails:\n{text}")
        for number, (language, code) in enumerate(programs, 1):
            if text := run_program(language, code, folder):
                errors.append(f"{name}: {language} block {number} fails:\n{text}")
    print(f"{name}: {'Python and ' if python else ''}{len(programs)} programs run", flush=True)
    return errors


def main() -> None:
    chosen = [pathlib.Path(word).resolve() for word in sys.argv[1:]] or pages()
    errors = [error for page in chosen for check in (check_links, check_pointed_to, check_code) for error in check(page)]
    for error in errors:
        print("error:", error)
    print(f"documents: {len(chosen)} pages, {len(errors)} errors")
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
