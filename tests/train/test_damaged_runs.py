"""Checkpoints of runs with other values, and valid checksums: they are refused by name before training goes on."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from run_helpers import fit_small, have_same_weights, make_model, make_windows, without_seconds

from pianoroll_seq2seq import LocalStore
from pianoroll_seq2seq.checkpoint import files
from pianoroll_seq2seq.errors import CheckpointError
from pianoroll_seq2seq.train.differences import check_same_run
from pianoroll_seq2seq.train.precision import MixedPrecision
from pianoroll_seq2seq.train.remote_checkpoints import Pointer

pytestmark = pytest.mark.usefixtures("one_thread")

Tensors = dict[str, torch.Tensor]


def train(folder: Path | None, **changes: Any) -> Any:
    make = changes.pop("make", lambda parameters: torch.optim.AdamW(parameters, fused=True))
    model = make_model()
    arguments = {"epochs": 2, "ema_decay": 0.9, "checkpoint_dir": folder, "optimizer": make(model.parameters())}
    return model, fit_small(model, make_windows(), make_windows(1), **arguments | changes)


@pytest.fixture
def run(saved: Path, tmp_path: Path) -> Path:
    """A copy of the folder of a run of one epoch."""
    return Path(shutil.copytree(saved, tmp_path / "run"))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    train(folder, epochs=1)
    return folder


def rewrite(folder: Path, change: Callable[[dict[str, Any], Tensors], object]) -> None:
    """Changes the last checkpoint, with a valid checksum."""
    header, tensors = files.read(folder / "last.safetensors")
    change(header, tensors)
    files.write(folder / "last.safetensors", header, tensors, overwrite=True)


# ---- Tensors


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("optimizer.1.exp_avg_sq", "exp_avg_sq of parameter 1 is not finite"),
        ("average.encoder.lstm.weight_hh_l0", r"the averaged model: the weights encoder\.lstm\.weight_hh_l0"),
        ("best.encoder.lstm.weight_hh_l0", r"the best model: the weights encoder\.lstm\.weight_hh_l0"),
        ("model.encoder.lstm.weight_hh_l0", r"the weights encoder\.lstm\.weight_hh_l0 are not finite"),
    ],
)
def test_numbers_that_are_not_finite(run: Path, name: str, message: str, value: float) -> None:
    """A run goes on with NaN in its optimizer, or ends with a best model that generates silence."""
    rewrite(run, lambda header, tensors: tensors[name].view(-1)[1:2].fill_(value))
    with pytest.raises(CheckpointError, match=rf"last\.safetensors.*{message}"):
        train(run)


@pytest.mark.parametrize("name", ["average.encoder.lstm.weight_hh_l0", "best.encoder.lstm.weight_hh_l0"])
@pytest.mark.parametrize("change", ["missing", "another shape"])
def test_weights_that_do_not_fit(run: Path, name: str, change: str) -> None:
    """The last step of training ends in an error of PyTorch, after hours."""

    def cut(header: dict[str, Any], tensors: Tensors) -> None:
        whole = tensors.pop(name)
        if change == "another shape":
            tensors[name] = whole[:-1].clone()

    rewrite(run, cut)
    with pytest.raises(CheckpointError, match=r"last\.safetensors, the (best|averaged) model: does not fit this model"):
        train(run, epochs=1)


OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "AdamW": lambda parameters: torch.optim.AdamW(parameters, fused=True),
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9, fused=True),
    "Adagrad": lambda parameters: torch.optim.Adagrad(parameters, fused=True),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_smaller_state_of_a_fused_optimizer(tmp_path: Path, name: str) -> None:
    """PyTorch's fused optimizers write beyond the end of a state that is smaller than its parameter."""
    make = OPTIMIZERS[name]
    train(tmp_path, epochs=1, make=make)

    def cut(header: dict[str, Any], tensors: Tensors) -> None:
        key = next(key for key, tensor in tensors.items() if key.startswith("optimizer.1.") and tensor.ndim)
        tensors[key] = tensors[key].flatten()[:1].clone()

    rewrite(tmp_path, cut)
    with pytest.raises(CheckpointError, match=r"last\.safetensors: does not fit.* has the shape \(1,\), expected \("):
        train(tmp_path, make=make)


