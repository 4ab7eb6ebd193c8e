"""Cached texts (docs/generators.md): keys and values computed once and put before prompts. One text equals the ordinary prompt;
several equal transformers' model with the same mask, in which a text sees itself alone, at the same positions, for every rotary
scaling, both rotations of Gemma 3 and sliding windows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import librag
import numpy as np
import pytest
from decoder_models import CASES, SHAPES, Case, Floats, distance, ids_for, make

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

pytestmark = [pytest.mark.full, pytest.mark.filterwarnings("ignore")]

FLOAT32_BAR = 1e-4  # of the largest logit
CUTS = [17, 22, 34]  # three texts of 17, 5 and 12 tokens before the prompt


def visible(cuts: list[int], count: int, window: int | None) -> Any:
    """What each token sees: what is before it in its text, of the last text all; 0 or the lowest number, [1, 1, n, n]."""
    text = np.searchsorted(cuts, np.arange(count), side="right")
    row, column = np.indices((count, count))
    seen = (column <= row) & ((text[row] == text[column]) | (text[row] == len(cuts)))
    if window is not None:
        seen &= row - column < window
    mask = torch.zeros((count, count)).masked_fill(torch.tensor(~seen), torch.finfo(torch.float32).min)
    return mask[None, None]


def oracle(model: Any, ids: list[int], cuts: list[int]) -> Floats:
    """transformers' logits of what stands behind the last cut."""
    window = getattr(model.config, "sliding_window", None)
    whole, narrow = (visible(cuts, len(ids), size) for size in (None, window))
    kinds = set(getattr(model.config, "layer_types", None) or [])
    mask = narrow if model.config.model_type == "mistral" else whole
    with torch.inference_mode():
        masks = {"full_attention": whole, "sliding_attention": narrow} if kinds and "sliding_attention" in kinds else mask
        logits: Floats = model(torch.tensor([ids]), attention_mask=masks).logits[0, cuts[-1] :].numpy()
    return logits


@pytest.mark.parametrize("case", [case for case in CASES if case.name != "llama_dynamic"], ids=lambda case: case.name)
def test_several_texts_equal_transformers_with_their_mask(case: Case, tmp_path: Path) -> None:
    ids = ids_for(case)
    for index, shape in enumerate(SHAPES):
        model = make(case, shape, tmp_path / str(index))
        ours = librag.Generator(tmp_path / str(index), threads=1)
        texts = [ours.cache(part) for part in np.split(np.array(ids), CUTS)[:-1]]
        found = ours.logits(ids[CUTS[-1] :], prefix=texts)
        assert distance(found, oracle(model, ids, CUTS)) <= FLOAT32_BAR
        # The mask matters, and so do the places.
        assert distance(found, ours.logits(ids)[CUTS[-1] :]) > 100 * FLOAT32_BAR
        assert distance(ours.logits(ids[CUTS[-1] :], prefix=texts[::-1]), found) > 10 * FLOAT32_BAR


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("kv_dtype", [None, "int8"])
def test_one_text_is_the_prompt(case_folder: Path, dtype: str, kv_dtype: Any) -> None:
    ours = librag.Generator(case_folder, dtype=dtype, kv_dtype=kv_dtype, threads=1)
    ids = list(range(3, 45))
    whole = ours.logits(ids)[30:]
    cached = ours.cache(ids[:30])
    # The same numbers in another order of summation: one pass and two.
    bar = 1e-5 if dtype == "float32" else 2e-2
    assert distance(ours.logits(ids[30:], prefix=cached), whole) <= bar
    head = ours.cache(ids[:12])
    step = ours.logits(ids[12:30], prefix=head)
    assert np.array_equal(ours.logits(ids[12:30], prefix=[head]), step)


@pytest.fixture
def case_folder(tmp_path: Path) -> Path:
    make(next(case for case in CASES if case.name == "llama"), SHAPES[1], tmp_path / "llama")
    return tmp_path / "llama"


def test_errors_of_keys_in_bytes_and_bfloat16(case_folder: Path) -> None:
    """What turning rounds: once more what the cache rounds anyway."""
    ids = list(range(3, 45))
    exact = librag.Generator(case_folder, threads=1)
    expected = exact.logits(ids[30:], prefix=[exact.cache(ids[:14]), exact.cache(ids[14:30])])
    for dtype, kv_dtype in (("float32", "int8"), ("bfloat16", None), ("bfloat16", "int8")):
        ours = librag.Generator(case_folder, dtype=dtype, kv_dtype=kv_dtype, threads=1)  # type: ignore[arg-type]
        parts = [ours.cache(ids[:14]), ours.cache(ids[14:30])]
        turned = np.abs(ours.logits(ids[30:], prefix=parts) - expected) / np.ptp(expected)
        plain = np.abs(ours.logits(ids) - exact.logits(ids)) / np.ptp(expected)
        print(f"{dtype} {kv_dtype}: turned {turned.mean():.1e}, at once {plain.mean():.1e}")
        assert turned.mean() <= 2 * plain.mean() + 1e-3


