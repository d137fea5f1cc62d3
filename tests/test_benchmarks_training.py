"""The benchmarks of training and generation, on tiny models; how fast they are is not tested."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

pytest.importorskip("pyperf", reason="the benchmarks write their figures with pyperf, of the dependency group bench")

from pianoroll_seq2seq.data.datasets.scale_chords import write_scale_chords
from pianoroll_seq2seq.train.precision import cpu_has_bfloat16

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
QUICK = ("--rounds", "1", "--pieces", "2")
Benchmark = Callable[..., str]


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of some of the built-in pieces."""
    folder = tmp_path_factory.mktemp("midi")
    for path in sorted(write_scale_chords(folder).glob("*.mid"))[12:]:
        path.unlink()
    return folder


def load(name: str) -> ModuleType:
    """A module of the benchmarks' folder."""
    spec = spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def contenders() -> ModuleType:
    return load("contenders")


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Benchmark:
    """Runs a benchmark in this process, which saves an import of torch, and returns what it prints."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def run(name: str, *arguments: str | Path) -> str:
        load(name).main([str(argument) for argument in arguments])
        return capsys.readouterr().out

    return run


def run_program(name: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, BENCHMARKS / f"{name}.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def read_rows(printed: str, path: Path) -> dict[str, dict[str, Any]]:
    """The run of each row in the JSON, after checks that the tables were printed and written."""
    assert path.with_suffix(".md").read_text(encoding="utf-8").strip() in printed
    suite = json.loads(path.read_text(encoding="utf-8"))
    common = suite["metadata"]
    assert {"cpu_model_name", "torch_version", "python_version"} <= common.keys()
    assert "hostname" not in json.dumps(suite)
    return {
        one.get("metadata", common)["name"]: one["runs"][0] | {"metadata": common | one.get("metadata", {})}
        for one in suite["benchmarks"]
    }


@pytest.mark.slow  # the benchmarks of scaling and GPUs run the same worker
def test_training_is_compared(benchmark: Benchmark, tmp_path: Path, pieces: Path) -> None:
    ways = ["fit, float32", "bare, float32", "fit, bfloat16", "plain PyTorch, float32"]
    options = ("--midi-dir", pieces, "--models", "2017", "--epochs", "2", "--losses-after", "1", "2")
    keras = ("--only", ";".join([*ways, "Keras"]), "--keras-python", tmp_path / "nothing")
    printed = benchmark("train", *options, *keras, *QUICK, "--output", tmp_path)
    rows = read_rows(printed, tmp_path / "train-2017.json")
    if not cpu_has_bfloat16():
        ways.remove("fit, bfloat16")
        assert "this CPU has no bfloat16" in printed
    assert list(rows) == [*ways, "product, float32", "product, bfloat16"]
    assert f"{tmp_path / 'nothing'} cannot be run" in printed
    for name in ways:
        row = rows[name]
        assert len(row["values"]) == 1
        assert len(row["warmups"]) == 1
        assert len(row["metadata"]["valid_losses"].split()) == 2


@pytest.mark.parametrize("model", ["2017", "2x512"])
def test_the_plain_model_equals_that_of_the_library(contenders: ModuleType, model: str) -> None:
    """The benchmark compares two different models."""
    torch.manual_seed(0)
    sizes = replace(contenders.MODELS[model], hidden_size=8)
    ours, plain = contenders.build_model(sizes).eval(), contenders.PlainModel(sizes).eval()
    parts = {"encoder.lstm": "encoder", "head.logits": "logits"}
    weights = {
        next((name.replace(part, plain_part, 1) for part, plain_part in parts.items() if part in name), name): value
        for name, value in ours.state_dict().items()
    }
    plain.load_state_dict(weights)
    frames = (torch.rand(3, 100, len(sizes.pitches)) < 0.2).float()
    halves = frames[:, :50], frames[:, 50:]
    torch.testing.assert_close(plain(*halves), ours(*halves).logits)


@pytest.mark.parametrize("model", ["2017", "2x512"])
def test_floating_point_operations_are_counted(contenders: ModuleType, model: str) -> None:
    """A model can be faster than the arithmetic floor."""
    sizes = replace(contenders.MODELS[model], hidden_size=8)
    width, frames = len(sizes.pitches), 50
    forward, training = 2 * frames * 8 * width, 6 * frames * 8 * width
    first = [True, False, not sizes.parallel, False]  # whether a layer reads frames, which need no gradient
    for inputs, of_frames in zip([width, 8, 8 if sizes.parallel else width, 8], first, strict=True):
        read, recurrent = 2 * frames * 32 * inputs, 2 * frames * 32 * 8
        forward += read + recurrent
        training += (2 if of_frames else 3) * read + 3 * recurrent
    assert sizes.products() == (forward, training)


@pytest.mark.parametrize("model", ["2017", "2x512"])
def test_keras_is_measured_if_it_is_installed(benchmark: Benchmark, tmp_path: Path, pieces: Path, model: str) -> None:
    if find_spec("keras") is None or find_spec("tensorflow") is None:
        pytest.skip("Keras 3 with TensorFlow is not installed: it needs its own environment (see train.py)")
    options = ("--midi-dir", pieces, "--models", model, "--epochs", "2", "--only", "Keras")
    printed = benchmark("train", *options, *QUICK, "--output", tmp_path)
    rows = read_rows(printed, tmp_path / f"train-{model}.json")
    assert len(rows["Keras"]["values"]) == 1


def test_losses_of_epochs_that_are_not_trained_are_refused(
    benchmark: Benchmark, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        benchmark("train", "--epochs", "2", "--losses-after", "3")
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (2, "")
    assert "from 1 to 2" in printed.err


HEADS = ["BernoulliHead", pytest.param("RelativeBernoulliHead", marks=pytest.mark.slow)]


@pytest.mark.parametrize("head", HEADS)
def test_generation_is_compared(benchmark: Benchmark, tmp_path: Path, head: str) -> None:
    options = ("--heads", head, "--batches", "1", "40", "--hidden-size", "8", "--frames", "10", "--live-frames", "5")
    printed = benchmark("generate", *options, "--turns", "2", "--rounds", "1", "--output", tmp_path)
    rows = read_rows(printed, tmp_path / "generate.json")
    for name in ("generate_frames", "plain nn.LSTM loop", "with cells", "with fused layers"):
        assert {f"{head}, batch 1: {name}", f"{head}, batch 40: {name}"} <= rows.keys()
    assert f"{head}, batch 1: with NumPy" in rows
    live = rows[f"{head}, batch 1: generate_frames, live"]
    assert len(live["values"]) == 5
    assert live["metadata"]["p50_us"] <= live["metadata"]["p99_us"]


@pytest.mark.slow
def test_scaling_is_measured(benchmark: Benchmark, tmp_path: Path, pieces: Path) -> None:
    """The batch size is varied; see the slow test for the others."""
    options = ("--midi-dir", pieces, "--batch-sizes", "32", "--hidden", "--processes", "--precisions", "float32")
    printed = benchmark("scaling", *options, *QUICK, "--output", tmp_path)
    assert list(read_rows(printed, tmp_path / "scaling.json")) == ["batch 32, hidden 64, processes 1, float32"]


@pytest.mark.slow
def test_scaling_is_measured_by_hidden_size_and_processes(tmp_path: Path, pieces: Path) -> None:
    options = ("--midi-dir", pieces, "--batch-sizes", "--hidden", "8", "--processes", "2")
    done = run_program("scaling", *options, "--precisions", "float32", *QUICK, "--output", tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    expected = ["batch 64, hidden 8, processes 1, float32"]
    if hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) < 2:
        assert "needs 2 cores of 1" in done.stdout
    else:
        expected.append("batch 64, hidden 256, processes 2, float32")
    assert list(read_rows(done.stdout, tmp_path / "scaling.json")) == expected


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_benchmark_ends_with_status_2(tmp_path: Path) -> None:
    done = run_program("gpu", "--output", tmp_path / "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no CUDA device" in done.stderr
    assert not (tmp_path / "out").exists()


ALL = ["fit, bfloat16", "plain PyTorch, float32", "LSTM layers, bfloat16"]


@pytest.mark.parametrize(
    ("device", "only"),
    [
        pytest.param("cpu", ["plain PyTorch, float32"], marks=pytest.mark.slow, id="cpu"),
        pytest.param("cpu", ALL, marks=pytest.mark.slow, id="cpu-all"),
        pytest.param("cuda", ALL, id="cuda"),
    ],
)
def test_a_gpu_is_measured(benchmark: Benchmark, tmp_path: Path, pieces: Path, device: str, only: list[str]) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    options = ("--device", device, "--midi-dir", pieces, "--models", "2017", "--batch-sizes", "32", "--epochs", "2")
    quick = ("--only", ";".join(only), "--continuations", "3", *QUICK)
    rows = read_rows(benchmark("gpu", *options, *quick, "--output", tmp_path), tmp_path / "gpu.json")
    names = [*only, "fit, bfloat16, compiled"] if device == "cuda" else only
    if device == "cpu" and not cpu_has_bfloat16():
        names = ["plain PyTorch, float32"]
    assert set(rows) == {*(f"2017, batch 32: {name}" for name in names), "2017, batch 3: generate_frames"}
