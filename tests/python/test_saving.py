"""Models written to folders: they load again here to the same bits, and in transformers and sentence-transformers to the same values;
what inspect tells of them; and int4 calibrated on a text sample."""

import hashlib
import json
import pathlib
import shutil
import subprocess
import sys

import librag
import numpy as np
import pytest

IDS = [0, 17, 260, 33, 90, 5, 301, 42, 42, 7, 288, 120]
TEXTS = [
    "The river carries the letter past the old mill.",
    "\u77e5\u8bc6\u5e93\u7528\u5b83\u6240\u5b58\u7684\u6587\u4ef6\u56de\u7b54\u95ee\u9898\u3002",
]


@pytest.mark.parametrize("source", ["tiny_llama", "tiny_llama.Q8_0.gguf", "tiny_llama_untied"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "int8", "int4"])
def test_saved_generators_compute_the_same_bits(
    fixtures_dir: pathlib.Path, tmp_path: pathlib.Path, source: str, dtype: librag.models.Dtype
) -> None:
    model = librag.Generator(fixtures_dir / source, dtype=dtype)
    model.save(tmp_path / "saved", shard_bytes=100_000)
    again = librag.Generator(tmp_path / "saved", dtype=dtype)
    assert np.array_equal(model.logits(IDS), again.logits(IDS))
    with pytest.raises(librag.AlreadyExists):
        model.save(tmp_path / "saved")
    if source != "tiny_llama_untied":  # it works with ids alone
        assert again.tokenizer.encode(TEXTS[0]).ids == model.tokenizer.encode(TEXTS[0]).ids


@pytest.mark.parametrize("source", ["tiny_llama", "tiny_llama.Q4_1.gguf"])
def test_plain_folders_open_in_transformers(fixtures_dir: pathlib.Path, tmp_path: pathlib.Path, source: str) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    model = librag.Generator(fixtures_dir / source)
    model.save(tmp_path / "saved")
    oracle = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "saved", dtype=torch.float32).eval()
    with torch.inference_mode():
        expected = oracle(torch.tensor([IDS])).logits[0].numpy()
    assert np.abs(expected - model.logits(IDS)).max() < 1e-4
    ids = transformers.AutoTokenizer.from_pretrained(tmp_path / "saved").encode(TEXTS[0], add_special_tokens=False)
    assert ids == model.tokenizer.encode(TEXTS[0], add_special_tokens=False).ids


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8", "int4"])
def test_saved_encoders_compute_the_same_bits(
    fixtures_dir: pathlib.Path, tmp_path: pathlib.Path, dtype: librag.models.Dtype
) -> None:
    model = librag.Encoder(fixtures_dir / "tiny_bert", dtype=dtype)
    model.save(tmp_path / "saved")
    again = librag.Encoder(tmp_path / "saved", dtype=dtype)
    assert np.array_equal(model.encode(TEXTS), again.encode(TEXTS))
    if dtype == "float32":
        sentence_transformers = pytest.importorskip("sentence_transformers")
        oracle = sentence_transformers.SentenceTransformer(str(tmp_path / "saved"), device="cpu")
        assert oracle.max_seq_length == model.max_tokens
        assert np.abs(oracle.encode(TEXTS) - model.encode(TEXTS)).max() < 1e-5


