"""Searches the hyperparameters of a recipe with Optuna. Every trial is an ordinary run in a folder of its own.

    python examples/sweep.py                                              # scales and chords, some minutes
    python examples/sweep.py --recipe nade --set attention=True           # another recipe, one hyperparameter fixed
    python examples/sweep.py --dataset jsb --steps 600 --trials 40        # Bach's chorales, with short trials

A trial trains with ``recipes.recipe.train``. Its value is the validation loss of its best epoch; the test pieces are
not used. Optuna gets the validation loss of each epoch, and prunes a trial that is worse than the median of the trials
before it. At the end the script prints a table of the best trials, and the hyperparameters of the best in one line for
``--set`` of ``benchmarks/likelihood.py``. Short trials favour hyperparameters that learn quickly: try the first few of
the table at full length, with other seeds too.

``--output`` gets the study (``study.db``, SQLite, which Optuna's dashboard can show), the table (``sweep.json``), and
the metrics, history and checkpoints of each trial. After an interruption the same command resumes, in the middle of a
trial; with more ``--trials`` it adds trials. Needs the extra ``sweep``.
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
from train_scale_chords import log, prepare_folder, write_json

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
from pianoroll_seq2seq.data.datasets.polyphonic import polyphonic
from pianoroll_seq2seq.data.datasets.scale_chords import scale_chords
from pianoroll_seq2seq.data.splitting import Split
from pianoroll_seq2seq.errors import MissingExtraError, PianoRollSeq2SeqError, SettingsError, TrainingDivergedError
from pianoroll_seq2seq.train import EpochEnd, run_files
from pianoroll_seq2seq.train.run_folder import RunFolder

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

SCALE_CHORDS = "scale-chords"
DATASETS = (SCALE_CHORDS, "jsb", "nottingham", "musedata", "piano_midi")
RECIPES = ("copying", *HEADS)

QUICK: dict[str, dict[str, Any]] = {"copying": {"steps": 240, "repeats": 1}, "encoder_decoder": {"epochs": 30}}
"""The length of trials on scales and chords, unless ``--set`` gives another."""


@dataclass(frozen=True)
class Sweep:
    """What all trials have in common.

    Args:
        recipe: one of ``RECIPES``.
        fixed: hyperparameters that are not searched.
        data: the pieces.
        folder: for all output.
        seed: of the search, and of the training of every trial.
        device: where to train.
        tracker: makes the tracker of the trial in a folder.
        progress: whether to show progress bars.
    """

    recipe: str
    fixed: Mapping[str, Any]
    data: Split
    folder: Path
    seed: int = 0
    device: str = "cpu"
    tracker: Callable[[Path], Tracker] = lambda folder: JsonlTracker(folder / run_files.METRICS)
    progress: bool = True


@dataclass
class PruningCallback:
    """Reports the epochs of a trial to Optuna, also those before an interruption, and stops a pruned trial."""

    trial: "optuna.Trial"
    num_reported: int = 0

    def report(self, history: History) -> None:
        """Reports the epochs that were not reported yet."""
        for number, loss in list(enumerate(history.valid_losses, start=1))[self.num_reported :]:
            self.trial.report(loss, number)
        self.num_reported = len(history.valid_losses)

    def __call__(self, event: EpochEnd) -> bool:
        """Whether the trial is pruned."""
        self.report(event.history)
        return bool(self.trial.should_prune())  # Optuna returns NumPy's bool


def read(dataset: str, folder: Path | None) -> Split:
    """The pieces of a data set; no scale is in two splits of the scales and chords."""
    if dataset != SCALE_CHORDS:
        return polyphonic(dataset, folder=folder)  # type: ignore[arg-type]  # argparse has checked the name
    grid, pitches = BeatGrid(1), PitchRange(48, 83)
    rolls = [PianoRoll.from_score(score, grid=grid, pitches=pitches) for score in scale_chords().values()]
    split = split_by_piece(drop_duplicates(rolls).rolls, valid=0.15, test=0.15, seed=0, group=pitch_class_set)
    return Split(*map(tuple, split))


def search_space(recipe: str) -> dict[str, "BaseDistribution"]:
    """The hyperparameters that are searched, and their ranges. Change it: the names are arguments of the recipe."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if recipe == "copying":
        return {
            "hidden_size": IntDistribution(64, 256, step=32),
            "num_copy_heads": IntDistribution(0, 8, step=2),
            "channels": IntDistribution(32, 128, step=32),
            "window": IntDistribution(6, 24, step=6),
            "num_frames": IntDistribution(2, 6),
            "dropout": FloatDistribution(0.0, 0.5, step=0.05),
            "input_dropout": FloatDistribution(0.0, 0.1, step=0.025),
            "weight_decay": FloatDistribution(1e-3, 1e-1, log=True),
            "transposed_share": CategoricalDistribution([0.0, 0.5, 1.0]),
        }
    # Without the frames of a window: losses of other windows cannot be compared.
    return {
        "attention": CategoricalDistribution([False, True]),
        "hidden_size": IntDistribution(64, 384, step=64),
        "num_layers": IntDistribution(1, 2),
        "dropout": FloatDistribution(0.0, 0.5, step=0.05),
        "batch_size": CategoricalDistribution([32, 64, 128]),
        "learning_rate": FloatDistribution(5e-4, 1e-2, log=True),
        "weight_decay": FloatDistribution(1e-3, 1e-1, log=True),
    }


