"""A run is resumed only with what it was made of, and the error names what differs; finished runs can be extended."""

import itertools
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from layouts import active_only, active_pieces, active_windows
from run_helpers import PITCHES, fit_small, have_same_weights, make_model, make_windows, read_files, without_seconds

from pianoroll_seq2seq import (
    Augmentation,
    History,
    LocalStore,
    PianoRoll,
    SlidingWindows,
    WholePieces,
    build_corpus,
    cosine_schedule,
    find_learning_rate,
)
from pianoroll_seq2seq.data.corpus import Corpus
from pianoroll_seq2seq.errors import CheckpointError, SettingsError
from pianoroll_seq2seq.train.events import EpochEnd
from pianoroll_seq2seq.train.schedules import Schedule, sample_schedule, schedule_difference

pytestmark = pytest.mark.usefixtures("one_thread")


def roll(seed: int, frames: int = 12) -> PianoRoll:
    active = np.random.default_rng(seed).random((frames, len(PITCHES))) < 0.3
    return PianoRoll.from_active(active, pitches=PITCHES, name=f"piece {seed}")


def windows(*seeds: int, **changes: Any) -> SlidingWindows:
    rolls = changes.pop("rolls", [roll(seed) for seed in seeds or (0, 1, 2)])
    return active_windows(rolls, **{"input_frames": 4, "target_frames": 4, "hop": 2} | changes)


def train(folder: Path | None, **changes: Any) -> tuple[Any, History]:
    model = changes.pop("model", None) or make_model(**changes.pop("sizes", {}))
    make = changes.pop("make", None)
    optimizer = None if make is None else make(model)
    data = changes.pop("train", None) or windows()
    arguments = {"epochs": 2, "batch_size": 5, "checkpoint_dir": folder, "optimizer": optimizer} | changes
    return model, fit_small(model, data, arguments.pop("valid", None), **arguments)


def refused(folder: Path, match: str, **changes: Any) -> str:
    """The message of the refusal, after which the folder and the model are as they were."""
    before, model = read_files(folder), make_model(**changes.pop("sizes", {}))
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=match) as caught:
        train(folder, model=model, **changes)
    assert read_files(folder) == before
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    return str(caught.value)


# ---- The optimizer

OPTIMIZERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "SGD": ({"momentum": 0.9, "weight_decay": 0.1}, {"momentum": 0.8, "weight_decay": 0.2, "nesterov": True}),
    "Adam": ({"betas": (0.9, 0.99)}, {"betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 0.1, "amsgrad": True}),
    "AdamW": ({"weight_decay": 0.1}, {"weight_decay": 0.01, "betas": (0.9, 0.9), "eps": 1e-5, "maximize": True}),
    "NAdam": ({}, {"momentum_decay": 0.1, "weight_decay": 0.1}),
    "RAdam": ({}, {"betas": (0.5, 0.9), "eps": 1e-5}),
    "Adagrad": ({}, {"lr_decay": 0.1, "eps": 1e-3}),
    "Adadelta": ({}, {"rho": 0.5}),
    "Adamax": ({}, {"weight_decay": 0.1}),
    "RMSprop": ({"momentum": 0.1}, {"momentum": 0.2, "alpha": 0.5, "centered": True}),
    "Rprop": ({}, {"etas": (0.4, 1.1)}),
    "ASGD": ({}, {"lambd": 0.1, "alpha": 0.5}),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_value_of_every_optimizer_is_compared(tmp_path: Path, name: str) -> None:
    """A run goes on with another weight decay, other betas or another momentum, and nobody is told."""
    kind, (settings, changes) = getattr(torch.optim, name), OPTIMIZERS[name]

    def make(model: Any, **changed: Any) -> torch.optim.Optimizer:
        optimizer: torch.optim.Optimizer = kind(model.parameters(), **{"lr": 0.01} | settings | changed)
        return optimizer

    train(tmp_path, make=make, epochs=1)
    train(tmp_path, make=make, epochs=1)  # with the same values it is the same run
    for key, value in changes.items():
        before = make(make_model()).param_groups[0][key]
        was, now = (repr(list(each) if isinstance(each, tuple) else each) for each in (before, value))
        message = refused(tmp_path, rf"optimizer\.{key} was ", make=partial(make, **{key: value}))
        assert f"cannot resume this run: run.optimizer.{key} was {was} and is now {now}. Choose another" in message
    refused(tmp_path, r"optimizer\.learning_rate was 0\.01 and is now 0\.02", make=partial(make, lr=0.02))


@pytest.mark.parametrize(("one", "other"), [*itertools.pairwise([*OPTIMIZERS, "SGD"])])
def test_another_optimizer_is_named(tmp_path: Path, one: str, other: str) -> None:
    """The error lists values that only one of two optimizers has."""
    train(tmp_path, make=lambda model: getattr(torch.optim, one)(model.parameters(), lr=0.01), epochs=1)
    message = refused(
        tmp_path,
        f"run.optimizer was {one} and is now {other}",
        make=lambda model: getattr(torch.optim, other)(model.parameters(), lr=0.01),
    )
    assert "was None" not in message


def two_groups(model: Any, *, swapped: bool = False, **later: Any) -> torch.optim.Optimizer:
    encoder, rest = list(model.encoder.parameters()), [*model.decoder.parameters(), *model.head.parameters()]
    if swapped:
        encoder, rest = rest, encoder
    return torch.optim.AdamW([{"params": encoder}, {"params": rest, "lr": 0.02, **later}], lr=0.01, weight_decay=0.1)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (partial(two_groups, weight_decay=0.3), r"param_groups\[1\]\.weight_decay was 0\.1 and is now 0\.3\."),
        (partial(two_groups, lr=0.03), r"param_groups\[1\]\.learning_rate was 0\.02 and is now 0\.03\."),
        (partial(two_groups, betas=(0.1, 0.2)), r"\[1\]\.betas was \[0\.9, 0\.999\] and is now \[0\.1, 0\.2\]"),
        (
            partial(two_groups, swapped=True),
            r"\[0\] updates no longer encoder\.\S+, .* and 1 more and now also decoder",
        ),
        (lambda model: torch.optim.AdamW(model.parameters(), lr=0.01), "had 2 parameter groups and now has 1"),
    ],
    ids=["weight decay", "rate", "betas", "swapped", "one group"],
)
def test_later_groups_are_compared(tmp_path: Path, make: Any, named: str) -> None:
    """Only the first parameter group is compared."""
    train(tmp_path, make=two_groups, epochs=1)
    train(tmp_path, make=two_groups, epochs=2)
    refused(tmp_path, named, make=make)


def test_how_an_update_is_computed_may_change(tmp_path: Path) -> None:
    """A run cannot be resumed on a machine where the optimizer is not fused."""
    for foreach in (True, False):
        train(tmp_path, make=lambda model, foreach=foreach: torch.optim.AdamW(model.parameters(), foreach=foreach))
    train(tmp_path, make=lambda model: torch.optim.AdamW(model.parameters(), fused=True))


@pytest.mark.parametrize("rate", [np.float32(0.25), np.float64(0.25), torch.tensor(0.25)], ids=["32", "64", "tensor"])
def test_values_of_any_type_are_saved(tmp_path: Path, rate: Any) -> None:
    """An epoch is lost because a NumPy number or a tensor cannot be written into the checkpoint."""
    arguments: dict[str, Any] = {
        "make": lambda model: torch.optim.SGD(model.parameters(), lr=rate, momentum=rate),
        "seed": np.int64(3),
        "batch_size": np.int32(5),
        "clip_norm": np.float32(0.5),
        "ema_decay": np.float64(0.5),
        "schedule": lambda step, total: np.float32(0.5),
        "train": windows(input_frames=np.int64(4), hop=np.int16(2)),
    }
    whole, _ = train(None, **arguments | {"epochs": np.int64(2)})
    train(tmp_path, **arguments | {"epochs": 1})
    model, _ = train(tmp_path, **arguments | {"seed": 3, "batch_size": 5, "clip_norm": 0.5, "epochs": np.int64(2)})
    assert have_same_weights(model, whole)


