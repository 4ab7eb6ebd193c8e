"""librag.Trainer: settings that say what is wrong, runs over tiny models with the real backend, callbacks, stops and resumed runs, and the
folders that come out, loaded by transformers, peft and sentence-transformers with the same outputs."""

import gzip
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import librag
import numpy as np
import pytest
from librag import _librag
from librag._plots import line_svg
from librag.tensorboard import crc32c

WORDS = ("red", "green", "blue")
LABELLED = [{"text": f"{WORDS[i % 3]} {('house', 'water', 'time')[i % 7 % 3]}", "label": WORDS[i % 3]} for i in range(48)]
PAIRS = [
    {"query": f"what is {WORDS[i % 3]}", "positive": f"{WORDS[i % 3]} is good {i}", "negatives": [f"no {WORDS[(i + 1) % 3]}"]}
    for i in range(24)
]
CHATS = [
    {"messages": [{"role": "user", "content": f"say {i % 3}"}, {"role": "assistant", "content": WORDS[i % 3]}]} for i in range(24)
]
QUICK = {"epochs": 2, "batch_size": 8, "dtype": "float32", "threads": 1, "dropout": 0.0}


@pytest.fixture(scope="session")
def bert(fixtures_dir: pathlib.Path) -> pathlib.Path:
    return fixtures_dir / "tiny_bert"


@pytest.fixture(scope="session")
def llama(fixtures_dir: pathlib.Path) -> pathlib.Path:
    return fixtures_dir / "tiny_llama"


class TestSettings:
    def test_are_those_of_the_core_with_the_same_defaults(self) -> None:
        config = json.loads(_librag.train_config("classification", "{}"))
        assert list(config) == list(asdict(librag.TrainConfig()))
        # What the core fills in for the task; the rest is as here.
        filled = {"learning_rate": 2e-4, "batch_size": 32}
        assert config == asdict(librag.TrainConfig()) | filled
        assert json.loads(_librag.train_config("contrastive", '{"method": "full"}'))["learning_rate"] == 5e-5

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"epoch": 1}, "'epoch' is no setting"),
            ({"method": "magic"}, "method"),
            ({"r": "many"}, "r must be a whole number"),
            ({"r": 0}, "r is 0"),
            ({"learning_rate": float("nan")}, "JSON"),
            ({"labels": ["a", "a"]}, "twice"),
            ({"warmup_ratio": 2}, "warmup_ratio"),
            ({"r": None}, "r must be a whole number"),
            ({"alpha": None}, "alpha must be a number"),
            ({"learning_rate": 0}, "nothing is learned"),
            ({"labels": ["a"]}, "nothing to tell apart"),
        ],
    )
    def test_that_are_wrong_are_named(self, settings: dict[str, Any], said: str) -> None:
        with pytest.raises(librag.InvalidArgument, match=said):
            librag.Trainer("model", "classification", settings)

    def test_of_a_dict_a_config_and_keywords_are_the_same(self) -> None:
        one = librag.Trainer("m", "rerank", {"r": 4, "target_modules": "all-linear"}).config
        assert one == librag.Trainer("m", "rerank", librag.TrainConfig(r=4, target_modules="all-linear")).config
        assert one == librag.Trainer("m", "rerank", {"r": 8}, r=4, target_modules="all-linear").config

    def test_another_task_or_model_is_an_error(self) -> None:
        with pytest.raises(librag.InvalidArgument, match="the task is"):
            librag.Trainer("m", "classify")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="model must be a path"):
            librag.Trainer(3, "rerank")