def recipe_of(sweep: Sweep, hyperparameters: Mapping[str, Any]) -> Recipe:
    """The recipe with these hyperparameters."""
    if sweep.recipe == "copying":
        return copying(sweep.data.train, **hyperparameters)
    return encoder_decoder(head=sweep.recipe, **hyperparameters)


def round_value(value: Any) -> Any:
    """A number with three significant digits."""
    return float(f"{value:.3g}") if isinstance(value, float) else value


def all_hyperparameters(sweep: Sweep, params: Mapping[str, Any]) -> dict[str, Any]:
    """The hyperparameters of a trial, with the fixed ones."""
    return {name: round_value(value) for name, value in params.items()} | dict(sweep.fixed)


def format_set(hyperparameters: Mapping[str, Any]) -> str:
    """Hyperparameters in the format of ``--set``."""
    return " ".join(f"{name}={value!r}".replace(" ", "") for name, value in hyperparameters.items())


@contextmanager
def open_study(sweep: Sweep) -> Iterator["optuna.Study"]:
    """The study in the sweep's folder, which one process at a time can use.

    A trial that was running when a process ended comes next, with the same hyperparameters.
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


def finished_trials(study: "optuna.Study") -> "list[optuna.trial.FrozenTrial]":
    """The trials that are complete or pruned, and not just interrupted."""
    from optuna.trial import TrialState

    return study.get_trials(states=[TrialState.COMPLETE, TrialState.PRUNED])


def search(sweep: Sweep, *, trials: int) -> None:
    """Runs trials until there are so many, with those of earlier calls."""
    from optuna.samplers import TPESampler

    space = {name: values for name, values in search_space(sweep.recipe).items() if name not in sweep.fixed}
    with open_study(sweep) as study:
        while (number := len(finished_trials(study))) < trials:
            # A seed for each trial: an interrupted sweep draws the same trials as an uninterrupted one.
            study.sampler = TPESampler(seed=1000 * sweep.seed + number)
            run_trial(sweep, study, study.ask(space), f"trial-{number}")
        summary(sweep, study, rank(study))


def run_trial(sweep: Sweep, study: "optuna.Study", trial: "optuna.Trial", name: str) -> None:
    """Trains or resumes one trial in its folder, and reports it to the study."""
    from optuna.pruners import MedianPruner
    from optuna.trial import TrialState

    folder = sweep.folder / name
    hyperparameters = all_hyperparameters(sweep, trial.params)
    recipe = recipe_of(sweep, hyperparameters)
    trial.set_user_attr("folder", name)
    log(f"{name}: {format_set(hyperparameters)}")
    # No pruning in the first third: with large learning rates and young averages the loss says little.
    study.pruner = MedianPruner(n_startup_trials=4, n_warmup_steps=recipe.epochs // 3)
    callback = PruningCallback(trial)
    try:
        with sweep.tracker(folder) as tracker:
            tracker.log_params(
                {"recipe": recipe.name}
                | {hyperparameter: str(value) for hyperparameter, value in hyperparameters.items()}
            )
            trained = train_trial(sweep, recipe, folder, tracker, callback)
    except TrainingDivergedError as error:
        trial.set_user_attr("diverged", str(error))
        study.tell(trial, state=TrialState.PRUNED)
        log(f"  diverged: {error}")
        return
    history = trained.history
    callback.report(history)
    assert history.best_epoch is not None  # there was an epoch
    for key, value in (
        ("parameters", trained.num_parameters),
        ("best_epoch", history.best_epoch),
        ("seconds", sum(epoch.seconds for epoch in history.epochs)),
    ):
        trial.set_user_attr(key, value)
    best = min(history.valid_losses)
    if history.stopped_by == "callback":
        study.tell(trial, state=TrialState.PRUNED)
        log(f"  pruned after epoch {len(history.epochs)} of {recipe.epochs}, at {best:.3f} nats per frame")
    else:
        study.tell(trial, best)
        log(f"  {best:.3f} nats per frame in epoch {history.best_epoch} of {recipe.epochs}")


def train_trial(sweep: Sweep, recipe: Recipe, folder: Path, tracker: Tracker, callback: PruningCallback) -> Trained:
    """Trains with the recipe."""
    return train(
        recipe,
        sweep.data.train,
        sweep.data.valid,
        seed=sweep.seed,
        device=sweep.device,
        checkpoint_dir=folder,
        tracker=tracker,
        on_epoch=[callback],
        progress=sweep.progress,
    )


def rank(study: "optuna.Study") -> list[dict[str, Any]]:
    """The complete trials, the best first; losses in nats per frame."""
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
            **{name: round_value(value) for name, value in trial.params.items()},
        }
        for loss, trial in sorted(((loss, trial) for loss, trial in done if loss is not None), key=lambda one: one[0])
    ]


def summary(sweep: Sweep, study: "optuna.Study", rows: Sequence[dict[str, Any]]) -> None:
    """Prints and writes the table and the line of the best trial."""
    trials = finished_trials(study)
    diverged = sum("diverged" in trial.user_attrs for trial in trials)
    log(
        f"\n{len(trials)} trials: {len(rows)} complete, {len(trials) - len(rows) - diverged} pruned, "
        f"{diverged} diverged"
    )
    if not rows:
        log("None is complete: make the trials shorter, or their ranges narrower (search_space).")
        return
    best = next(trial for trial in trials if trial.user_attrs.get("folder") == rows[0]["trial"])
    line = format_set(all_hyperparameters(sweep, best.params))
    write_json(sweep.folder / "sweep.json", {"recipe": sweep.recipe, "set": line, "rows": list(rows)})
    log(
        f"\n{table(list(rows[:10]))}\n\n"
        f"The best trial, for benchmarks/likelihood.py: --recipes {sweep.recipe} --set {line}\n"
        f"Its model: {sweep.folder / rows[0]['trial'] / run_files.BEST}"
    )


def fixed_hyperparameters(given: argparse.Namespace) -> dict[str, Any]:
    """The hyperparameters that the command line fixes.

    Raises:
        SettingsError: the recipe has no such hyperparameter, or the value is not a Python literal.
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
                f"--set takes NAME=VALUE, with a Python literal as the value, got {entry!r}. Example: dropout=0.2"
            ) from error
    there = [name for name in inspect.signature(recipe).parameters if name not in ("rolls", "head")]
    for name in wanted:
        if name not in there:
            raise SettingsError(
                f"The recipe {given.recipe!r} has no hyperparameter {name!r}. Its hyperparameters: {', '.join(there)}. "
                f"(Set its length with {'--steps' if 'steps' in there else '--epochs'}.)"
            )
    return wanted


