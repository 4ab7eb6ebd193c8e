"""Generators with exceptions of dtype by layer, keys and values in bytes, and devices that are not there."""

import pathlib
from typing import Any

import librag
import numpy as np
import pytest

IDS = [0, 17, 260, 33, 90, 5, 301, 42, 42, 7, 288, 120] * 4


def test_exceptions_by_name(fixtures_dir: pathlib.Path) -> None:
    path = fixtures_dir / "tiny_llama"
    plain = librag.Generator(path, dtype="int8")
    spelled = librag.Generator(path, dtype="int8,lm_head=float32,model.layers.0.*=float32")
    mapped = librag.Generator(path, dtype={"default": "int8", "lm_head": "float32", "model.layers.0.*": "float32"})
    assert np.array_equal(spelled.logits(IDS), mapped.logits(IDS))
    assert spelled.weight_bytes > plain.weight_bytes
    exact = librag.Generator(path).logits(IDS)
    assert np.abs(mapped.logits(IDS) - exact).mean() < np.abs(plain.logits(IDS) - exact).mean()


@pytest.mark.parametrize(
    ("dtype", "part"),
    [
        ("int8,no.such.layer=float32", "no.such.layer"),
        ("int8,lm_head", "lm_head"),
        ("int8,lm_head=int7", "int7"),
        ("int8,*.up_proj=float32", "together"),
    ],
)
def test_exceptions_that_cannot_be_are_refused(fixtures_dir: pathlib.Path, dtype: str, part: str) -> None:
    with pytest.raises(librag.InvalidArgument, match=part):
        librag.Generator(fixtures_dir / "tiny_llama", dtype=dtype)
    with pytest.raises(ValueError, match="default"):
        librag.Generator(fixtures_dir / "tiny_llama", dtype={"lm_head": "int8"})


def test_keys_and_values_in_bytes(fixtures_dir: pathlib.Path) -> None:
    path = fixtures_dir / "tiny_llama"
    exact = librag.Generator(path).logits(IDS)
    found = librag.Generator(path, kv_dtype="int8").logits(IDS)
    # As near as bfloat16 has to be: a fiftieth of the output's range.
    assert 0.0 < np.abs(found - exact).max() < 0.02 * np.ptp(exact)
    with pytest.raises(ValueError, match="kv_dtype"):
        librag.Generator(path, kv_dtype="int4")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("device", "error", "says"),
    [
        ("cuda", librag.Unsupported, '"cuda" is (not )?there.*use "cpu"'),
        ("cuda:0", librag.Unsupported, '"cuda:0" is (not )?there.*use "cpu"'),
        ("mps", librag.Unsupported, '"mps" is (not )?there.*use "cpu"'),
        ("xpu", librag.Unsupported, '"xpu" is (not )?there.*use "cpu"'),
        ("meta", librag.Unsupported, '"meta" computes nothing; use "cpu"'),
        ("abacus", librag.InvalidArgument, '"abacus" is unknown to LibTorch .*; use "cpu"'),
        ("cuda:x", librag.InvalidArgument, '"cuda:x" is unknown'),
        ("cpu\n", librag.InvalidArgument, r'"cpu\\x0a" is unknown'),
    ],
)
def test_devices_besides_the_processor(fixtures_dir: pathlib.Path, device: str, error: Any, says: str) -> None:
    with pytest.raises(error, match=says) as failed:
        librag.Generator(fixtures_dir / "tiny_llama", device=device)
    assert "\n" not in str(failed.value)
    with pytest.raises(error, match=says):
        librag.Encoder(fixtures_dir / "tiny_bert", device=device)
    with pytest.raises(error, match=says):
        librag.CrossEncoder(fixtures_dir / "tiny_cross_encoder", device=device)


def test_the_processor_is_a_device(fixtures_dir: pathlib.Path) -> None:
    path = fixtures_dir / "tiny_llama"
    for name in ("cpu", "cpu:0"):
        assert np.array_equal(librag.Generator(path, device=name).logits(IDS), librag.Generator(path).logits(IDS))
