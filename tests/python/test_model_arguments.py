"""Arguments of models: what is wrong is one line that names the argument and the value."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
from collections.abc import Callable
from typing import Any

import librag
import pytest

NAN, INF = float("nan"), float("inf")


class Models:
    """One of each kind."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.llama, self.bert, self.cross = folder / "tiny_llama", folder / "tiny_bert", folder / "tiny_cross_encoder"
        self.generator = librag.Generator(self.llama)
        self.encoder = librag.Encoder(self.bert)
        self.cross_encoder = librag.CrossEncoder(self.cross)
        self.classifier = librag.Classifier(self.cross)


@pytest.fixture(scope="module")
def models(fixtures_dir: pathlib.Path) -> Models:
    return Models(fixtures_dir)


Call = Callable[[Models], Any]


def refused(models: Models, call: Call, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        call(models)
    text = str(caught.value)
    assert message in text
    assert "\n" not in text
    assert "pybind" not in text


def generated(**options: Any) -> Call:
    return lambda m: m.generator.generate("abc", max_tokens=2, **options)


def opened(**options: Any) -> Call:
    return lambda m: librag.Generator(m.llama, **options)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (generated(top_p=0), librag.InvalidArgument, "top_p is 0, it must be above 0 and at most 1"),
        (generated(top_p=-0.5), librag.InvalidArgument, "top_p is -0.5, it must be above 0 and at most 1"),
        (generated(top_p=NAN), librag.InvalidArgument, "top_p is nan"),
        (generated(top_p="a"), TypeError, "top_p must be a number, not str"),
        (generated(min_p=2), librag.InvalidArgument, "min_p is 2, it must be between 0 and 1"),
        (generated(temperature=-1), librag.InvalidArgument, "temperature is -1"),
        (generated(repeat_penalty=0.5), librag.InvalidArgument, "repeat_penalty is 0.5, it must be 0 (off), or 1 to 1000"),
        (generated(repeat_penalty=-1), librag.InvalidArgument, "repeat_penalty is -1"),
        (generated(repeat_penalty=1e39), librag.InvalidArgument, "repeat_penalty is 1e+39"),
        (generated(repeat_penalty=INF), librag.InvalidArgument, "repeat_penalty is inf"),
        (generated(repeat_penalty=NAN), librag.InvalidArgument, "repeat_penalty is nan"),
        (generated(stop=5), TypeError, "stop must be a list of str, not int"),
        (generated(stop=None), TypeError, "stop must be a list of str, not NoneType"),
        (generated(stop=["x", ""]), librag.InvalidArgument, "stop[1] is empty"),
        (generated(stop=["x", 5]), TypeError, "stop[1] must be str, not int"),
        (generated(adapter=5), TypeError, "adapter must be a name, a mapping of names to weights, or None, not int"),
        (generated(adapter=["a"]), TypeError, "adapter must be a name, a mapping of names to weights, or None, not list"),
        (generated(adapter={5: 1}), TypeError, "adapter holds the name 5, a name must be a str, not int"),
        (generated(adapter={"a": "x"}), TypeError, "the weight of adapter 'a' must be a number, not str"),
        (generated(adapter=b"a"), TypeError, "adapter must be a name, a mapping of names to weights, or None, not bytes"),
        (generated(adapter=("a", 1.0)), TypeError, "adapter must be a name, a mapping of names to weights, or None, not tuple"),
        (generated(adapter={"a": True}), TypeError, "the weight of adapter 'a' must be a number, not bool"),
        (generated(adapter={"a": 10**400}), librag.InvalidArgument, "the weight of adapter 'a' is an int that no float"),
        (
            generated(adapter={"a": 1e30}),
            librag.InvalidArgument,
            "the weight of adapter 'a' is 1e+30, it must be -10000 to 10000",
        ),
        (generated(adapter={"a": NAN}), librag.InvalidArgument, "the weight of adapter 'a' is nan, it must be"),
        (generated(adapter={"a": -INF}), librag.InvalidArgument, "the weight of adapter 'a' is -inf, it must be"),
        (generated(prefix="abc"), TypeError, "prefix must be a CachedText or a list of them, not str"),
        (generated(prefix=None), TypeError, "prefix must be a CachedText or a list of them, not NoneType"),
        (
            lambda m: m.encoder.encode("a", adapter={"a": 20000}),
            librag.InvalidArgument,
            "'a' is 20000, it must be -10000 to 10000",
        ),
        (lambda m: librag.Encoder(m.bert, dtype={"default": 3}), TypeError, "dtype holds 'default': 3"),  # type: ignore[dict-item]
        (lambda m: m.generator.set_adapter({5: 1}), TypeError, "adapter holds the name 5"),  # type: ignore[dict-item]
        (lambda m: m.generator.set_adapter(5), TypeError, "adapter must be a name"),  # type: ignore[arg-type]
        (lambda m: m.generator.generate(5), TypeError, "prompt must be a str or a list of messages, not int"),  # type: ignore[call-overload]
        (lambda m: m.generator.generate(b"abc"), TypeError, "prompt must be a str or a list of messages, not bytes"),  # type: ignore[call-overload]
        (lambda m: m.generator.generate({"role": "user"}), TypeError, "list of messages, not dict"),  # type: ignore[call-overload]
        (opened(batching=5), TypeError, "batching must be a librag.Batching or None, not int"),
        (opened(batching={}), TypeError, "batching must be a librag.Batching or None, not dict"),
        (opened(dtype={"default": None}), TypeError, "dtype holds 'default': None, layers and dtypes must be str"),
        (opened(dtype={"default": "int8", 5: "int8"}), TypeError, "dtype holds 5: 'int8'"),
        (opened(dtype={"lm_head": "int8"}), librag.InvalidArgument, 'it needs a "default"'),
        (opened(dtype={"default": "zz"}), librag.InvalidArgument, "dtype holds 'default': 'zz'"),
        (opened(dtype={"default": "int8", "lm_head": "auto"}), librag.InvalidArgument, "dtype holds 'lm_head': 'auto'"),
        (opened(dtype={"default": "int8", "a,b": "int4"}), librag.InvalidArgument, "dtype holds the layer 'a,b'"),
        (opened(dtype=5), TypeError, "dtype must be a str or a mapping of layers to dtypes, not int"),
        (opened(dtype=None), TypeError, "dtype must be a str or a mapping of layers to dtypes, not NoneType"),
        (opened(dtype="zz"), librag.InvalidArgument, 'dtype is "zz"'),
        (opened(threads=0), librag.InvalidArgument, "threads is 0, it must be 1 to 1024"),
        (opened(threads=1025), librag.InvalidArgument, "threads is 1025, it must be 1 to 1024"),
        (opened(threads=2**40), librag.InvalidArgument, "threads is 1099511627776, it must be 1 to 1024"),
        (opened(device=5), TypeError, "device must be a str, not int"),
        (opened(verify="x"), TypeError, "verify must be a bool, not str"),
        (lambda m: librag.Encoder(m.bert, dtype=5), TypeError, "dtype must be"),  # type: ignore[arg-type]
        (lambda m: librag.Encoder(m.bert, batching=5), TypeError, "batching must be"),  # type: ignore[arg-type]
        (lambda m: librag.CrossEncoder(m.cross, dtype=None), TypeError, "dtype must be"),  # type: ignore[arg-type]
        (lambda m: librag.Classifier(m.cross, threads=5000), librag.InvalidArgument, "threads is 5000, it must be 1 to 1024"),
        (lambda m: librag.Encoder(5), TypeError, "path must be a str or an os.PathLike, not int"),  # type: ignore[arg-type]
        (lambda m: librag.Generator(None), TypeError, "path must be a str or an os.PathLike, not NoneType"),  # type: ignore[arg-type]
        (lambda m: librag.inspect(5), TypeError, "path must be a str or an os.PathLike, not int"),  # type: ignore[arg-type]
        (lambda m: m.generator.save(5), TypeError, "path must be a str or an os.PathLike, not int"),  # type: ignore[arg-type]
        (lambda m: m.generator.load_adapter(5, "a"), TypeError, "path must be"),  # type: ignore[arg-type]
        (lambda m: librag.Encoder("/a\ud800b"), librag.InvalidArgument, r"path is '/a\ud800b', which no file can be called"),
        (lambda m: m.generator.save("x", dtype="zz"), librag.InvalidArgument, "dtype is 'zz', it must be float32, bfloat16,"),  # type: ignore[arg-type]
        (lambda m: m.generator.save("x", dtype="auto"), librag.InvalidArgument, "dtype is 'auto', it must be"),  # type: ignore[arg-type]
        (lambda m: m.encoder.save("x", dtype=5), librag.InvalidArgument, "dtype is 5, it must be"),  # type: ignore[arg-type]
        (lambda m: m.encoder.encode(b"abc"), TypeError, "texts must be a list of str, not bytes"),  # type: ignore[arg-type]
        (lambda m: m.encoder.encode(5), TypeError, "texts must be a list of str, not int"),  # type: ignore[arg-type]
        (lambda m: m.encoder.encode(None), TypeError, "texts must be a list of str, not NoneType"),  # type: ignore[arg-type]
        (lambda m: m.encoder.encode(["a", 5]), TypeError, "texts[1] must be str, not int"),  # type: ignore[list-item]
        (lambda m: m.encoder.encode(["a", "b\udcff"]), librag.InvalidArgument, "texts[1] cannot be written as UTF-8"),
        (lambda m: m.encoder.encode("a", normalize="x"), TypeError, "normalize must be a bool, not str"),  # type: ignore[arg-type]
        (lambda m: m.encoder.encode("a", prompt=5), TypeError, "prompt must be a str, not int"),  # type: ignore[arg-type]
        (lambda m: m.encoder.encode("a", prompt_name=5), TypeError, "prompt_name must be a str, not int"),  # type: ignore[arg-type]
        (lambda m: m.encoder.calibrate("abc"), TypeError, "texts must be a list of str, not str"),
        (lambda m: m.generator.calibrate("abc"), TypeError, "texts must be a list of str, not str"),
        (lambda m: m.cross_encoder.rank("q", "abc"), TypeError, "docs must be a list of str, not str"),
        (lambda m: m.cross_encoder.rank("q", ["a", 5]), TypeError, "docs[1] must be a str, not int"),  # type: ignore[list-item]
        (lambda m: m.cross_encoder.rank(["q"], ["a"]), TypeError, "query must be a str, not list"),  # type: ignore[arg-type]
        (lambda m: m.cross_encoder.predict("ab"), TypeError, "pairs must be a pair of str or a list of pairs, not str"),
        (lambda m: m.cross_encoder.predict(b"ab"), TypeError, "pairs must be a pair of str or a list of pairs, not bytes"),  # type: ignore[arg-type]
        (lambda m: m.cross_encoder.predict([("a", 5)]), TypeError, "row 0 is ('a', 5), a pair of str is expected"),  # type: ignore[list-item]
        (lambda m: m.classifier.predict(5), TypeError, "texts must be a list of str, not int"),  # type: ignore[call-overload]
        (lambda m: m.classifier.probabilities("abc"), TypeError, "texts must be a list of str, not str"),
    ],
)
def test_refused_by_name(models: Models, call: Call, error: type[Exception], message: str) -> None:
    refused(models, call, error, message)


def test_what_is_off_stays_off(models: Models) -> None:
    plain = models.generator.generate("abc", max_tokens=4)
    for options in ({"repeat_penalty": 0}, {"repeat_penalty": 1}, {"top_p": 1}, {"adapter": None}, {"stop": ()}):
        assert models.generator.generate("abc", max_tokens=4, **options).ids == plain.ids


def test_names_of_files_that_are_no_utf8(fixtures_dir: pathlib.Path, tmp_path: pathlib.Path) -> None:
    folder = os.path.join(os.fsencode(tmp_path), b"model \xff")
    shutil.copytree(os.fsencode(fixtures_dir / "tiny_bert"), folder)
    expected = librag.Encoder(fixtures_dir / "tiny_bert").encode("a text").tolist()
    name = os.fsdecode(folder)
    for path in (name, pathlib.Path(name)):
        model = librag.Encoder(path)
        assert model.encode("a text").tolist() == expected
        assert repr(name) in repr(model)
    model.save(name + " saved")
    assert librag.Encoder(name + " saved").encode("a text").tolist() == expected
    with pytest.raises(librag.NotFound, match=re.escape(r"\xff")):
        librag.Encoder(name + " missing")
