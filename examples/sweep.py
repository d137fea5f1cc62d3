"""Searches for the knobs of a recipe with Optuna; every trial is an ordinary run in a folder of its own.

    python examples/sweep.py                                              # scales and chords, some minutes
    python examples/sweep.py --recipe nade --set attention=True           # another recipe, one knob held fast
    python examples/sweep.py --dataset jsb --steps 600 --trials 40        # Bach's chorales, shorter than in earnest

A trial trains with ``recipes.recipe.train`` and is judged by its best epoch on the validation pieces; the test pieces
are not looked at. After each epoch Optuna is told the validation loss, and a trial that is worse than the median of
those before it ends early. In the end stands a table of the best trials, and the knobs of the best in one line for
``--set`` of ``benchmarks/likelihood.py``. Knobs found with short trials are those that learn quickly: try the first
few of the table at full length, with other seeds too.

Everything lies below ``--output``: the study (``study.db``, SQLite, which Optuna's dashboard shows as well), the table
(``sweep.json``), and for each trial its metrics, history and checkpoints. Interrupted or killed, the same command goes
on, in the middle of the trial it was in; with more ``--trials`` it adds to those that are there. Needs the extra
``sweep``.
"""

import argparse
import ast
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from compare_epochs import table
from recipes.copying import copying
from recipes.encoder_decoder import HEADS, encoder_decoder
from recipes.recipe import Recipe, Trained, train
from train_scale_chords import claim, say, write_json

from pianoroll_seq2seq import (
    BeatGrid,
    History,
    JsonlTracker,
    PianoRoll,
    PitchRange,
    Tracker,
    drop_duplicates,
    pitch_class_set,
    split_by_piece,
)
from pianoroll_seq2seq.datasets.polyphonic import Splits, polyphonic
from pianoroll_seq2seq.datasets.scale_chords import scale_chords
from pianoroll_seq2seq.errors import MissingExtraError, PianoRollSeq2SeqError, SettingsError, TrainingDivergedError
from pianoroll_seq2seq.train import EpochEnd
from pianoroll_seq2seq.train.run_folder import RunFolder

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

SCALE_CHORDS = "scale-chords"
DATASETS = (SCALE_CHORDS, "jsb", "nottingham", "musedata", "piano_midi")
RECIPES = ("copying", *HEADS)

QUICK: dict[str, dict[str, Any]] = {"copying": {"steps": 240, "passes": 1}, "encoder_decoder": {"epochs": 30}}
"""What the trials on scales and chords are held to, unless ``--set`` says otherwise."""


@dataclass(frozen=True)
class Sweep:
    """What is searched, and where: all that the trials have in common.

    Args:
        recipe: one of ``RECIPES``.
        fixed: knobs that are held fast.
        data: the pieces.
        folder: where everything goes.
        seed: of the search, and of the training of every trial.
        device: where to train.
        tracker: makes the tracker of the trial in a folder.
        progress: whether to show progress bars.
    """

    recipe: str
    fixed: Mapping[str, Any]
    data: Splits
    folder: Path
    seed: int = 0
    device: str = "cpu"
    tracker: Callable[[Path], Tracker] = lambda folder: JsonlTracker(folder / "metrics.jsonl")
    progress: bool = True


@dataclass
class Watch:
    """Tells Optuna of a trial's epochs, those before an interruption too, and training when to end."""

    trial: "optuna.Trial"
    told: int = 0

    def tell(self, history: History) -> None:
        """Reports the epochs that were not reported yet."""
        for number, loss in list(enumerate(history.valid_losses, start=1))[self.told :]:
            self.trial.report(loss, number)
        self.told = len(history.valid_losses)

    def __call__(self, end: EpochEnd) -> bool:
        """Whether the trial is to end here."""
        self.tell(end.history)
        return bool(self.trial.should_prune())  # NumPy's otherwise


def read(dataset: str, folder: Path | None) -> Splits:
    """The pieces of a data set; no scale stands in two splits of the scales and chords."""
    if dataset != SCALE_CHORDS:
        return polyphonic(dataset, folder=folder)  # type: ignore[arg-type]  # argparse has checked the name
    grid, pitches = BeatGrid(1), PitchRange(48, 83)
    rolls = [PianoRoll.from_score(score, grid=grid, pitches=pitches) for score in scale_chords().values()]
    split = split_by_piece(drop_duplicates(rolls).rolls, valid=0.15, test=0.15, seed=0, group=pitch_class_set)
    return Splits(*map(tuple, split))