@pytest.mark.parametrize("source", ["tiny_llama", "tiny_llama_untied", "tiny_llama.Q8_0.gguf"])
@pytest.mark.parametrize(
    "dtype",
    [
        {"default": "int8", "model.layers.0.*": "float32"},
        {"default": "int4", "lm_head": "bfloat16", "model.layers.*.mlp.*": "int8"},
        {"default": "int8", "model.layers.*": "bfloat16", "model.layers.1.self_attn.*": "int4"},
        {"default": "float32", "lm_head": "int8"},
        {"default": "bfloat16", "model.layers.1.mlp.down_proj": "float16", "lm_head": "float32"},
        {"default": "int4", "lm_head": "int4"},
    ],
    ids=lambda value: ",".join(f"{key}={name}" for key, name in value.items()),
)
def test_exceptions_of_layers_are_saved(
    fixtures_dir: pathlib.Path, tmp_path: pathlib.Path, source: str, dtype: dict[str, str]
) -> None:
    model = librag.Generator(fixtures_dir / source, dtype=dtype)
    model.save(tmp_path / "saved")
    default = dtype["default"]
    again = librag.Generator(tmp_path / "saved", dtype=default)
    tied_in_four_bits = dtype.get("lm_head") == "int4" and source != "tiny_llama_untied"
    if not tied_in_four_bits:  # its table is written once, in eight bits
        assert np.array_equal(again.logits(IDS), model.logits(IDS))
    assert again.weight_bytes == model.weight_bytes
    assert again.describe().split(", but ")[1] == model.describe().split(", but ")[1]
    # What the caller asks for goes before what was saved; another dtype has none of it.
    config = tmp_path / "saved" / "config.json"
    saved = config.read_text("utf-8")
    if default != "int4":  # whose tables are int8 without an exception
        asked = librag.Generator(tmp_path / "saved", dtype={"default": default, "*": default}).logits(IDS)
        config.write_text(json.dumps({**json.loads(saved), "librag": None}), "utf-8")
        assert np.array_equal(librag.Generator(tmp_path / "saved", dtype=default).logits(IDS), asked)
        assert not np.array_equal(asked, model.logits(IDS))
        config.write_text(saved, "utf-8")
    other = "float32" if default != "float32" else "bfloat16"
    assert ", but " not in librag.Generator(tmp_path / "saved", dtype=other).describe()
    # Saved in a dtype that is named, all layers are of that dtype, and nothing of the exceptions is left.
    again.save(tmp_path / "named", dtype="int8")
    assert "librag" not in json.loads((tmp_path / "named" / "config.json").read_text("utf-8"))
    assert ", but " not in librag.Generator(tmp_path / "named", dtype="int8").describe()


@pytest.mark.parametrize("kind", ["tiny_bert", "tiny_cross_encoder"])
@pytest.mark.parametrize(
    "dtype",
    [
        {"default": "int8", "*layer.0.*": "float32"},
        {"default": "int8", "encoder.layer.0.*": "float32"},  # a layer's name as the architecture has it, or the file
        {"default": "int8", "bert.encoder.layer.0.*": "float32"},
        {"default": "int4", "encoder.layer.0.*": "int8"},
        {"default": "int4", "bert.encoder.layer.0.*": "int8", "encoder.layer.0.output.dense": "bfloat16"},
        {"default": "bfloat16", "encoder.layer.1.*": "int4"},
        {"default": "float32", "encoder.layer.*": "int8", "bert.encoder.layer.1.intermediate.*": "int4"},
    ],
    ids=lambda value: ",".join(f"{key}={name}" for key, name in value.items()),
)
def test_exceptions_of_encoders_are_saved(
    fixtures_dir: pathlib.Path, tmp_path: pathlib.Path, kind: str, dtype: dict[str, str]
) -> None:
    def compute(path: pathlib.Path, dtype: str | dict[str, str]) -> tuple[np.ndarray, librag.Encoder | librag.CrossEncoder]:
        if kind == "tiny_bert":
            encoder = librag.Encoder(path, dtype=dtype)
            return encoder.encode(TEXTS), encoder
        cross = librag.CrossEncoder(path, dtype=dtype)
        return cross.predict([(TEXTS[0], "the old mill"), ("boats", TEXTS[1])]), cross

    expected, model = compute(fixtures_dir / kind, dtype)
    assert not np.array_equal(compute(fixtures_dir / kind, dtype["default"])[0], expected)
    model.save(tmp_path / "saved")
    found, again = compute(tmp_path / "saved", dtype["default"])
    assert np.array_equal(found, expected)
    assert again.weight_bytes == model.weight_bytes


def test_damaged_exceptions_are_named(fixtures_dir: pathlib.Path, tmp_path: pathlib.Path) -> None:
    librag.Generator(fixtures_dir / "tiny_llama", dtype={"default": "int8", "lm_head": "float32"}).save(tmp_path / "saved")
    path = tmp_path / "saved" / "config.json"
    config = json.loads(path.read_text("utf-8"))
    assert config["librag"] == {"dtype": "int8", "exceptions": "lm_head=float32"}
    for wrong in (3, {"dtype": "int8", "exceptions": 3}, {"dtype": "int8", "exceptions": "lm_head"}, {"dtype": 1}):
        path.write_text(json.dumps({**config, "librag": wrong}), "utf-8")
        with pytest.raises(librag.Corrupt, match=r"config.json.*librag"):
            librag.Generator(tmp_path / "saved", dtype="int8")


