"""The pages of the repository (README.md, ARCHITECTURE.md, docs/ ...): links lead somewhere and the code in them runs."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.full
def test_links_and_code_of_all_pages(source_dir: Path, encoder_path: Path, generator_path: Path) -> None:
    command = [sys.executable, source_dir / "scripts" / "check_docs.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