def knobs_of(recipe: str) -> dict[str, "BaseDistribution"]:
    """The knobs that are searched, and where. Change it as you like: names and values are arguments of the recipe."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if recipe == "copying":
        return {
            "hidden": IntDistribution(64, 256, step=32),
            "copies": IntDistribution(0, 8, step=2),
            "channels": IntDistribution(32, 128, step=32),
            "window": IntDistribution(6, 24, step=6),
            "frames": IntDistribution(2, 6),
            "dropout": FloatDistribution(0.0, 0.5, step=0.05),
            "deafness": FloatDistribution(0.0, 0.1, step=0.025),
            "weight_decay": FloatDistribution(1e-3, 1e-1, log=True),
            "transposed_share": CategoricalDistribution([0.0, 0.5, 1.0]),
        }
    # Not the frames of a window: losses over other windows are of other frames.
    return {
        "attention": CategoricalDistribution([False, True]),
        "hidden": IntDistribution(64, 384, step=64),
        "layers": IntDistribution(1, 2),
        "dropout": FloatDistribution(0.0, 0.5, step=0.05),
        "batch_size": CategoricalDistribution([32, 64, 128]),
        "learning_rate": FloatDistribution(5e-4, 1e-2, log=True),
        "weight_decay": FloatDistribution(1e-3, 1e-1, log=True),
    }


def recipe_of(sweep: Sweep, knobs: Mapping[str, Any]) -> Recipe:
    """The recipe with its knobs set."""
    if sweep.recipe == "copying":
        return copying(sweep.data.train, **knobs)
    return encoder_decoder(head=sweep.recipe, **knobs)


def tidy(value: Any) -> Any:
    """A number with no more digits than matter."""
    return float(f"{value:.3g}") if isinstance(value, float) else value


def all_knobs(sweep: Sweep, params: Mapping[str, Any]) -> dict[str, Any]:
    """The knobs of a trial, those that are held fast included."""
    return {name: tidy(value) for name, value in params.items()} | dict(sweep.fixed)


def as_set(knobs: Mapping[str, Any]) -> str:
    """Knobs as ``--set`` takes them."""
    return " ".join(f"{name}={value!r}".replace(" ", "") for name, value in knobs.items())


@contextmanager
def opened(sweep: Sweep) -> Iterator["optuna.Study"]:
    """The study in the sweep's folder, which one process at a time has for itself.

    A trial that was running when a process ended is put first in the queue, with the same knobs.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with closing(RunFolder(sweep.folder)):
        storage = optuna.storages.RDBStorage(f"sqlite:///{sweep.folder / 'study.db'}")
        try:
            study = optuna.create_study(storage=storage, study_name=sweep.recipe, load_if_exists=True)
            for left in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):
                study.enqueue_trial(left.params)
                study.tell(left.number, state=optuna.trial.TrialState.FAIL)
            yield study
        finally:
            storage.remove_session()
            storage.engine.dispose()


def settled(study: "optuna.Study") -> "list[optuna.trial.FrozenTrial]":
    """The trials that have come to an end, and were not just interrupted."""
    from optuna.trial import TrialState

    return study.get_trials(states=[TrialState.COMPLETE, TrialState.PRUNED])


def search(sweep: Sweep, *, trials: int) -> None:
    """Makes trials until there are so many, those of earlier calls included."""
    from optuna.samplers import TPESampler

    space = {name: values for name, values in knobs_of(sweep.recipe).items() if name not in sweep.fixed}
    with opened(sweep) as study:
        while (number := len(settled(study))) < trials:
            # From a seed and a number of its own: a sweep that was interrupted draws what it would have drawn.
            study.sampler = TPESampler(seed=1000 * sweep.seed + number)
            attempt(sweep, study, study.ask(space), f"trial-{number}")
        summary(sweep, study, ranked(study))


