"""Prints requirements of pyproject.toml, one a line, for pip's -r: `build` (the build backend without torch), `runtime`, or the
name of an extra. So the list stands in one place and installing it does not build librag."""

import pathlib
import sys

import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent


def requirements(group: str) -> list[str]:
    with open(ROOT / "pyproject.toml", "rb") as file:
        data = tomllib.load(file)
    if group == "build":
        return [line for line in data["build-system"]["requires"] if not line.startswith("torch")]
    if group == "runtime":
        return list(data["project"]["dependencies"])
    extras = data["project"]["optional-dependencies"]
    if group not in extras:
        raise SystemExit(f"no group {group!r} in pyproject.toml; there are: build, runtime, {', '.join(extras)}")
    return list(extras[group])


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print("\n".join(requirements(name)))
