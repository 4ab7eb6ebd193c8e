"""Models written to folders: they load again here to the same bits, and in transformers and sentence-transformers to the same values;
what inspect tells of them; and int4 calibrated on a text sample."""

import hashlib
import json
import pathlib

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