def test_a_merged_adapter_is_saved_too(fixtures_dir: pathlib.Path, tmp_path: pathlib.Path) -> None:
    model = librag.Generator(fixtures_dir / "tiny_llama")
    base = model.logits(IDS)
    model.load_adapter(fixtures_dir / "tiny_llama_lora", "lora")
    model.merge_adapter("lora")
    model.save(tmp_path / "merged")
    merged = librag.Generator(tmp_path / "merged").logits(IDS)
    assert np.abs(merged - model.logits(IDS)).max() < 1e-5
    assert np.abs(merged - base).max() > 0.01
    model.unmerge_adapter()
    model.save(tmp_path / "base")
    assert np.array_equal(librag.Generator(tmp_path / "base").logits(IDS), base)


def test_a_text_sample_improves_int4(fixtures_dir: pathlib.Path, tmp_path: pathlib.Path) -> None:
    model = librag.Generator(fixtures_dir / "tiny_llama")
    expected = model.logits(IDS)
    model.save(tmp_path / "rounded", dtype="int4")
    rng = np.random.default_rng(0)
    sample = [" ".join(rng.choice(TEXTS[0].split(), 12)) for _ in range(60)]
    model.calibrate(sample)
    assert np.array_equal(model.logits(IDS), expected)
    model.save(tmp_path / "calibrated", dtype="int4")

    def error(name: str) -> float:
        found = librag.Generator(tmp_path / name, dtype="int4")
        return float(np.square(found.logits(found.tokenizer.encode(TEXTS[0]).ids) - wanted).mean())

    wanted = model.logits(model.tokenizer.encode(TEXTS[0]).ids)
    assert error("calibrated") < error("rounded")
    with pytest.raises(librag.InvalidArgument):
        model.calibrate([])


def test_a_slash_behind_the_name_and_the_default_of_shards(fixtures_dir: pathlib.Path, tmp_path: pathlib.Path) -> None:
    model = librag.Generator(fixtures_dir / "tiny_llama")
    model.save(f"{tmp_path}/out/", shard_bytes=5_000_000_000, show_progress=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    assert librag.Generator(tmp_path / "out").dtype == "float32"
    (tmp_path / "cut.unfinished").mkdir()
    with pytest.raises(librag.IoError, match="remove it"):
        model.save(tmp_path / "cut", show_progress=False)
    with pytest.raises(librag.IoError):
        model.save(tmp_path / ("long" * 100), show_progress=False)


def test_what_cannot_be_saved_leaves_nothing(fixtures_dir: pathlib.Path, tmp_path: pathlib.Path) -> None:
    model = librag.Generator(fixtures_dir / "tiny_llama")
    with pytest.raises(librag.RagError):
        model.save(tmp_path / "no" / "such" / "folder")
    with pytest.raises(librag.InvalidArgument):
        model.save(tmp_path / "x", dtype="int3")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_quantised_folders_of_others_and_of_the_future_are_refused(fixtures_dir: pathlib.Path, tmp_path: pathlib.Path) -> None:
    librag.Generator(fixtures_dir / "tiny_llama").save(tmp_path / "saved", dtype="int8")
    config = json.loads((tmp_path / "saved" / "config.json").read_text("utf-8"))
    assert config["quantization_config"] == {"quant_method": "librag", "format": 1, "weights": "int8"}
    for change, error in (({"format": 2}, librag.VersionMismatch), ({"quant_method": "awq"}, librag.Unsupported)):
        changed = {**config, "quantization_config": {**config["quantization_config"], **change}}
        (tmp_path / "saved" / "config.json").write_text(json.dumps(changed), "utf-8")
        with pytest.raises(error):
            librag.Generator(tmp_path / "saved")


def test_inspect_a_folder_and_a_file(fixtures_dir: pathlib.Path, tmp_path: pathlib.Path) -> None:
    report = librag.inspect(fixtures_dir / "tiny_llama.Q4_1.gguf", sums=True)
    assert (report["format"], report["architecture"], report["tokenizer"]) == ("gguf", "llama", "gguf (gpt2)")
    assert report["chat_template"] is True
    assert {tensor["type"] for tensor in report["tensors"]} == {"F32", "Q4_1", "Q8_0"}
    content = (fixtures_dir / "tiny_llama.Q4_1.gguf").read_bytes()
    assert report["files"][0]["sha256"] == hashlib.sha256(content).hexdigest()

    folder = tmp_path / "saved"
    librag.Generator(fixtures_dir / "tiny_llama").save(folder)
    with pytest.raises(librag.NotFound):
        librag.inspect(folder, verify=True)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(folder.iterdir())]
    (folder / "SHA256SUMS").write_text("".join(lines), "utf-8")
    report = librag.inspect(folder, verify=True)
    assert report["verified"] is True
    assert report["parameters"] == sum(int(np.prod(tensor["shape"])) for tensor in report["tensors"])
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x01")
    report = librag.inspect(folder, verify=True)
    assert report["verified"] is False
    assert [file["name"] for file in report["files"] if file.get("state") == "differs"] == ["model.safetensors"]