@pytest.mark.parametrize("types", [(torch.float64, torch.float32), (torch.float32, torch.float64)], ids=str)
def test_another_type_of_weights_is_named(tmp_path: Path, types: tuple[torch.dtype, torch.dtype]) -> None:
    """Half of the digits are lost because weights in float64 are loaded into a model in float32."""
    before, now = types
    train(tmp_path, model=make_model().to(before))
    train(tmp_path, model=make_model().to(before))
    with pytest.raises(CheckpointError, match=rf"run\.dtype was {before} and is now {now}"):
        train(tmp_path, model=make_model().to(now), epochs=3)


def test_frozen_parameters_are_compared(tmp_path: Path) -> None:
    """A run whose encoder was frozen goes on with all parameters."""

    def frozen() -> Any:
        model = make_model()
        model.encoder.requires_grad_(False)
        return model

    first, _ = train(tmp_path, model=frozen(), epochs=1)
    assert all(
        torch.equal(*pair) for pair in zip(first.encoder.parameters(), make_model().encoder.parameters(), strict=True)
    )
    train(tmp_path, model=frozen(), epochs=2)
    refused(tmp_path, "frozen parameters: no longer encoder")


# ---- The schedule


def decay(step: int, total: int) -> float:
    return 1 - step / total


def inverse_root(step: int, total: int, warmup: int = 3) -> float:
    return min((step + 1) / warmup, (warmup / (step + 1)) ** 0.5)


SCHEDULES: dict[str, Schedule | None] = {
    "constant": None,
    "cosine_schedule(warmup=0.05)": cosine_schedule(),
    "cosine_schedule(warmup=0.5)": cosine_schedule(0.5),
    "decay": decay,
    "inverse_root": inverse_root,
    "inverse_root, warmup=4": partial(inverse_root, warmup=4),
}
FIXED = ("constant", "inverse_root", "inverse_root, warmup=4")
"""Schedules that depend on the step alone."""


@pytest.mark.parametrize(("one", "other"), [*itertools.pairwise(SCHEDULES), ("decay", "constant")])
def test_another_schedule_is_named(tmp_path: Path, one: str, other: str) -> None:
    """A run goes on with another warmup or another decay."""
    train(tmp_path, schedule=SCHEDULES[one], epochs=2)
    train(tmp_path, schedule=SCHEDULES[one], epochs=2)
    message = refused(tmp_path, r"run\.schedule was \S+.* and is now ", schedule=SCHEDULES[other])
    for name in (one, other):
        assert name.split(",")[0] in message
    assert "its factor of step" in message


def test_a_schedule_with_the_same_values_is_the_same(tmp_path: Path) -> None:
    """A run cannot be resumed after its function was renamed."""
    train(tmp_path, schedule=decay)
    train(tmp_path, schedule=lambda step, total: 1 - step / total)
    train(tmp_path / "constant")
    train(tmp_path / "constant", schedule=lambda step, total: 1.0)


