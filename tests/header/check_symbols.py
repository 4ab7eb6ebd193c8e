"""Compares the dynamic symbols that a shared library defines with the list in a file, and the list with the functions that a header
declares. Exits 1 and names the differences. After a deliberate change of the ABI: check_symbols.py LIBRARY LIST HEADER --update"""

import pathlib
import re
import subprocess
import sys


def exported(library: str) -> set[str]:
    listing = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    return {line.split()[-1].split("@")[0] for line in listing.splitlines() if line.strip()}


def declared(header: str) -> set[str]:
    text = re.sub(r"/\*.*?\*/", "", pathlib.Path(header).read_text(), flags=re.S)
    return set(re.findall(r"^\s*RAG_API\b[^;{]*?\b(rag_\w+)\s*\(", text, flags=re.M))


def compare(left_name: str, left: set[str], right_name: str, right: set[str]) -> bool:
    for name in sorted(left - right):
        print(f"{name}: in {left_name}, not in {right_name}")
    for name in sorted(right - left):
        print(f"{name}: in {right_name}, not in {left_name}")
    return left == right


def main() -> None:
    arguments = [word for word in sys.argv[1:] if word != "--update"]
    library, list_file = arguments[0], pathlib.Path(arguments[1])
    symbols = exported(library)
    if not symbols:
        sys.exit(f"{library} exports nothing")
    if "--update" in sys.argv:
        list_file.write_text("\n".join(sorted(symbols)) + "\n")
    listed = set(list_file.read_text().split())
    same = compare(library, symbols, list_file.name, listed)
    if len(arguments) > 2:
        same = compare(arguments[2], declared(arguments[2]), list_file.name, listed) and same
    print(f"{len(symbols)} symbols exported")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