@pytest.mark.parametrize("dtype", ["int8", "int4"])
@pytest.mark.parametrize("source", ["tiny_llama", "tiny_bert", "tiny_cross_encoder"])
def test_inspect_tells_packed_matrices_as_they_are_meant(
    fixtures_dir: pathlib.Path, tmp_path: pathlib.Path, source: str, dtype: librag.models.Dtype
) -> None:
    model: librag.Generator | librag.Encoder | librag.CrossEncoder
    if source == "tiny_llama":
        model = librag.Generator(fixtures_dir / source)
    elif source == "tiny_bert":
        model = librag.Encoder(fixtures_dir / source)
    else:
        model = librag.CrossEncoder(fixtures_dir / source)
    model.save(tmp_path / "plain")
    model.save(tmp_path / "packed", dtype=dtype)
    plain, packed = librag.inspect(tmp_path / "plain"), librag.inspect(tmp_path / "packed")
    assert packed["parameters"] == plain["parameters"]
    assert [(tensor["name"], tensor["shape"]) for tensor in packed["tensors"]] == [
        (tensor["name"], tensor["shape"]) for tensor in plain["tensors"]
    ]
    assert packed["tensor_bytes"] < 0.7 * plain["tensor_bytes"]
    kinds = {tensor["type"] for tensor in packed["tensors"]}
    assert kinds == ({"F32", "int8"} if dtype == "int8" else {"F32", "int8", "int4"})
    alone = librag.inspect(tmp_path / "packed" / "model.safetensors")
    assert alone["tensors"] == packed["tensors"]


def quantize(*arguments: str) -> tuple[int, str]:
    pytest.importorskip("typer")
    from librag.cli import app
    from typer.testing import CliRunner

    run = CliRunner().invoke(app, ["quantize", *arguments])
    return run.exit_code, run.output


@pytest.mark.parametrize("dtype", ["int8", "int4", "bfloat16"])
def test_quantize_takes_every_kind_of_model(fixtures_dir: pathlib.Path, tmp_path: pathlib.Path, dtype: str) -> None:
    plain_bert = tmp_path / "plain_bert"
    shutil.copytree(fixtures_dir / "tiny_bert", plain_bert)
    (plain_bert / "modules.json").unlink()
    cross = fixtures_dir / "tiny_cross_encoder"
    for source in (
        fixtures_dir / "tiny_bert",
        plain_bert,
        cross,
        fixtures_dir / "tiny_llama",
        fixtures_dir / "tiny_llama.Q8_0.gguf",
    ):
        target = tmp_path / f"{source.name}.{dtype}"
        code, output = quantize(str(source), str(target), "--dtype", dtype)
        assert code == 0, output
        assert (target / "model.safetensors").is_file()
    pairs = [("a mill", "the old mill"), ("boats", "seven boats wait")]
    found = librag.CrossEncoder(tmp_path / f"tiny_cross_encoder.{dtype}", dtype=dtype).predict(pairs)  # type: ignore[arg-type]
    wanted = librag.CrossEncoder(cross, dtype=dtype).predict(pairs)  # type: ignore[arg-type]
    assert np.array_equal(found, wanted)
    bert = librag.Encoder(tmp_path / f"plain_bert.{dtype}", dtype=dtype)  # type: ignore[arg-type]
    assert np.array_equal(bert.encode(TEXTS), librag.Encoder(plain_bert, dtype=dtype).encode(TEXTS))  # type: ignore[arg-type]