class TestBadData:
    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("", "holds no rows"),
            ('{"texts": "a", "label": "x"}\n', "line 1"),
            ('{"text": "a", "label": "x"}\n{"text": "b", "label": "x"}\n', "nothing to tell apart"),
            ('{"text": "a", "label": "x"}\n{"text": "b", "label": "y"}\n{"text": "c", "label": "z"}\n', "line 3"),
        ],
    )
    def test_is_refused_with_file_and_line_before_training(
        self, bert: pathlib.Path, tmp_path: pathlib.Path, content: str, said: str
    ) -> None:
        file = tmp_path / "rows.jsonl"
        file.write_text(content)
        with pytest.raises(librag.InvalidArgument, match=said) as caught:
            librag.Trainer(bert, "classification", labels=["x", "y"], output=tmp_path / "run").fit(file)
        assert "rows.jsonl" in str(caught.value)
        assert not (tmp_path / "run").exists()

    def test_that_is_not_utf8_is_refused(self, bert: pathlib.Path, tmp_path: pathlib.Path) -> None:
        file = tmp_path / "rows.jsonl"
        file.write_bytes(b'{"text": "a", "label": "x"}\n{"text": "\xff\xfe\x80", "label": "y"}\n')
        with pytest.raises(librag.InvalidArgument, match=r"rows\.jsonl.*byte 0xff at offset 38, in line 2"):
            librag.Trainer(bert, "classification", output=tmp_path / "run").fit(file)
        # Far behind the beginning, from which an encoding is found.
        file.write_bytes(b'{"text": "\xc3\xa9", "label": "x"}\n' * 9000 + b'{"text": "\xe9 ", "label": "y"}\n')
        with pytest.raises(librag.InvalidArgument, match=r"rows\.jsonl.*byte 0xe9 at offset \d+, in line 9001"):
            librag.Trainer(bert, "classification", output=tmp_path / "run").fit(file)
        assert not (tmp_path / "run").exists()

    def test_an_encoding_that_is_named_is_read(self, bert: pathlib.Path, tmp_path: pathlib.Path) -> None:
        file = tmp_path / "rows.csv"
        text = "text,label\n" + "".join(f"{row['text']} caf\u00e9,{row['label']}\n" for row in LABELLED)
        file.write_bytes(text.encode("latin-1"))
        result = librag.Trainer(bert, "classification", QUICK, epochs=1, output=tmp_path / "run").fit(file, encoding="iso-8859-1")
        said = json.loads(pathlib.Path(result.manifest).read_text())["train"]
        assert said["read"]["encoding"] == "iso-8859-1"
        assert said["rows"] == len(LABELLED)

    def test_packed_files_are_read(self, bert: pathlib.Path, tmp_path: pathlib.Path) -> None:
        from librag.training import _read_options, repeat

        plain, packed = tmp_path / "rows.jsonl", tmp_path / "rows.jsonl.gz"
        plain.write_text("".join(json.dumps(row) + "\n" for row in LABELLED))
        packed.write_bytes(gzip.compress(plain.read_bytes()))
        trainer = librag.Trainer(bert, "classification", QUICK, epochs=1)
        runs = []
        for file in (plain, packed):
            trainer.config.output = str(tmp_path / f"of-{file.name}")
            runs.append(trainer.fit(file))
        said = [json.loads(pathlib.Path(run.manifest).read_text())["train"]["sha256"] for run in runs]
        assert said[0] == said[1]
        assert repeat(runs[1].manifest, output=tmp_path / "again").steps == runs[1].steps
        packed.write_bytes(packed.read_bytes()[:-20])
        with pytest.raises(librag.InvalidArgument, match=r"rows\.jsonl\.gz.*no whole gzip file"):
            trainer.fit(packed)
        with pytest.raises(librag.Unsupported, match=r"rows\.jsonl\.gz.*gunzip"):
            _librag.TrainingData.read(str(packed), _read_options("classification", None, "error", []))


def test_a_curve_is_svg_whatever_it_is_given() -> None:
    import xml.etree.ElementTree

    for points in ([], [(1, 2.0)], [(i, 1 / (i + 1)) for i in range(5000)], [(1, float("nan")), (2, 1.0)]):
        root = xml.etree.ElementTree.fromstring(line_svg(points, 5000, "a < b & c", smooth=True))
        assert root.tag.endswith("svg")
        line = next(child for child in root if child.tag.endswith("polyline"))
        assert len(line.get("points", "").split()) <= 401