@pytest.mark.parametrize("key", ["exp_avg", "step"])
def test_a_state_that_fails_in_the_first_step(tmp_path: Path, key: str) -> None:
    """The first step of a resumed run ends in an error of PyTorch."""

    def make(parameters: Any) -> torch.optim.Optimizer:
        return torch.optim.AdamW(parameters, foreach=True)

    train(tmp_path, epochs=1, make=make)
    rewrite(tmp_path, lambda header, tensors: tensors.update({f"optimizer.1.{key}": torch.zeros(3, 3, 3)}))
    with pytest.raises(CheckpointError, match=r"last\.safetensors: its state does not fit the optimizer AdamW"):
        train(tmp_path, make=make)


def test_an_error_of_the_optimizer_itself_is_its_own(tmp_path: Path) -> None:
    """A mistake in a user's optimizer is blamed on the checkpoint."""

    class Failing(torch.optim.SGD):
        fails = False

        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            if Failing.fails:
                raise ValueError("mine")
            super().step(closure)

    def fail(event: object) -> None:
        Failing.fails = True

    def make(parameters: Any) -> torch.optim.Optimizer:
        return Failing(parameters, lr=0.1)

    train(tmp_path, epochs=1, make=make)
    with pytest.raises(ValueError, match="mine"):
        train(tmp_path, make=make, on_step=[fail])


# ---- Values


def put(place: str, value: Any) -> Callable[[dict[str, Any], Tensors], None]:
    """A change of a value in the header."""
    *holders, last = place.split(".")

    def change(header: dict[str, Any], tensors: Tensors) -> None:
        holder: Any = header
        for key in holders:
            holder = holder[key]
        holder[last] = value

    return change


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("state", {}, "object missing required field progress"),
        ("state.progress.steps", "many", r"at \$\.progress\.steps: expected int, got str \('many'\)"),
        ("state.progress.steps", 10**30, r"at \$\.progress\.steps: expected int <= "),
        ("state.progress.loss_sum", None, r"at \$\.progress\.loss_sum: expected float, got null"),
        ("state.progress.stopped", True, "only after steps; got 0 steps, 0 examples and stopped=True"),
        ("state.progress.windows", 3, "only after steps; got 0 steps, 3 examples"),
        ("state.progress.epoch", 10**9, "it is in epoch 1000000000, but 1 epochs have ended"),
        ("state.progress", {"epoch": 2, "steps": 9, "windows": 9}, "has done 9 steps of epoch 2 with 9 examples"),
        ("state.progress", {"epoch": 2, "steps": 1, "windows": 99}, "has done 1 steps of epoch 2 with 99 examples"),
        ("state.epochs", 0, r"at \$\.epochs: expected int >= 1"),
        ("state.scaler", {"scale": 1}, r"at \$\.scaler: object missing required field growth_factor"),
        ("details.history", None, "its history: expected object, got null"),
        ("details.history.epochs", [], "expected a best_epoch among 0 epochs, got 1"),
        ("details.history.best_epoch", 9, "expected a best_epoch among 1 epochs, got 9"),
        ("details.data", 5, r"at \$\.data: expected object, got int \(5\)"),
        ("details.optimizer.groups", [5], r"at \$\.optimizer\.groups\[0\]: expected object"),
        ("details.optimizer.groups", [{"parameters": 5}], r"run\.optimizer\.parameters was 5 and is now \["),
        ("details.schedule.steps", 10**15, "it has 1000000000000000 steps in 1 epochs, but 1 of them have 5"),
        ("details.schedule.factors", ["a"], r"at \$\.schedule\.factors\[0\]: expected float"),
        ("optimizer.param_groups", 5, r"no state of an optimizer, at \$\.param_groups: expected array"),
        ("optimizer.state", {"a": {}}, "does not fit this optimizer"),
        ("optimizer.param_groups", [{"params": list(range(10))}], r"\(parameter group 0 has no lr\)"),
    ],
)
def test_values_that_a_run_does_not_have(run: Path, place: str, value: Any, message: str) -> None:
    """A checkpoint of somebody else ends fit in a raw exception, or lets it count for hours."""
    rewrite(run, put(place, value))
    with pytest.raises(CheckpointError, match=rf"last\.safetensors: .*({message})"):
        train(run, epochs=1)


