"""The sweep, with tiny trials: what it writes, and that it resumes after an interruption."""

import argparse
import ast
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if not os.environ.get("CI"):
    pytest.importorskip("optuna", reason="the sweep needs Optuna: pip install 'pianoroll-seq2seq[sweep]'")

import optuna

from pianoroll_seq2seq import BeatGrid, History, JsonlTracker, PianoRoll, PitchRange, pitch_class_set
from pianoroll_seq2seq.checkpoint import load
from pianoroll_seq2seq.data.splitting import Split
from pianoroll_seq2seq.errors import CheckpointError, TrainingDivergedError
from pianoroll_seq2seq.train.run_folder import RunFolder

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))

import sweep as module
from recipes.copying import copying
from sweep import Sweep

pytestmark = pytest.mark.usefixtures("one_thread")

TINY = {
    "hidden_size": 8,
    "num_copy_heads": 1,
    "channels": 8,
    "window": 2,
    "num_frames": 1,
    "steps": 9,
    "repeats": 1,
    "max_frames_per_batch": 32,
}


def pieces(count: int, *, seed: int) -> tuple[PianoRoll, ...]:
    rng = np.random.default_rng(seed)
    grid, pitches = BeatGrid(1), PitchRange(60, 71)
    return tuple(PianoRoll.from_active(rng.random((12, 12)) < 0.2, grid=grid, pitches=pitches) for _ in range(count))


DATA = Split(pieces(5, seed=0), pieces(2, seed=1), pieces(1, seed=2))


def tiny(folder: Path, **others: Any) -> Sweep:
    return Sweep("copying", TINY, DATA, folder, progress=False, **others)


def trials(folder: Path) -> list[dict[str, Any]]:
    """What the study in a folder says of the trials that count."""
    storage = optuna.storages.RDBStorage(f"sqlite:///{folder / 'study.db'}")
    study = optuna.load_study(study_name="copying", storage=storage)
    states = {trial.state.name for trial in study.trials}
    assert states <= {"COMPLETE", "PRUNED", "FAIL"}, "a trial was left running"
    found = [
        {
            "folder": trial.user_attrs["folder"],
            "params": trial.params,
            "value": trial.value,
            "losses": trial.intermediate_values,
        }
        for trial in module.finished_trials(study)
    ]
    storage.remove_session()
    storage.engine.dispose()
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of three trials that nothing interrupted."""
    folder = tmp_path_factory.mktemp("sweep")
    module.search(tiny(folder), trials=3)
    return folder


def test_every_trial_is_a_run_of_its_own(whole: Path) -> None:
    """A trial cannot be looked into, or its figure is not that of the model it left."""
    found = trials(whole)
    assert [trial["folder"] for trial in found] == ["trial-0", "trial-1", "trial-2"]
    for trial in found:
        folder = whole / trial["folder"]
        history = History.load(folder / "history.jsonl")
        assert history.stopped_by == "epochs"
        assert trial["value"] == min(history.valid_losses)
        assert trial["losses"] == dict(enumerate(history.valid_losses, start=1))
        assert load(folder / "best.safetensors").frame_size == 12
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        assert [line["metrics"]["valid_loss"] for line in lines if "metrics" in line] == history.valid_losses
        params = next(line["params"] for line in lines if "params" in line)
        for name, value in trial["params"].items():
            assert params[name] == str(module.round_value(value))
        assert params["hidden_size"] == "8"
        assert lines[-1]["status"] == "finished"
    assert len({json.dumps(trial["params"]) for trial in found}) == 3


class Ending:
    """A tracker that ends the second trial after its second epoch, as Ctrl-C does or as a kill does."""

    def __init__(self, folder: Path, how: str) -> None:
        self._inner, self._how, self._second = JsonlTracker(folder / "metrics.jsonl"), how, folder.name == "trial-1"

    def __enter__(self) -> "Ending":
        self._inner.__enter__()
        return self

    def __exit__(self, *why: Any) -> None:
        self._inner.__exit__(*why)

    def log_params(self, params: Mapping[str, Any]) -> None:
        self._inner.log_params(params)

    def log_metrics(self, metrics: Mapping[str, float], *, step: int) -> None:
        self._inner.log_metrics(metrics, step=step)
        if self._second and metrics["epoch"] == 2:
            if self._how == "killed":
                raise SystemExit("killed before the epoch was saved")
            signal.raise_signal(signal.SIGINT)

    def log_artifact(self, path: str | os.PathLike[str]) -> None:
        self._inner.log_artifact(path)

    def flush(self) -> None:
        self._inner.flush()


@pytest.mark.parametrize("how", ["interrupted", "killed"])
def test_an_interrupted_sweep_resumes_as_if_nothing_had_happened(whole: Path, tmp_path: Path, how: str) -> None:
    """An interrupted sweep trains its trial anew, forgets it, or draws the hyperparameters of earlier trials again."""
    expected: type[BaseException] = KeyboardInterrupt if how == "interrupted" else SystemExit
    with pytest.raises(expected):
        module.search(tiny(tmp_path, tracker=lambda folder: Ending(folder, how)), trials=3)
    before = History.load(tmp_path / "trial-1" / "history.jsonl")
    assert len(before.epochs) == (2 if how == "interrupted" else 1)
    module.search(tiny(tmp_path), trials=3)
    assert trials(tmp_path) == trials(whole)
    after = History.load(tmp_path / "trial-1" / "history.jsonl")
    assert after.epochs[: len(before.epochs)] == before.epochs, "it was trained anew"


def test_more_trials_are_added(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module.search(tiny(tmp_path), trials=1)
    module.search(tiny(tmp_path), trials=3)
    assert trials(tmp_path) == trials(whole)
    capsys.readouterr()
    module.search(tiny(tmp_path), trials=2)  # fewer than there are: the table alone
    assert "3 trials: 3 complete" in capsys.readouterr().out


def test_a_trial_worse_than_others_is_pruned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bad hyperparameters are trained to the end; or a pruned trial is mistaken for a result."""
    monkeypatch.setattr("optuna.pruners.MedianPruner", lambda **_: optuna.pruners.ThresholdPruner(upper=0.0))
    module.search(tiny(tmp_path), trials=1)
    printed = capsys.readouterr().out
    assert "pruned after epoch 1 of 3" in printed
    assert "1 trials: 0 complete, 1 pruned, 0 diverged" in printed
    assert "None is complete" in printed
    assert History.load(tmp_path / "trial-0" / "history.jsonl").stopped_by == "callback"