@pytest.mark.parametrize("total", [40, 3000, 100_003])
def test_a_schedule_that_differs_at_one_step_is_named(total: int) -> None:
    """Constants in a function differ so little that none of the compared steps falls between them."""

    def jump(at: int) -> Schedule:
        return lambda step, _: 1.0 if step < at else 0.5

    for place in (0, total // 3, total - 2):
        before, now = (sample_schedule(jump(at), total) for at in (place, place + 1))
        assert not list(schedule_difference(before, before, jump(place)))
        (message,) = schedule_difference(before, now, jump(place + 1))
        assert "its factor of step" in message


# ---- More epochs


@pytest.mark.parametrize("schedule", FIXED)
@pytest.mark.parametrize("first", [1, 2, 3])
def test_more_epochs_are_as_if_all_were_asked_for_at_once(tmp_path: Path, schedule: str, first: int) -> None:
    """A run that is extended ends with another model or another history."""
    arguments: dict[str, Any] = {"schedule": SCHEDULES[schedule], "ema_decay": 0.9, "sizes": {"dropout": 0.2}}
    whole, expected = train(None, valid=windows(7), epochs=4, **arguments)
    train(tmp_path, valid=windows(7), epochs=first, **arguments)
    model, history = train(tmp_path, valid=windows(7), epochs=4, **arguments)
    assert without_seconds(history) == without_seconds(expected)
    assert have_same_weights(model, whole)


@pytest.mark.parametrize("schedule", [name for name in SCHEDULES if name not in FIXED])
@pytest.mark.parametrize("epochs", [1, 4])
def test_a_schedule_that_spans_all_epochs_cannot_be_extended(tmp_path: Path, schedule: str, epochs: int) -> None:
    """An extended run has learning rates that no run has, or the error does not say what to do."""
    train(tmp_path, schedule=SCHEDULES[schedule])
    match = rf"another number of epochs.*its schedule, \S*{schedule.partition('(')[0]}.*spans all epochs"
    message = refused(tmp_path, match, schedule=SCHEDULES[schedule], epochs=epochs)
    assert "schedule=None; --schedule constant" in message
    assert f"planned for 2 and would now have {epochs}" in message


@pytest.mark.parametrize("stopped_by", ["patience", "callback"])
def test_a_run_that_stopped_early_can_go_on(tmp_path: Path, stopped_by: str) -> None:
    """More epochs or more patience have no effect after training stopped early."""
    whole, expected = train(None, epochs=6)
    if stopped_by == "patience":
        train(tmp_path, epochs=6, patience=1, min_delta=1e9)
    else:
        train(tmp_path, epochs=4, on_epoch=[lambda event: len(event.history.epochs) == 2])
        assert train(tmp_path, epochs=4)[1].stopped_by == "callback"
    model, history = train(tmp_path, epochs=6)
    assert without_seconds(history) == without_seconds(expected)
    assert have_same_weights(model, whole)


def test_fewer_epochs_return_the_run_as_it_is(tmp_path: Path) -> None:
    model, history = train(tmp_path, epochs=3)
    again, same = train(tmp_path, epochs=1)
    assert same == history
    assert have_same_weights(model, again)


@pytest.mark.parametrize("epochs", [1, 2])
def test_fewer_epochs_than_an_interrupted_run_has_done(tmp_path: Path, epochs: int) -> None:
    """The history says that the run is still being trained."""

    def interrupt(event: EpochEnd) -> None:
        if len(event.history.epochs) == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, epochs=4, on_epoch=[interrupt])
    history = train(tmp_path, epochs=epochs)[1]
    assert (len(history.epochs), history.stopped_by) == (2, "epochs")
    assert train(tmp_path, epochs=4)[1].stopped_by == "epochs"


# ---- The data

DATA: dict[str, tuple[Callable[[], Any], str]] = {
    "another piece": (lambda: windows(0, 1, 3), "the training pieces are others "),
    "fewer pieces": (lambda: windows(0, 1), r"the training pieces are others \(3, now 2\)"),
    "another order": (lambda: windows(1, 0, 2), "the training pieces are in another order"),
    "hop": (lambda: windows(hop=1), r"data\.train\.hop was 2 and is now 1"),
    "lengths": (lambda: windows(input_frames=3, target_frames=5), r"data\.train\.input_frames was 4 and is now 3"),
    "augmentation": (lambda: windows(augmentation=Augmentation((-1, 1))), "augmentation was None and is now Augment"),
    "other examples": (lambda: active_pieces([roll(0)], max_frames_per_batch=20), "the training pieces are others"),
}


@pytest.mark.parametrize("change", DATA)
def test_other_training_data_are_named(tmp_path: Path, change: str) -> None:
    """A run goes on with other music."""
    make, named = DATA[change]
    train(tmp_path)
    train(tmp_path)
    refused(tmp_path, named, train=make())


@pytest.mark.parametrize(
    ("seeds", "named"), [((8, 10), "the validation pieces are others"), ((9, 8), "validation pieces are in another o")]
)
def test_other_validation_pieces_are_named(tmp_path: Path, seeds: tuple[int, ...], named: str) -> None:
    """Validation losses before and after a restart belong to different music, and the best epoch is by chance."""
    train(tmp_path, valid=windows(8, 9))
    train(tmp_path, valid=windows(8, 9))
    refused(tmp_path, named, valid=windows(*seeds))