def test_a_schedule_of_very_many_steps() -> None:
    """Learning rates are computed for a year, to compare them."""
    schedule = {"name": "a", "steps": 1_000_000_000, "epochs": 1_000_000_000, "factors": [1.0]}
    optimizer = {"class": "SGD", "groups": [], "frozen": []}
    data = {"layout": None, "condition_size": 0, "train": {"content": "x", "pieces": 1}, "valid": None}
    run = {"precision": "auto", "resolved_precision": "float32"}
    before = {"model": {}, "data": data, "optimizer": optimizer, "schedule": schedule, "run": run}
    now = before | {"schedule": {**schedule, "steps": 1, "epochs": 1}}
    with pytest.raises(CheckpointError, match=r"planned for 1000000000 steps.*Pass epochs=1000000000, as before"):
        check_same_run("x", before, now, schedule=lambda step, total: 1.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"key": "../../etc/passwd"}, r"at \$\.key: expected str matching regex"),
        ({"key": 5}, r"at \$\.key: expected str, got int \(5\)"),
        ({"position": {"epoch": "1", "steps": 0}}, r"at \$\.position\.epoch: expected int, got str"),
        ({"position": None}, r"at \$\.position: expected object, got null"),
        ({"run": ""}, r"at \$\.run: expected str matching regex"),
    ],
)
def test_a_pointer_to_something_else(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    """A store of somebody else leads fit out of its folder, or ends it in a raw exception."""
    train(tmp_path / "one", epochs=1, checkpoint_store=LocalStore(tmp_path / "store"))
    path = tmp_path / "store" / "latest.json"
    assert Pointer.from_bytes(path.read_bytes()).position.epoch == 2
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(CheckpointError, match=rf"latest\.json does not point to a checkpoint of fit.*{message}"):
        train(tmp_path / "two", epochs=1, checkpoint_store=LocalStore(tmp_path / "store"))


# ---- Precision


@pytest.mark.parametrize(("first", "then"), [("auto", "float32"), ("float32", "auto")])
def test_auto_is_the_precision_that_it_stands_for(tmp_path: Path, first: str, then: str) -> None:
    """A run that asks for the precision that it had is refused."""
    whole, expected = train(None)
    train(tmp_path, epochs=1, precision=first)
    model, history = train(tmp_path, precision=then)
    assert without_seconds(history) == without_seconds(expected)
    assert have_same_weights(model, whole)


def test_auto_may_stand_for_another_precision_on_another_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run cannot move to a GPU; or a precision that was asked for is exchanged for another."""
    for precision in ("auto", "float32"):
        train(tmp_path / precision, epochs=1, precision=precision)
    before = MixedPrecision.__init__

    def on_a_gpu(self: MixedPrecision, *arguments: Any) -> None:
        before(self, *arguments)
        self.precision = "bfloat16"

    monkeypatch.setattr(MixedPrecision, "__init__", on_a_gpu)
    train(tmp_path / "auto", precision="auto")
    with pytest.raises(
        CheckpointError, match=r"run\.precision was float32 and is now auto; run\.resolved_precision was"
    ):
        train(tmp_path / "float32", precision="auto")