@pytest.mark.parametrize(("losses", "ended"), [([9.0, 8.0, 8.0], True), ([0.0, 0.0, 0.0], False)])
def test_the_median_decides_after_a_third(losses: list[float], ended: bool) -> None:
    """Optuna answers with a truth of NumPy's, which does not end a training."""
    from pianoroll_seq2seq.train import EpochEnd
    from pianoroll_seq2seq.train.history import Epoch

    study = optuna.create_study(pruner=optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=2))
    for of_others in (1.0, 2.0, 3.0):
        trial = study.ask()
        for step in (1, 2, 3):
            trial.report(of_others, step)
        study.tell(trial, of_others)
    callback = module.PruningCallback(study.ask())
    model = copying(DATA.train, **TINY).model(12)
    epochs = tuple(Epoch(number, number, 0.0, loss, 0.1, 0.0) for number, loss in enumerate(losses, start=1))
    answers = [callback(EpochEnd(History(epochs[:count], 1), model, None)) for count in (1, 2, 3)]  # type: ignore[arg-type]
    assert answers[0] is False
    assert answers[-1] is ended


def test_a_trial_that_diverges_does_not_end_the_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One learning rate too many costs the night."""
    train = module.train

    def diverging(*given: Any, checkpoint_dir: Path, **others: Any) -> Any:
        if checkpoint_dir.name == "trial-0":
            raise TrainingDivergedError("The loss became nan.")
        return train(*given, checkpoint_dir=checkpoint_dir, **others)

    monkeypatch.setattr(module, "train", diverging)
    module.search(tiny(tmp_path), trials=2)
    assert "2 trials: 1 complete, 0 pruned, 1 diverged" in capsys.readouterr().out
    lines = (tmp_path / "trial-0" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[-1])["status"] == "failed"


def test_one_process_at_a_time(tmp_path: Path) -> None:
    """Two commands take each other's running trials for dead."""
    holder = RunFolder(tmp_path)
    try:
        with pytest.raises(CheckpointError, match="another process"):
            module.search(tiny(tmp_path), trials=1)
    finally:
        holder.close()