def run(given: argparse.Namespace) -> None:
    """Runs the command."""
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("optuna", "sweep", "A sweep") from error
    if given.trials < 1:
        raise SettingsError(f"--trials must be at least 1, got {given.trials}.")
    fixed = fixed_hyperparameters(given)
    data = read(given.dataset, given.data)
    prepare_folder(
        given.output, {"dataset": given.dataset, "recipe": given.recipe, "fixed": format_set(fixed), "seed": given.seed}
    )
    search(Sweep(given.recipe, fixed, data, given.output, given.seed, given.device), trials=given.trials)


def main(arguments: list[str] | None = None) -> int:
    """The command; a user's mistake is one line on standard error and exit status 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", choices=DATASETS, default=SCALE_CHORDS, help="(%(default)s)")
    parser.add_argument("--data", type=Path, help="folder of the .mat files of the other sets; fetched by default")
    parser.add_argument("--recipe", choices=RECIPES, default="copying", help="recipe to search (%(default)s)")
    parser.add_argument("--trials", type=int, default=20, help="total number of trials (%(default)s)")
    parser.add_argument(
        "--steps", type=int, help="approximate steps of a trial of copying; the recipe's own by default"
    )
    parser.add_argument(
        "--epochs", type=int, help="epochs of a trial of the other recipes; the recipe's own by default"
    )
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="hyperparameters to fix")
    parser.add_argument("--seed", type=int, default=0, help="of the search, and of the training of every trial")
    parser.add_argument("--output", type=Path, default=Path("runs/sweep"), help="folder for all output (%(default)s)")
    parser.add_argument("--device", default="cpu", help="device to train on (%(default)s)")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        run(given)
    except PianoRollSeq2SeqError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; run the same command again to resume", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