def test_names_and_skipped_pieces_do_not_matter(tmp_path: Path) -> None:
    """A run cannot be resumed after a file was renamed, or after one was added that is too short for a window."""
    rolls = [roll(0), roll(1)]
    train(tmp_path, train=windows(rolls=rolls))
    renamed = [each.renamed("new") for each in rolls]
    with pytest.warns(UserWarning, match="skipped"):
        train(tmp_path, train=windows(rolls=[renamed[0], roll(5, frames=3), renamed[1]], short="skip"))


def conditioned(*values: float, **changes: Any) -> SlidingWindows:
    return windows(conditions=[np.full(13, value, dtype=np.float32) for value in values], **changes)


def test_other_conditions_are_named(tmp_path: Path) -> None:
    """A run goes on with the scales of other pieces."""
    sizes = {"sizes": {"condition_size": 13}}
    train(tmp_path, train=conditioned(0, 1, 2), **sizes)
    train(tmp_path, train=conditioned(0, 1, 2), **sizes)
    message = refused(tmp_path, "the conditions of the training pieces are others", train=conditioned(0, 2, 1), **sizes)
    assert "pieces are in another order" not in message
    refused(
        tmp_path, r"pitch_classes was False and is now True", train=conditioned(0, 1, 2, pitch_classes=True), **sizes
    )


def test_whole_pieces_are_compared(tmp_path: Path) -> None:
    """Groups of whole pieces are resumed with other pieces or other groups."""

    def groups(*seeds: int, size: int = 24, repeats: int = 1) -> WholePieces:
        rolls = [roll(seed) for seed in seeds]
        return active_pieces(rolls, max_frames_per_batch=size, repeats=repeats, input_frames=4)

    train(tmp_path, train=groups(0, 1, 2), batch_size=1)
    train(tmp_path, train=groups(0, 1, 2), batch_size=1)
    refused(tmp_path, "training pieces are others", train=groups(0, 1, 3), batch_size=1)
    refused(tmp_path, "max_frames_per_batch was 24 and is now 30", train=groups(0, 1, 2, size=30), batch_size=1)


class OwnExamples:
    """Examples of a user's class, which does not say what they are made of."""

    def __init__(self, inner: SlidingWindows) -> None:
        self._inner = inner
        self.layout, self.input_frames, self.augmentation = inner.layout, inner.input_frames, None
        self.target_frames, self.num_target_frames = inner.target_frames, inner.num_target_frames

    def __len__(self) -> int:
        return len(self._inner)

    def batch(self, indices: Any, *, generator: Any = None, out: Any = None) -> Any:
        return self._inner.batch(indices)

    def target_mask(self, indices: Any) -> None:
        return None


def test_examples_of_a_users_class_are_compared(tmp_path: Path) -> None:
    """A user's own examples are replaced in silence."""
    train(tmp_path, train=OwnExamples(windows()))
    train(tmp_path, train=OwnExamples(windows()))
    refused(tmp_path, "the training examples are others", train=OwnExamples(windows(0, 1, 3)))


class Shifted(SlidingWindows):
    """Windows of a user's class with batches of its own."""

    pitches = 1

    def conditioned_batch(self, indices: Any, **named: Any) -> Any:
        inputs, targets, condition = super().conditioned_batch(indices, **named)
        return inputs.roll(self.pitches, -1), targets.roll(self.pitches, -1), condition


class Named(Shifted):
    """The same, which says what its batches are made of."""

    def fingerprint(self) -> dict[str, Any]:
        return super().fingerprint() | {"pitches": self.pitches}