def test_dynamic_scaling_is_refused_where_it_sets_in(tmp_path: Path) -> None:
    make(next(case for case in CASES if case.name == "llama_dynamic"), SHAPES[1], tmp_path / "dynamic")
    ours = librag.Generator(tmp_path / "dynamic", threads=1)
    short = ours.cache(list(range(10)))
    ours.logits([1], prefix=[short, short])
    with pytest.raises(librag.Unsupported, match=r"10 cached tokens behind 20.*24.*dynamic"):
        ours.logits([1], prefix=[short, short, short])
    # The prompt counts as well, and up to there all is as in one text.
    ids = list(range(30))
    assert distance(ours.logits(ids[10:24], prefix=ours.cache(ids[:10])), ours.logits(ids[:24])[10:]) <= FLOAT32_BAR
    with pytest.raises(librag.Unsupported, match=r"15 tokens behind 10 cached.*24.*dynamic"):
        ours.logits(ids[10:25], prefix=ours.cache(ids[:10]))
    with pytest.raises(librag.Unsupported, match=r"25 cached tokens behind 0.*24.*dynamic"):
        ours.logits(ids[25:], prefix=ours.cache(ids[:25]))


def test_a_window_of_one_token(tmp_path: Path) -> None:
    """Layers that see nothing but their own token keep nothing of a text, and turn nothing."""
    case = next(case for case in CASES if case.name == "mistral")
    case = Case("mistral_one", case.model_type, {**case.settings, "sliding_window": 1})
    model = make(case, SHAPES[0], tmp_path / "one")
    ours = librag.Generator(tmp_path / "one", threads=1)
    ids = ids_for(case)
    texts = [ours.cache(part) for part in np.split(np.array(ids), CUTS)[:-1]]
    assert distance(ours.logits(ids[CUTS[-1] :], prefix=texts), oracle(model, ids, CUTS)) <= FLOAT32_BAR


def test_what_does_not_belong_is_refused(case_folder: Path) -> None:
    ours, other = (librag.Generator(case_folder, threads=1) for _ in range(2))
    text = ours.cache([4, 5, 6])
    assert (len(text), text.tokens) == (3, 3)
    assert text.size_bytes == 3 * 3 * 2 * 16 * 4  # layers, keys and values, dimensions, float32
    with pytest.raises(librag.InvalidArgument, match="is of the model"):
        other.logits([1], prefix=[text])
    with pytest.raises(librag.InvalidArgument, match=r"127 cached tokens after 3 .* 128"):
        ours.logits([1], prefix=[text, ours.cache([7] * 127)])
    with pytest.raises(librag.InvalidArgument, match="no ids"):
        ours.cache([])
    with pytest.raises(librag.InvalidArgument, match="97"):
        ours.cache([97])
    with pytest.raises(librag.InvalidArgument, match="is of the model"):
        other.logits([], prefix=[text])
    for wrong in ("abc", b"abc", None, 3, {}):
        with pytest.raises(TypeError, match=f"prefix must be a CachedText or a list of them, not {type(wrong).__name__}"):
            ours.logits([1], prefix=wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"prefix\[1\]"):
        ours.logits([1], prefix=[text, "text"])  # type: ignore[list-item]
    with pytest.raises(librag.InvalidState, match="no tokenizer"):
        ours.cache("text")


@pytest.fixture
def tiny(fixtures_dir: Path) -> librag.Generator:
    return librag.Generator(fixtures_dir / "tiny_llama", threads=1)


def test_generating_behind_one_text_is_generating_from_both(tiny: librag.Generator) -> None:
    before, prompt = "The river runs to the sea.", " The sea"
    whole = tiny.generate(before + prompt, max_tokens=12)
    cached = tiny.generate(prompt, prefix=tiny.cache(before), max_tokens=12)
    assert cached.ids == whole.ids
    assert cached.text == whole.text
    assert cached.usage.prompt_tokens == whole.usage.prompt_tokens
    penalty: dict[str, Any] = {"repeat_penalty": 1.5, "max_tokens": 12}
    assert tiny.generate(prompt, prefix=[tiny.cache(before)], **penalty).ids == tiny.generate(before + prompt, **penalty).ids
    parts = [tiny.cache(before), tiny.cache(" A stone lies there.", add_special_tokens=False)]
    assert tiny.generate(prompt, prefix=parts, max_tokens=4).usage.prompt_tokens == sum(map(len, parts)) + len(
        tiny.tokenizer.encode(prompt, add_special_tokens=False).ids
    )


def test_conversations_take_no_prefix(tiny: librag.Generator) -> None:
    with pytest.raises(librag.InvalidArgument, match="1 cached texts before messages"):
        tiny.generate([{"role": "user", "content": "Where?"}], prefix=[tiny.cache("The river")])
    with pytest.raises(TypeError, match="prefix"):
        tiny.generate("The", prefixes=[])


def test_threads_share_a_cached_text(tiny: librag.Generator) -> None:
    text = tiny.cache("The river runs to the sea.")
    alone = tiny.generate(" The sea", prefix=text, max_tokens=6).ids
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: tiny.generate(" The sea", prefix=text, max_tokens=6).ids, range(8)))
    assert found == [alone] * 8