def attempt(sweep: Sweep, study: "optuna.Study", trial: "optuna.Trial", name: str) -> None:
    """One trial: trained, or trained on, in its folder, and told to the study."""
    from optuna.pruners import MedianPruner
    from optuna.trial import TrialState

    folder = sweep.folder / name
    knobs = all_knobs(sweep, trial.params)
    recipe = recipe_of(sweep, knobs)
    trial.set_user_attr("folder", name)
    say(f"{name}: {as_set(knobs)}")
    # Not judged before about a third: large learning rates and young averages say little.
    study.pruner = MedianPruner(n_startup_trials=4, n_warmup_steps=recipe.epochs // 3)
    watch = Watch(trial)
    try:
        with sweep.tracker(folder) as tracker:
            tracker.log_params({"recipe": recipe.name} | {knob: str(value) for knob, value in knobs.items()})
            trained = trained_with(sweep, recipe, folder, tracker, watch)
    except TrainingDivergedError as error:
        trial.set_user_attr("diverged", str(error))
        study.tell(trial, state=TrialState.PRUNED)
        say(f"  diverged: {error}")
        return
    history = trained.history
    watch.tell(history)
    assert history.best_epoch is not None  # there was an epoch
    for key, value in (
        ("parameters", trained.parameters),
        ("best_epoch", history.best_epoch),
        ("seconds", sum(epoch.seconds for epoch in history.epochs)),
    ):
        trial.set_user_attr(key, value)
    best = min(history.valid_losses)
    if history.stopped_by == "callback":
        study.tell(trial, state=TrialState.PRUNED)
        say(f"  pruned after epoch {len(history.epochs)} of {recipe.epochs}, at {best:.3f} nats per frame")
    else:
        study.tell(trial, best)
        say(f"  {best:.3f} nats per frame in epoch {history.best_epoch} of {recipe.epochs}")


def trained_with(sweep: Sweep, recipe: Recipe, folder: Path, tracker: Tracker, watch: Watch) -> Trained:
    """The recipe, carried out."""
    return train(
        recipe,
        sweep.data.train,
        sweep.data.valid,
        seed=sweep.seed,
        device=sweep.device,
        checkpoint_dir=folder,
        tracker=tracker,
        on_epoch=[watch],
        progress=sweep.progress,
    )


def ranked(study: "optuna.Study") -> list[dict[str, Any]]:
    """The trials that came to their end, the best first; losses in nats per frame."""
    from optuna.trial import TrialState

    done = [(trial.value, trial) for trial in study.get_trials(states=[TrialState.COMPLETE])]
    return [
        {
            "trial": trial.user_attrs["folder"],
            "valid loss": round(loss, 4),
            "best epoch": trial.user_attrs["best_epoch"],
            "epochs": len(trial.intermediate_values),
            "weights": trial.user_attrs["parameters"],
            "seconds": round(trial.user_attrs["seconds"], 1),
            **{name: tidy(value) for name, value in trial.params.items()},
        }
        for loss, trial in sorted(((loss, trial) for loss, trial in done if loss is not None), key=lambda one: one[0])
    ]


def summary(sweep: Sweep, study: "optuna.Study", rows: Sequence[dict[str, Any]]) -> None:
    """Prints the table and the line of the best, and keeps them."""
    trials = settled(study)
    diverged = sum("diverged" in trial.user_attrs for trial in trials)
    say(
        f"\n{len(trials)} trials: {len(rows)} came to their end, {len(trials) - len(rows) - diverged} were pruned, "
        f"{diverged} diverged"
    )
    if not rows:
        say("None came to its end: make the trials shorter, or their ranges narrower (knobs_of).")
        return
    best = next(trial for trial in trials if trial.user_attrs.get("folder") == rows[0]["trial"])
    line = as_set(all_knobs(sweep, best.params))
    write_json(sweep.folder / "sweep.json", {"recipe": sweep.recipe, "set": line, "rows": list(rows)})
    say(
        f"\n{table(list(rows[:10]))}\n\n"
        f"The best, for benchmarks/likelihood.py: --recipes {sweep.recipe} --set {line}\n"
        f"Its model: {sweep.folder / rows[0]['trial'] / 'best.safetensors'}"
    )


def fixed_knobs(given: argparse.Namespace) -> dict[str, Any]:
    """The knobs that the command line holds fast.

    Raises:
        SettingsError: the recipe has no such knob, or the value is none.
    """
    recipe = copying if given.recipe == "copying" else encoder_decoder
    wanted = dict(QUICK[recipe.__name__]) if given.dataset == SCALE_CHORDS else {}
    for name, length in (("steps", given.steps), ("epochs", given.epochs)):
        if length is not None:
            wanted[name] = length
    for entry in given.set:
        name, _, value = entry.partition("=")
        try:
            wanted[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError) as error:
            raise SettingsError(
                f"--set takes KNOB=VALUE, with a value as Python writes it, got {entry!r}. Example: dropout=0.2"
            ) from error
    there = [name for name in inspect.signature(recipe).parameters if name not in ("rolls", "head")]
    for name in wanted:
        if name not in there:
            raise SettingsError(
                f"The recipe {given.recipe!r} has no knob {name!r}. Its knobs: {', '.join(there)}. "
                f"(Its length is set by {'--steps' if 'steps' in there else '--epochs'}.)"
            )
    return wanted


def run(given: argparse.Namespace) -> None:
    """Carries the command out."""
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("optuna", "sweep", "A sweep") from error
    if given.trials < 1:
        raise SettingsError(f"--trials must be at least 1, got {given.trials}.")
    fixed = fixed_knobs(given)
    data = read(given.dataset, given.data)
    claim(given.output, {"dataset": given.dataset, "recipe": given.recipe, "fixed": as_set(fixed), "seed": given.seed})
    search(Sweep(given.recipe, fixed, data, given.output, given.seed, given.device), trials=given.trials)


def main(arguments: list[str] | None = None) -> int:
    """The command; a user's mistake is one line on standard error and exit status 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", choices=DATASETS, default=SCALE_CHORDS, help="(%(default)s)")
    parser.add_argument("--data", type=Path, help="folder of the .mat files of the other sets; fetched by default")
    parser.add_argument("--recipe", choices=RECIPES, default="copying", help="what to search (%(default)s)")
    parser.add_argument("--trials", type=int, default=20, help="in all, with those that are there (%(default)s)")
    parser.add_argument("--steps", type=int, help="of a trial of copying, about; the recipe's own by default")
    parser.add_argument("--epochs", type=int, help="of a trial of the others; the recipe's own by default")
    parser.add_argument("--set", nargs="*", default=[], metavar="KNOB=VALUE", help="knobs to hold fast")
    parser.add_argument("--seed", type=int, default=0, help="of the search, and of the training of every trial")
    parser.add_argument("--output", type=Path, default=Path("runs/sweep"), help="where everything goes (%(default)s)")
    parser.add_argument("--device", default="cpu", help="where to train (%(default)s)")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        run(given)
    except PianoRollSeq2SeqError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from there", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
