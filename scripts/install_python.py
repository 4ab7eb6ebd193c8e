"""Puts what is built into the environment of the interpreter that runs this: `make build` without a wheel. The files are those of
CMake's component `python`, the ones `pip install .` puts into a wheel; unchanged files are not touched. The package's metadata and
the `librag` command come from pip, once for every change of pyproject.toml or the version. Usage: install_python.py BUILD_FOLDER"""

import pathlib
import subprocess
import sys
import sysconfig

ROOT = pathlib.Path(__file__).resolve().parent.parent


def install_metadata(stamp: pathlib.Path) -> None:
    sources = [ROOT / "pyproject.toml", ROOT / "CMakeLists.txt", pathlib.Path(__file__)]
    if stamp.exists() and all(source.stat().st_mtime <= stamp.stat().st_mtime for source in sources):
        return
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--force-reinstall"]
    settings = ["-C", "wheel.cmake=false"]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, *settings, str(ROOT)], check=True)
    stamp.touch()


def install_files(build: pathlib.Path, site: pathlib.Path) -> None:
    command = ["cmake", "--install", str(build), "--component", "python", "--prefix", str(site)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    manifest = build / "install_manifest_python.txt"
    wanted = {pathlib.Path(line) for line in manifest.read_text().split("\n") if line}
    # A file that was renamed or removed in the sources must not stay importable.
    for path in (site / "librag").rglob("*"):
        if path.is_file() and path.parent.name != "__pycache__" and path not in wanted:
            path.unlink()


def main() -> None:
    build = pathlib.Path(sys.argv[1]).resolve()
    site = pathlib.Path(sysconfig.get_path("platlib"))
    install_metadata(site / ".librag-metadata-stamp")
    install_files(build, site)


if __name__ == "__main__":
    main()