class TestTensorBoard:
    """Read by a parser of the published formats that shares nothing with the writer."""

    @staticmethod
    def records(data: bytes) -> Iterator[bytes]:
        def crc(part: bytes) -> int:
            value = 0xFFFFFFFF
            for byte in part:
                value ^= byte
                for _ in range(8):
                    value = value >> 1 ^ 0x82F63B78 * (value & 1)
            value ^= 0xFFFFFFFF
            return ((value >> 15) | (value << 17 & 0xFFFFFFFF)) + 0xA282EAD8 & 0xFFFFFFFF

        at = 0
        while at < len(data):
            (length, length_crc) = struct.unpack_from("<QI", data, at)
            assert length_crc == crc(data[at : at + 8])
            body = data[at + 12 : at + 12 + length]
            assert struct.unpack_from("<I", data, at + 12 + length) == (crc(body),)
            yield body
            at += 16 + length

    @classmethod
    def fields(cls, data: bytes) -> dict[int, list[Any]]:
        out: dict[int, list[Any]] = {}
        at = 0

        def varint() -> int:
            nonlocal at
            value = shift = 0
            while True:
                byte = data[at]
                at += 1
                value |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    return value

        while at < len(data):
            key = varint()
            if key & 7 == 0:
                value: Any = varint()
            elif key & 7 == 1:
                (value,) = struct.unpack_from("<d", data, at)
                at += 8
            elif key & 7 == 5:
                (value,) = struct.unpack_from("<f", data, at)
                at += 4
            else:
                length = varint()
                value = data[at : at + length]
                at += length
            out.setdefault(key >> 3, []).append(value)
        return out

    def test_files_hold_what_was_told(self, tmp_path: pathlib.Path) -> None:
        assert crc32c(b"123456789") == 0xE3069283
        with librag.TensorBoard(tmp_path / "tb") as board:
            board.on_step(librag.TrainStep(300, 400, 0.5, 1.25, 1e-3, 2.0, 100.0, 3.0, 50.0))
            board.on_evaluate(librag.TrainStep(300, 400, 0.5, 0, 0, 0, 0, 3.0, 50.0, {"eval_loss": 0.5, "ndcg@10": 0.75}))
        assert board.path.name.startswith("events.out.tfevents.")
        version, *events = [self.fields(record) for record in self.records(board.path.read_bytes())]
        assert version[3] == [b"brain.Event:2"]
        told = {}
        for event in events:
            assert event[2] == [300]
            assert abs(event[1][0] - time.time()) < 60
            for value in self.fields(event[5][0])[1]:
                scalar = self.fields(value)
                told[scalar[1][0].decode()] = scalar[2][0]
        assert told["train/loss"] == 1.25
        assert told["eval/loss"] == 0.5
        assert told["eval/ndcg@10"] == 0.75