def test_batches_of_a_subclass_are_compared(tmp_path: Path) -> None:
    """A subclass changes the batches, but has the fingerprint of the windows that it was derived from."""

    def shifted(pitches: int, kind: Any = Shifted) -> Any:
        rolls = [roll(seed) for seed in range(3)]
        made = kind(rolls, input_frames=4, target_frames=4, hop=2, layout=active_only(rolls))
        made.pitches = pitches
        return made

    train(tmp_path)
    refused(tmp_path, "the batches of the training examples are others", train=shifted(1))
    train(tmp_path / "own", train=shifted(1))
    train(tmp_path / "own", train=shifted(1))
    refused(tmp_path / "own", "the batches of the training examples are others", train=shifted(2))
    train(tmp_path / "named", train=shifted(1, Named))
    refused(tmp_path / "named", r"data\.train\.pitches was 1 and is now 2", train=shifted(2, Named))


def test_a_corpus_is_compared_by_its_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A corpus on disk is read as a whole before each resumption, or differs from the same pieces in memory."""
    source = tmp_path / "midi"
    for seed in range(3):
        roll(seed, frames=16).to_midi(source / f"{seed}.mid")
    with ThreadPoolExecutor(1) as executor:
        corpus = build_corpus(source, tmp_path / "corpus", pitches=PITCHES, executor=executor, progress=False)
    train(tmp_path / "run", train=windows(rolls=[corpus[index] for index in range(3)]))
    monkeypatch.setattr(Corpus, "__getitem__", lambda *arguments: pytest.fail("a piece was read"))
    train(tmp_path / "run", train=windows(rolls=corpus))
    refused(tmp_path / "run", "in another order", train=windows(rolls=corpus.select([1, 0, 2])))


def test_a_store_names_what_differs_and_lets_runs_be_extended(tmp_path: Path) -> None:
    """A run that resumes from a store is refused without a reason, or more epochs are refused."""
    store = LocalStore(tmp_path / "store")
    whole, expected = train(None, epochs=4)
    train(tmp_path / "one", checkpoint_store=store)
    with pytest.raises(CheckpointError, match=r"the store's checkpoint: .*the training pieces are others"):
        train(tmp_path / "two", checkpoint_store=store, train=windows(4))
    assert not (tmp_path / "two" / "last.safetensors").exists()
    model, history = train(tmp_path / "three", checkpoint_store=store, epochs=4)
    assert without_seconds(history) == without_seconds(expected)
    assert have_same_weights(model, whole)


# ---- An optimizer of another model


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_of_another_model_is_refused(tmp_path: Path, name: str) -> None:
    """Training runs to its end and changes nothing."""
    other = getattr(torch.optim, name)(make_model().parameters(), lr=0.01)
    with pytest.raises(SettingsError, match=r"(\d+) of the optimizer's \1 parameters do not belong .*model.parameters"):
        train(tmp_path / "run", make=lambda model: other)
    assert not (tmp_path / "run").exists()


def test_an_optimizer_with_some_foreign_parameters_is_refused() -> None:
    other = make_model().head.parameters()
    with pytest.raises(SettingsError, match="2 of the optimizer's"):
        train(None, make=lambda model: torch.optim.SGD([*model.parameters(), *other], lr=0.1))


def test_parameters_that_are_left_out_are_named(tmp_path: Path) -> None:
    """An optimizer of the head alone leaves the rest untrained, and nobody is told."""
    with pytest.warns(UserWarning, match=r"does not have 8 of the model's 10 parameters: encoder\S+, .* and 5 more"):
        train(tmp_path, make=lambda model: torch.optim.SGD(model.head.parameters(), lr=0.1))

    def head_only() -> Any:
        model = make_model().requires_grad_(False)
        model.head.requires_grad_(True)
        return model

    for make in (lambda model: torch.optim.SGD(model.head.parameters(), lr=0.1), None):  # no warning: they are frozen
        train(None, model=head_only(), make=make)


def test_a_model_that_is_frozen_as_a_whole_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"frozen.*nothing to train"):
        train(None, model=make_model().requires_grad_(False))


def test_the_search_for_a_learning_rate_needs_an_optimizer_of_its_copy() -> None:
    """It tries the rates on the wrong model, and suggests one by chance."""
    model = make_model()
    with pytest.raises(SettingsError, match="do not belong"):
        find_learning_rate(
            model,
            make_windows(),
            batch_size=4,
            steps=3,
            optimizer=lambda copy, rate: torch.optim.SGD(model.parameters(), lr=rate),
            progress=False,
        )