def test_quantize_refuses_a_sample_that_nothing_uses(fixtures_dir: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "sample.txt").write_text(" ".join(TEXTS[0] for _ in range(50)), "utf-8")
    sample = ("--calibration", str(tmp_path / "sample.txt"))
    for source, dtype, words in (
        ("tiny_llama", "int8", ("--calibration", "int4", "int8")),
        ("tiny_cross_encoder", "int4", ("--calibration", "rerankers")),
    ):
        code, output = quantize(str(fixtures_dir / source), str(tmp_path / "out"), "--dtype", dtype, *sample)
        assert code != 0
        assert all(word in output for word in words), output
        assert not (tmp_path / "out").exists()
    code, output = quantize(str(fixtures_dir / "tiny_llama"), str(tmp_path / "out"), *sample)
    assert code == 0, output


# A program of its own, because what goes wrong here ends it.
SHORTENED = """
import glob, os, sys, librag
path, kind, dtype = sys.argv[1:4]
model = {"Encoder": librag.Encoder, "CrossEncoder": librag.CrossEncoder, "Generator": librag.Generator}[kind](path, dtype=dtype)
def compute():
    if kind == "Encoder":
        return model.encode(["the old mill by the river", "boats"]).tolist()
    if kind == "CrossEncoder":
        return model.predict([("the old mill", "boats wait"), ("a", "b")]).tolist()
    return model.logits([1, 17, 260, 33]).tolist()
before = compute()
files = [path] if os.path.isfile(path) else glob.glob(os.path.join(path, "*.safetensors"))
for file in files:
    os.truncate(file, 100)
assert compute() == before
def refused(call, *arguments):
    try:
        call(*arguments)
    except librag.errors.InvalidState as error:
        assert "was written to while it was open" in str(error), error
        assert any(os.path.basename(file) in str(error) for file in files), error
    else:
        sys.exit("not refused")
refused(model.save, path + ".saved")
if kind != "CrossEncoder":
    model.load_adapter(os.path.join(sys.argv[4], "tiny_bert_lora" if kind == "Encoder" else "tiny_llama_lora"), "lora")
    refused(model.merge_adapter, "lora")
assert compute() == before
print("end")
"""


@pytest.mark.parametrize("dtype", ["int8", "int4", "bfloat16", "float16"])
@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("Encoder", "tiny_bert"),
        ("CrossEncoder", "tiny_cross_encoder"),
        ("Generator", "tiny_llama"),
        ("Generator", "tiny_llama_untied"),
        ("Generator", "tiny_llama.F32.gguf"),
        ("Generator", "tiny_llama.Q4_1.gguf"),
    ],
)
def test_a_packed_model_does_not_need_its_file_to_compute(
    fixtures_dir: pathlib.Path, tmp_path: pathlib.Path, kind: str, source: str, dtype: str
) -> None:
    path = tmp_path / source
    if (fixtures_dir / source).is_dir():
        shutil.copytree(fixtures_dir / source, path)
    else:
        shutil.copy(fixtures_dir / source, path)
    arguments = [str(path), kind, dtype, str(fixtures_dir)]
    done = subprocess.run([sys.executable, "-c", SHORTENED, *arguments], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, "end\n"), done.stderr[-1500:]


def test_a_file_that_was_replaced_does_no_harm(fixtures_dir: pathlib.Path, tmp_path: pathlib.Path) -> None:
    shutil.copytree(fixtures_dir / "tiny_llama", tmp_path / "model")
    for dtype in ("float32", "int8"):
        model = librag.Generator(tmp_path / "model", dtype=dtype)
        expected = model.logits(IDS)
        (tmp_path / "new").write_bytes(b"other")
        (tmp_path / "new").rename(tmp_path / "model" / "model.safetensors")
        assert np.array_equal(model.logits(IDS), expected)
        model.save(tmp_path / dtype)
        assert np.array_equal(librag.Generator(tmp_path / dtype, dtype=dtype).logits(IDS), expected)  # type: ignore[arg-type]
        shutil.copy(fixtures_dir / "tiny_llama" / "model.safetensors", tmp_path / "model" / "model.safetensors")