# ---------------------------------------------------------------------------------------- the command


def command(folder: Path, *arguments: str) -> int:
    hyperparameters = [f"{name}={value}" for name, value in TINY.items()]
    return module.main(["--trials", "2", "--output", str(folder), "--set", *hyperparameters, *arguments])


def test_the_command_ends_in_a_table_and_a_line_for_the_benchmark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was found cannot be used."""
    monkeypatch.setattr(module, "read", lambda *_: DATA)
    assert command(tmp_path) == 0
    printed = capsys.readouterr().out
    kept = json.loads((tmp_path / "sweep.json").read_text(encoding="utf-8"))
    best = min(trials(tmp_path), key=lambda trial: trial["value"])
    assert kept["rows"][0]["trial"] == best["folder"]
    assert [row["valid loss"] for row in kept["rows"]] == sorted(row["valid loss"] for row in kept["rows"])
    line = next(line for line in printed.splitlines() if "--set" in line).split("--set ")[1]
    assert line == kept["set"]
    # As the benchmark reads it.
    hyperparameters = {key: ast.literal_eval(value) for key, value in (entry.split("=", 1) for entry in line.split())}
    assert hyperparameters == {name: module.round_value(value) for name, value in best["params"].items()} | TINY
    assert copying(DATA.train, **hyperparameters).epochs == 3
    assert str(tmp_path / best["folder"] / "best.safetensors") in printed

    assert command(tmp_path) == 0
    again = capsys.readouterr().out
    assert "resuming the run" in again
    assert line in again
    assert command(tmp_path, "--seed", "1") == 2
    assert "Choose another --output" in capsys.readouterr().err


def test_ctrl_c_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "search", interrupted)
    assert command(tmp_path) == 130
    assert "run the same command again to resume" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--set", "colour=3"],
            r"no hyperparameter 'colour'. Its hyperparameters: independent, onsets, hidden_size, num_copy_heads",
        ),
        (["--epochs", "3"], r"no hyperparameter 'epochs'.*Set its length with --steps"),
        (["--recipe", "nade", "--steps", "3"], r"no hyperparameter 'steps'.*Set its length with --epochs"),
        (["--set", "hidden"], r"--set takes NAME=VALUE.*got 'hidden'"),
        (["--set", "head=nade"], r"--set takes NAME=VALUE.*got 'head=nade'"),
        (["--trials", "0"], r"--trials must be at least 1, got 0"),
    ],
)
def test_mistakes_are_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert module.main(["--output", str(tmp_path / "out"), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(error)
    assert not (tmp_path / "out").exists()


def test_without_optuna_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert module.main(["--output", str(tmp_path / "out")]) == 2
    assert "pip install 'pianoroll-seq2seq[sweep]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("recipe", module.RECIPES)
def test_what_is_searched_are_search_space_the_recipe(recipe: str) -> None:
    """A trial fails with a TypeError from the inside."""
    given = argparse.Namespace(recipe=recipe, dataset="jsb", steps=None, epochs=None, set=[])
    assert module.fixed_hyperparameters(given) == {}
    given.set = [f"{name}=1" for name in module.search_space(recipe)]
    assert set(module.fixed_hyperparameters(given)) == set(module.search_space(recipe))
    for seed in range(3):
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
        searched = Sweep(recipe, {}, DATA, Path())
        params = study.ask(module.search_space(recipe)).params
        hyperparameters = module.all_hyperparameters(searched, params)
        assert module.recipe_of(searched, hyperparameters).epochs >= 1


def test_each_scale_is_in_one_split() -> None:
    """What is chosen by has been learned by heart."""
    data = module.read(module.SCALE_CHORDS, None)
    scales = [{pitch_class_set(roll) for roll in rolls} for rolls in (data.train, data.valid, data.test)]
    assert len(set.union(*scales)) == sum(map(len, scales))
    assert sum(len(rolls) for rolls in (data.train, data.valid, data.test)) == 132