@pytest.mark.full
class TestRuns:
    def test_classification_learns_and_transformers_reads_it(self, bert: pathlib.Path, tmp_path: pathlib.Path) -> None:
        heard: list[librag.TrainStep] = []
        with librag.TensorBoard(tmp_path / "tb") as board:
            result = librag.Trainer(
                bert, "classification", QUICK, method="full", learning_rate=5e-3, epochs=8, output=tmp_path / "run"
            ).fit(LABELLED, LABELLED, [heard.append, board], show_progress=False)
        assert board.path.stat().st_size > 48 * 100
        assert result.metrics["accuracy"] > 0.9 > result.before["accuracy"]
        assert result.steps == 48
        assert [step.step for step in heard if step.metrics is None] == list(range(1, 49))
        assert next(step.metrics for step in heard if step.step == result.best_step and step.metrics) == result.metrics
        assert len(result.history) == len(heard)
        texts = [row["text"] for row in LABELLED[:8]]
        ours = librag.Classifier(result.path).predict(texts)
        import torch
        import transformers

        model = transformers.AutoModelForSequenceClassification.from_pretrained(result.path).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(result.path)
        with torch.no_grad():
            theirs = model(**tokenizer(texts, padding=True, truncation=True, return_tensors="pt")).logits.softmax(-1).numpy()
        assert model.config.id2label == {0: "blue", 1: "green", 2: "red"}
        for one, row in zip(ours, theirs, strict=True):
            assert one.label == model.config.id2label[int(row.argmax())]
            assert one.score == pytest.approx(row.max(), abs=1e-4)
        again = librag.Trainer(
            bert, "classification", QUICK, method="full", learning_rate=5e-3, epochs=8, output=tmp_path / "again"
        ).fit(LABELLED, LABELLED)
        assert (pathlib.Path(again.path) / "model.safetensors").read_bytes() == (
            pathlib.Path(result.path) / "model.safetensors"
        ).read_bytes()

    @pytest.mark.filterwarnings("ignore::FutureWarning")  # peft asks transformers for what has another name now
    def test_a_classifiers_adapter_is_peft_s(self, bert: pathlib.Path, tmp_path: pathlib.Path) -> None:
        result = librag.Trainer(bert, "classification", QUICK, learning_rate=1e-2, epochs=4, output=tmp_path / "run").fit(
            LABELLED
        )
        import peft
        import torch
        import transformers

        base = transformers.AutoModelForSequenceClassification.from_pretrained(bert, num_labels=3)
        model = peft.PeftModel.from_pretrained(base, str(tmp_path / "run" / "adapter")).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(bert)
        texts = [row["text"] for row in LABELLED[:8]]
        with torch.no_grad():
            theirs = model(**tokenizer(texts, padding=True, truncation=True, return_tensors="pt")).logits.softmax(-1).numpy()
        ours = librag.Classifier(result.path).predict(texts)
        assert [one.score for one in ours] == pytest.approx(theirs.max(-1), abs=1e-4)

    @pytest.mark.parametrize("method", ["lora", "full"])
    def test_contrastive_gives_a_folder_for_sentence_transformers(
        self, bert: pathlib.Path, tmp_path: pathlib.Path, method: str
    ) -> None:
        result = librag.Trainer(
            bert,
            "contrastive",
            QUICK,
            method=method,
            save="merged",
            learning_rate=1e-3,
            metric="eval_loss",
            output=tmp_path / "run",
        ).fit(PAIRS, PAIRS)
        assert result.metrics["eval_loss"] < result.before["eval_loss"]
        import sentence_transformers

        texts = [row["positive"] for row in PAIRS]
        theirs = sentence_transformers.SentenceTransformer(result.path).encode(texts)  # type: ignore[call-overload]
        np.testing.assert_allclose(librag.Encoder(result.path).encode(texts), theirs, atol=2e-5)
        assert np.abs(librag.Encoder(bert).encode(texts) - theirs).max() > 1e-3

    def test_cached_gradients_are_those_of_one_pass(self, bert: pathlib.Path, tmp_path: pathlib.Path) -> None:
        runs = []
        for name, tokens in (("one", 4096), ("many", 30)):
            result = librag.Trainer(
                bert, "contrastive", QUICK, method="full", micro_tokens=tokens, learning_rate=1e-3, output=tmp_path / name
            ).fit(PAIRS)
            runs.append([(step["loss"], step["grad_norm"]) for step in result.history])
        for one, other in zip(*runs, strict=True):
            assert one == pytest.approx(other, rel=2e-2, abs=1e-4)

    def test_rerank_gives_a_cross_encoder(self, bert: pathlib.Path, tmp_path: pathlib.Path) -> None:
        result = librag.Trainer(bert, "rerank", QUICK, method="full", learning_rate=5e-3, epochs=6, output=tmp_path / "run").fit(
            PAIRS, PAIRS
        )
        assert result.metrics["eval_loss"] < result.before["eval_loss"]
        import sentence_transformers

        pairs = [(row["query"], row["positive"]) for row in PAIRS]
        theirs = sentence_transformers.CrossEncoder(result.path).predict(pairs)  # type: ignore[call-overload]
        np.testing.assert_allclose(librag.CrossEncoder(result.path).predict(pairs), theirs, atol=1e-4)

    @pytest.mark.filterwarnings("ignore::FutureWarning")
    def test_causal_lm_gives_peft_s_adapter(self, llama: pathlib.Path, tmp_path: pathlib.Path) -> None:
        result = librag.Trainer(
            llama, "causal_lm", QUICK, learning_rate=2e-2, epochs=6, save="both", output=tmp_path / "run"
        ).fit(CHATS, CHATS)
        assert result.metrics["eval_loss"] < result.before["eval_loss"]
        ids = [5, 9, 200, 77, 3]
        merged = librag.Generator(result.path)
        adapted = librag.Generator(llama)
        adapted.load_adapter(tmp_path / "run" / "adapter", "a")
        adapted.merge_adapter("a")
        np.testing.assert_allclose(merged.logits(ids), adapted.logits(ids), atol=1e-4)
        import peft
        import torch
        import transformers

        base = transformers.AutoModelForCausalLM.from_pretrained(llama)
        model = peft.PeftModel.from_pretrained(base, str(tmp_path / "run" / "adapter")).eval()
        whole = transformers.AutoModelForCausalLM.from_pretrained(result.path).eval()
        with torch.no_grad():
            for one in (model, whole):
                np.testing.assert_allclose(merged.logits(ids), one(torch.tensor([ids])).logits[0].numpy(), atol=1e-4)

    def test_masked_lm_gives_transformers_model(self, bert: pathlib.Path, tmp_path: pathlib.Path) -> None:
        texts = [{"text": f"{row['text']} {row['text']}"} for row in LABELLED]
        result = librag.Trainer(
            bert, "masked_lm", QUICK, method="full", learning_rate=1e-2, epochs=6, output=tmp_path / "run"
        ).fit(texts, texts)
        assert result.metrics["eval_loss"] < result.before["eval_loss"]
        import transformers

        model, report = transformers.AutoModelForMaskedLM.from_pretrained(result.path, output_loading_info=True)
        assert not report["missing_keys"]
        assert type(model).__name__ == "BertForMaskedLM"
        assert librag.Encoder(result.path).encode(["red"]).shape == (1, 32)

    def test_distill_makes_a_smaller_encoder(self, bert: pathlib.Path, tmp_path: pathlib.Path) -> None:
        result = librag.Trainer(
            bert,
            "distill",
            QUICK,
            method="full",
            teacher=bert,
            keep_layers=[1],
            learning_rate=5e-3,
            epochs=6,
            output=tmp_path / "run",
        ).fit([{"text": row["text"]} for row in LABELLED], [{"text": row["text"]} for row in LABELLED])
        assert result.metrics["cosine"] > result.before["cosine"]
        assert librag.inspect(result.path)["parameters"] < librag.inspect(bert)["parameters"]
        librag.Encoder(result.path).encode(["red"])
        import sentence_transformers

        theirs = sentence_transformers.SentenceTransformer(result.path).encode(["red house"])
        np.testing.assert_allclose(librag.Encoder(result.path).encode(["red house"]), theirs, atol=2e-5)

    def test_distill_makes_a_decoder_say_what_another_says(
        self, llama: pathlib.Path, fixtures_dir: pathlib.Path, tmp_path: pathlib.Path
    ) -> None:
        result = librag.Trainer(
            llama, "distill", QUICK, teacher=llama, hard_weight=0.0, learning_rate=1e-4, output=tmp_path / "run"
        ).fit(CHATS[:8], CHATS[:8])
        # A student that is its teacher has nothing to learn.
        assert result.before["eval_loss"] == pytest.approx(0, abs=1e-4)

    def test_callbacks_stop_a_run_which_resumes(self, bert: pathlib.Path, tmp_path: pathlib.Path) -> None:
        settings = {**QUICK, "method": "full", "epochs": 3, "dropout": 0.1}
        whole = librag.Trainer(bert, "classification", settings, output=tmp_path / "whole").fit(LABELLED)

        class Stop:
            def on_step(self, step: librag.TrainStep) -> bool:
                return step.step != 7

        with pytest.raises(librag.Stopped):
            librag.Trainer(bert, "classification", settings, output=tmp_path / "run").fit(LABELLED, callbacks=[Stop()])
        with pytest.raises(librag.AlreadyExists, match="resume"):
            librag.Trainer(bert, "classification", settings, output=tmp_path / "run").fit(LABELLED)

        def fail(step: librag.TrainStep) -> None:
            if step.step == 11:
                raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            librag.Trainer(bert, "classification", settings, output=tmp_path / "run", resume=True).fit(LABELLED, callbacks=[fail])
        with pytest.raises(librag.InvalidState, match="the setting seed"):
            librag.Trainer(bert, "classification", settings, seed=1, output=tmp_path / "run", resume=True).fit(LABELLED)
        result = librag.Trainer(bert, "classification", settings, output=tmp_path / "run", resume=True).fit(LABELLED)
        assert result.resumed_step == 11
        names = "model/model.safetensors", "adapter/adapter_model.safetensors"
        for name in names:
            if (tmp_path / "whole" / name).exists():
                assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "run" / name).read_bytes()
        assert [step["loss"] for step in result.history] == [step["loss"] for step in whole.history]

    def test_any_false_answer_of_a_callback_stops(self, bert: pathlib.Path, tmp_path: pathlib.Path) -> None:
        numpy = pytest.importorskip("numpy")
        for number, answer in enumerate((False, 0, numpy.bool_(False))):
            with pytest.raises(librag.Stopped):
                librag.Trainer(bert, "classification", QUICK, output=tmp_path / str(number)).fit(
                    LABELLED, callbacks=[lambda step, answer=answer: answer]
                )

    def test_skipped_rows_of_eval_are_told_and_repeated(self, bert: pathlib.Path, tmp_path: pathlib.Path) -> None:
        from librag.training import repeat

        train, held_out = tmp_path / "rows.jsonl", tmp_path / "eval.jsonl"
        train.write_text("".join(json.dumps(row) + "\n" for row in LABELLED))
        held_out.write_text(json.dumps(LABELLED[0]) + "\n{bad\n" + json.dumps(LABELLED[-1]) + "\n")
        trainer = librag.Trainer(bert, "classification", QUICK, output=tmp_path / "first")
        result = trainer.fit(train, held_out, on_bad_row="skip")
        assert result.skipped_count == 1
        line, reason = result.skipped[0]
        assert line == 2
        assert "eval.jsonl" in reason
        assert repeat(result.manifest, output=tmp_path / "second").metrics == result.metrics

    def test_what_is_no_manifest_is_refused(self, tmp_path: pathlib.Path) -> None:
        from librag.training import repeat

        for text in ("{}", "[]", "no JSON", '{"model": {}}'):
            (tmp_path / "manifest.json").write_text(text)
            with pytest.raises(librag.InvalidArgument, match="no manifest of a run"):
                repeat(tmp_path / "manifest.json")

    def test_rows_in_memory_that_are_no_json_are_named(self, bert: pathlib.Path) -> None:
        with pytest.raises(librag.InvalidArgument, match="train, line 2: Object of type bytes"):
            librag.Trainer(bert, "classification", QUICK).fit([LABELLED[0], {"text": b"x", "label": "a"}])
        with pytest.raises(TypeError, match="train must be a path or rows, not NoneType"):
            librag.Trainer(bert, "classification", QUICK).fit(None)  # type: ignore[arg-type]

    def test_a_manifest_repeats_columns_and_relative_paths(
        self, bert: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from librag.training import repeat

        project = tmp_path / "project"
        project.mkdir()
        shutil.copytree(bert, project / "model")
        rows = "".join(f"{row['text']},{row['label']}\n" for row in LABELLED)
        (project / "rows.csv").write_text("question,intent\n" + rows)
        monkeypatch.chdir(project)
        trainer = librag.Trainer("model", "classification", QUICK, epochs=1, output="runs/first")
        first = trainer.fit("rows.csv", "rows.csv", columns={"text": "question", "label": "intent"})
        said = json.loads(pathlib.Path(first.manifest).read_text())
        assert said["model"]["from_manifest"] == "../../model"
        assert said["train"]["from_manifest"] == "../../rows.csv"
        assert said["caller"]["python"].startswith("3.")
        assert {"numpy", "librag"} <= set(said["caller"])
        assert "LibTorch" in said["backend"]
        # Moved as a whole, and from another folder.
        monkeypatch.chdir(tmp_path)
        project.rename(tmp_path / "moved")
        second = repeat("moved/runs/first/manifest.json", output="second")
        assert second.metrics == first.metrics
        assert second.steps == first.steps

    def test_a_manifest_of_rows_in_memory_says_that_it_cannot_be_repeated(
        self, bert: pathlib.Path, tmp_path: pathlib.Path
    ) -> None:
        from librag.training import repeat

        result = librag.Trainer(bert, "classification", QUICK, epochs=1, output=tmp_path / "run").fit(LABELLED)
        with pytest.raises(librag.InvalidArgument, match=r"given from memory.*fit\(\) with them again"):
            repeat(result.manifest, output=tmp_path / "second")

    @pytest.mark.parametrize("folder", [False, True])
    def test_rows_in_memory_are_not_taken_for_a_file_of_their_name(
        self, bert: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, folder: bool
    ) -> None:
        from librag.training import repeat

        monkeypatch.chdir(tmp_path)
        if folder:
            pathlib.Path("train").mkdir()
        else:
            pathlib.Path("train").write_text("mine")
        result = librag.Trainer(bert, "classification", QUICK, epochs=1, output="run").fit(LABELLED)
        assert "from_manifest" not in json.loads(pathlib.Path(result.manifest).read_text("utf-8"))["train"]
        with pytest.raises(librag.InvalidArgument, match=r"given from memory.*fit\(\) with them again"):
            repeat(result.manifest, output="second")

    def test_a_packed_file_is_found_when_the_project_moves(
        self, bert: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from librag.training import repeat

        (tmp_path / "first").mkdir()
        monkeypatch.chdir(tmp_path / "first")
        with gzip.open("rows.jsonl.gz", "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in LABELLED)
        first = librag.Trainer(bert, "classification", QUICK, epochs=1, output="runs/one").fit("rows.jsonl.gz", LABELLED)
        monkeypatch.chdir(tmp_path)
        (tmp_path / "first").rename(tmp_path / "moved")
        with pytest.raises(librag.InvalidArgument, match="rows of eval were given from memory"):
            repeat("moved/runs/one/manifest.json", output="no")
        manifest = json.loads((tmp_path / "moved/runs/one/manifest.json").read_text("utf-8"))
        (tmp_path / "moved/runs/one/manifest.json").write_text(json.dumps({**manifest, "eval": None}), "utf-8")
        second = repeat("moved/runs/one/manifest.json", output="second")
        assert second.steps == first.steps
        assert repeat(second.manifest, output="third").steps == first.steps

    def test_a_mistyped_metric_leaves_no_folder(self, bert: pathlib.Path, tmp_path: pathlib.Path) -> None:
        settings = {**QUICK, "epochs": 1, "output": str(tmp_path / "run")}
        with pytest.raises(librag.InvalidArgument, match=r"acuracy.*accuracy, macro_f1"):
            librag.Trainer(bert, "classification", settings, metric="acuracy").fit(LABELLED, LABELLED)
        with pytest.raises(librag.InvalidArgument, match="freeze_layers is 99"):
            librag.Trainer(bert, "classification", settings, method="full", freeze_layers=99).fit(LABELLED)
        with pytest.raises(librag.InvalidArgument, match="patience"):
            librag.Trainer(bert, "classification", settings, patience=2).fit(LABELLED)
        assert not (tmp_path / "run").exists()
        assert librag.Trainer(bert, "classification", settings, metric="accuracy").fit(LABELLED, LABELLED).steps == 6
        with pytest.raises(librag.InvalidArgument, match="resume goes on in the folder"):
            librag.Trainer(bert, "classification", QUICK, resume=True).fit(LABELLED)

    def test_a_damaged_checkpoint_is_told(self, bert: pathlib.Path, tmp_path: pathlib.Path) -> None:
        settings = {**QUICK, "eval_steps": 2, "keep": 9, "output": str(tmp_path / "run"), "resume": True}
        with pytest.raises(librag.Stopped):
            librag.Trainer(bert, "classification", settings).fit(LABELLED, LABELLED, callbacks=[lambda step: step.step < 5])
        newest = max((tmp_path / "run/checkpoints").iterdir(), key=lambda path: int(path.name.removeprefix("step-")))
        data = bytearray((newest / "model.safetensors").read_bytes())
        data[len(data) // 2] ^= 1
        (newest / "model.safetensors").write_bytes(data)
        result = librag.Trainer(bert, "classification", settings).fit(LABELLED, LABELLED)
        assert result.resumed_step == 4
        assert len(result.warnings) == 1
        assert newest.name in result.warnings[0]

    def test_a_manifest_repeats_its_run(self, bert: pathlib.Path, tmp_path: pathlib.Path) -> None:
        from librag.training import repeat

        file = tmp_path / "rows.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in LABELLED))
        first = librag.Trainer(bert, "classification", QUICK, output=tmp_path / "first").fit(file)
        second = repeat(first.manifest, output=tmp_path / "second")
        assert (tmp_path / "first/model/model.safetensors").read_bytes() == (
            tmp_path / "second/model/model.safetensors"
        ).read_bytes()
        assert second.steps == first.steps
        file.write_text(file.read_text().replace("house", "mouse"))
        with pytest.raises(librag.InvalidArgument, match="have changed"):
            repeat(first.manifest, output=tmp_path / "third")

    def test_a_manifest_with_settings_that_are_refused_now_is_repeated(self, bert: pathlib.Path, tmp_path: pathlib.Path) -> None:
        from librag.training import repeat

        file = tmp_path / "rows.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in LABELLED))
        settings = {**QUICK, "save": "adapter", "epochs": 1}
        first = librag.Trainer(bert, "classification", settings, output=tmp_path / "first").fit(file)
        manifest = pathlib.Path(first.manifest)
        said = json.loads(manifest.read_text("utf-8"))
        said["config"].update(save_dtype="float16", hard_weight=0.2)
        manifest.write_text(json.dumps(said), "utf-8")
        with pytest.raises(librag.InvalidArgument, match=r"hard_weight is 0\.2"):
            librag.Trainer(bert, "classification", {**said["config"], "output": ""})
        with pytest.raises(librag.InvalidArgument, match=r'save_dtype is "float16".*an adapter alone'):
            librag.Trainer(bert, "classification", {**settings, "save_dtype": "float16"})
        second = repeat(manifest, output=tmp_path / "second")
        assert second.steps == first.steps
        assert [warning.split(",")[0] for warning in second.warnings] == ["hard_weight is 0.2", 'save_dtype is "float16"']
        again = json.loads(pathlib.Path(second.manifest).read_text("utf-8"))["config"]
        assert (again["save_dtype"], again["hard_weight"]) == ("float32", 0.5)
        assert repeat(second.manifest, output=tmp_path / "third").warnings == []
        one, other = (tmp_path / name / "adapter/adapter_model.safetensors" for name in ("first", "second"))
        assert one.read_bytes() == other.read_bytes()


SCRIPT = """
    import json, sys
    import librag
    rows = json.loads(sys.argv[3])
    settings = {"method": "full", "epochs": 40, "batch_size": 8, "threads": 1, "save_steps": 1, "learning_rate": 1e-4}
    librag.Trainer(sys.argv[1], "classification", settings, output=sys.argv[2], resume=True).fit(rows)
"""


def start(bert: pathlib.Path, output: pathlib.Path) -> "subprocess.Popen[bytes]":
    arguments = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(bert), str(output), json.dumps(LABELLED)]
    return subprocess.Popen(arguments, stderr=subprocess.PIPE)


@pytest.mark.full
def test_ctrl_c_leaves_a_checkpoint(bert: pathlib.Path, tmp_path: pathlib.Path) -> None:
    process = start(bert, tmp_path / "run")
    wait_for(tmp_path / "run/metrics.jsonl", process)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert b"KeyboardInterrupt" in error
    steps = [int(path.name.removeprefix("step-")) for path in (tmp_path / "run/checkpoints").iterdir()]
    last = json.loads((tmp_path / "run/metrics.jsonl").read_text().splitlines()[-1])
    assert max(steps) == last["step"]


def wait_for(file: pathlib.Path, process: "subprocess.Popen[bytes]") -> None:
    while process.poll() is None and not (file.exists() and file.stat().st_size > 0):
        time.sleep(0.02)
    assert process.poll() is None


@pytest.mark.full
@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.long)])
def test_kill_at_random_moments_changes_no_bit(bert: pathlib.Path, tmp_path: pathlib.Path, kills: int) -> None:
    whole = start(bert, tmp_path / "whole")
    whole.communicate(timeout=600)
    assert whole.returncode == 0
    # By what the run has written, not by the clock: the kills are spread over the run however fast the machine is, and a random part
    # of a step later.
    written = [tmp_path / "whole/metrics.jsonl", tmp_path / "run/metrics.jsonl"]
    size = written[0].stat().st_size
    random = np.random.default_rng(kills)
    for kill in range(kills):
        process = start(bert, tmp_path / "run")
        enough = size * (kill + float(random.uniform(0.2, 0.8))) / (kills + 1)
        while process.poll() is None and not (written[1].exists() and written[1].stat().st_size >= enough):
            time.sleep(0.002)
        time.sleep(float(random.uniform(0.0, 0.03)))
        assert process.poll() is None, "it was done before all kills"
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    last = start(bert, tmp_path / "run")
    last.communicate(timeout=600)
    assert last.returncode == 0
    name = "model/model.safetensors"
    assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
