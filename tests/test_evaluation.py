"""The table that says whether a model is any good: held against sums in plain loops."""

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pianoroll_seq2seq.evaluation import Continuation, Evaluation, Predictor, Scores, evaluate
from pianoroll_seq2seq.heads.bernoulli import Bernoulli
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.windowing import SlidingWindows

PITCHES = PitchRange(62, 65)
INPUT = 3


def music(frames: int, seed: int, still: float = 0.7) -> PianoRoll:
    """Frames that mostly stay as they are, as music does."""
    random = np.random.default_rng(seed)
    active = np.zeros((frames, 4), bool)
    for frame in range(frames):
        stays = frame > 0 and random.random() < still
        active[frame] = active[frame - 1] if stays else random.random(4) < 0.4
    return PianoRoll.from_active(active, pitches=PITCHES)


def lstm(decoder: str = "autoregressive", seed: int = 0) -> Seq2SeqLSTM:
    torch.manual_seed(seed)
    model = Seq2SeqLSTM(4, hidden=5, decoder=decoder, block_frames=4)
    torch.nn.init.normal_(model.head.logits.weight, std=3)
    torch.nn.init.zeros_(model.head.logits.bias)
    return model


def scores(cells: list[dict[str, Any]], frames: int) -> Scores:
    """Scores of cells, each with the chance given to what happened, a prediction and the truth."""
    hits = sum(cell["predicted"] and cell["truth"] for cell in cells)
    predicted, true = sum(cell["predicted"] for cell in cells), sum(cell["truth"] for cell in cells)
    precision = hits / predicted if predicted else 0.0
    recall = hits / true if true else 0.0
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    nats = -sum(math.log(cell["chance"]) for cell in cells) / frames if frames else 0.0
    return Scores(nats, precision, recall, f1)


def smoothed(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cells of a copy, with the chances that make them likeliest: the shares in which they happened."""
    result = []
    for cell in cells:
        alike = [other for other in cells if (other["predicted"], other["fit"]) == (cell["predicted"], cell["fit"])]
        result.append(cell | {"chance": sum(other["truth"] == cell["truth"] for other in alike) / len(alike)})
    return result


def by_hand(model: Seq2SeqLSTM, rolls: list[PianoRoll], target: int, threshold: float) -> Evaluation:
    """The whole table, in loops over pieces, windows, frames and pitches."""
    cells: dict[str, list[dict[str, Any]]] = {"model": [], "copy_last": [], "copy_input": []}
    frames = changed_frames = 0
    for roll in rolls:
        for begin in range(0, len(roll) - INPUT - target + 1, target):
            inputs = roll.active[begin : begin + INPUT]
            targets = roll.active[begin + INPUT : begin + INPUT + target]
            with torch.no_grad():
                mean = model.eval()(torch.tensor(inputs)[None].float(), torch.tensor(targets)[None].float()).mean[0]
            for step in range(target):
                last = roll.active[begin + INPUT + step - 1]
                changed = bool((last != targets[step]).any())
                frames += 1
                changed_frames += changed
                for pitch in range(4):
                    chance, truth = float(mean[step, pitch]), bool(targets[step, pitch])
                    seen = {"changed": changed, "truth": truth}
                    cells["model"].append(
                        seen | {"predicted": chance >= np.float32(threshold), "chance": chance if truth else 1 - chance}
                    )
                    cells["copy_last"].append(seen | {"predicted": bool(last[pitch]), "fit": 0})
                    cells["copy_input"].append(seen | {"predicted": bool(inputs[-1, pitch]), "fit": step})
    rows = {}
    for label, of_label in cells.items():
        of_all = of_label if label == "model" else smoothed(of_label)
        of_changed = [cell for cell in of_all if cell["changed"]]
        rows[label] = Predictor(scores(of_all, frames), scores(of_changed, changed_frames))
    return Evaluation(frames, changed_frames, **rows)


def windows_of(rolls: list[PianoRoll], target: int, hop: int = 1) -> SlidingWindows:
    return SlidingWindows(rolls, input_frames=INPUT, target_frames=target, hop=hop)


def assert_close(one: Evaluation, other: Evaluation) -> None:
    assert (one.frames, one.changed_frames) == (other.frames, other.changed_frames)
    for label in ("model", "copy_last", "copy_input"):
        for subset in ("all", "changed"):
            first, second = getattr(getattr(one, label), subset), getattr(getattr(other, label), subset)
            assert vars(first) == pytest.approx(vars(second), rel=1e-4, abs=1e-6), (label, subset)


class Copy(nn.Module):
    """The frame before, or the last of the input, with two chances of one's choice."""

    def __init__(self, goes_on: float, begins: float, *, last: bool) -> None:
        super().__init__()
        self.goes_on, self.begins, self.last = goes_on, begins, last

    def forward(self, inputs: Tensor, targets: Tensor) -> Bernoulli:
        shifted = torch.cat([inputs[:, -1:], targets[:, :-1]], 1)
        source = shifted if self.last else inputs[:, -1:].expand_as(targets)
        return Bernoulli(torch.logit(self.begins + (self.goes_on - self.begins) * source))

    def start(self, primer: Tensor) -> tuple[Bernoulli, Any]:
        raise NotImplementedError("evaluate asks for whole windows")

    def advance(self, frame: Tensor, state: Any) -> tuple[Bernoulli, Any]:
        raise NotImplementedError("evaluate asks for whole windows")


several = st.lists(st.integers(7, 16), min_size=1, max_size=3)


@settings(deadline=None, max_examples=25)
@given(
    lengths=several,
    target=st.integers(1, 4),
    threshold=st.sampled_from([0.1, 0.5, 0.8]),
    seed=st.integers(0, 99),
    decoder=st.sampled_from(["autoregressive", "parallel"]),
    batch_size=st.integers(1, 9),
)
def test_every_figure_is_what_plain_loops_count(*, lengths, target, threshold, seed, decoder, batch_size):
    """These figures get published; nothing else would show that one of them is wrong."""
    rolls = [music(length, seed + index) for index, length in enumerate(lengths)]
    model = lstm(decoder, seed)
    result = evaluate(model, windows_of(rolls, target), threshold=threshold, batch_size=batch_size)
    assert_close(result, by_hand(model, rolls, target, threshold))


@settings(deadline=None)
@given(lengths=several, seed=st.integers(0, 99), goes_on=st.floats(0.001, 0.999), begins=st.floats(0.001, 0.999))
def test_no_other_smoothing_of_a_copy_is_better(lengths, seed, goes_on, begins):
    """A handicapped baseline would make any model look good."""

    windows = windows_of([music(length, seed + index) for index, length in enumerate(lengths)], 4)
    last = evaluate(Copy(goes_on, begins, last=True), windows)
    held = evaluate(Copy(goes_on, begins, last=False), windows)
    assert last.copy_last.all.nats <= last.model.all.nats + 1e-5
    assert held.copy_input.all.nats <= held.model.all.nats + 1e-5
    if goes_on > 0.5 > begins:  # then it predicts what it copies
        for label in ("precision", "recall", "f1"):
            assert getattr(last.model.all, label) == getattr(last.copy_last.all, label)
            assert getattr(held.model.changed, label) == getattr(held.copy_input.changed, label)


@settings(deadline=None, max_examples=15)
@given(hop=st.integers(1, 9), batch_size=st.integers(1, 40))
def test_hop_and_batch_size_make_no_difference(hop, batch_size):
    """Scores of two people must agree however they cut their windows for training."""
    rolls, model = [music(19, 1), music(30, 2)], lstm()
    result = evaluate(model, windows_of(rolls, 4, hop), batch_size=batch_size)
    assert_close(result, evaluate(model, windows_of(rolls, 4, hop=4)))
    assert result.frames == (19 - INPUT) // 4 * 4 + (30 - INPUT) // 4 * 4


def test_music_that_stands_still_has_no_changed_frames():
    """No division by zero: nothing changed, so nothing is said about it, and copying is certain."""
    still = PianoRoll.from_active(np.ones((11, 4), bool), pitches=PITCHES)
    result = evaluate(lstm(), windows_of([still], 4))
    assert (result.frames, result.changed_frames) == (8, 0)
    for row in (result.model, result.copy_last, result.copy_input):
        assert row.changed == Scores(0.0, 0.0, 0.0, 0.0)
    assert vars(result.copy_last.all) == pytest.approx({"nats": 0, "precision": 1, "recall": 1, "f1": 1})


def test_silence_has_no_precision_and_no_recall():
    silent = PianoRoll.from_active(np.zeros((11, 4), bool), pitches=PITCHES)
    result = evaluate(lstm(), windows_of([silent], 4), threshold=1.0)
    for row in (result.model, result.copy_last, result.copy_input):
        assert (row.all.precision, row.all.recall, row.all.f1) == (0.0, 0.0, 0.0)
    assert json.loads(json.dumps(result.to_json(), allow_nan=False))["copy_last"]["all"]["nats"] == pytest.approx(0)


@pytest.mark.parametrize("training", [True, False])
def test_leaves_the_model_and_the_windows_as_they_were(training):
    """Scoring between epochs must neither train with dropout off nor score with it on."""
    model = Seq2SeqLSTM(4, hidden=5, dropout=0.5).train(training)
    windows = windows_of([music(20, 0)], 4, hop=2)
    first = evaluate(model, windows)
    assert model.training is training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert windows.hop == 2
    assert evaluate(model, windows) == first


def test_prints_as_a_table_and_goes_into_json():
    result = evaluate(lstm(), windows_of([music(20, 0)], 4))
    title, head, *rows = str(result).splitlines()
    assert title == f"{result.frames} frames, {result.changed_frames} of them changed"
    assert "nats/frame" in head
    for label, row, line in zip(
        ("model", "copy last", "copy input"), (result.model, result.copy_last, result.copy_input), rows, strict=True
    ):
        assert line.startswith(label)
        figures = (*vars(row.all).values(), row.changed.nats, row.changed.f1)
        assert line.removeprefix(label).split() == [f"{figure:.3f}" for figure in figures]
    data = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert data["model"]["changed"]["f1"] == result.model.changed.f1


class TestContinuation:
    def primer(self, *columns: int) -> PianoRoll:
        active = np.zeros((2, 13), bool)
        active[0, list(columns)] = True
        return PianoRoll.from_active(active, pitches=PitchRange(62, 74))

    def roll(self, *frames: tuple[int, ...]) -> PianoRoll:
        active = np.zeros((len(frames), 13), bool)
        for frame, columns in enumerate(frames):
            active[frame, list(columns)] = True
        return PianoRoll.from_active(active, pitches=PitchRange(62, 74))

    def test_counts_by_hand(self):
        """D and F sharp, F sharp held, a rest, D sharp, and the D above; heard after a D major chord."""
        roll = self.roll((0, 4), (4,), (4,), (4,), (), (), (1,), (12,))
        measured = Continuation.of(roll, self.primer(0, 4, 7))
        assert measured == Continuation(
            longest_repeat_frames=3, silent_share=0.25, in_scale_share=0.75, polyphony=7 / 6, notes=4
        )

    def test_silence_is_no_repeat(self):
        """Otherwise a model that stops playing would look like one that is stuck on a chord."""
        assert Continuation.of(self.roll((), (), ()), self.primer(0)) == Continuation(0, 1.0, 0.0, 0.0, 0)

    def test_a_repeat_after_something_else_starts_anew(self):
        roll = self.roll((1,), (1,), (2,), (1,), (1,), (), (1,))
        assert Continuation.of(roll, self.primer(1)).longest_repeat_frames == 2

    def test_of_nothing(self):
        assert Continuation.of(self.roll(), self.primer(0)) == Continuation(0, 0.0, 0.0, 0.0, 0)

    @settings(deadline=None)
    @given(frames=st.integers(0, 20), seed=st.integers(0, 99), still=st.floats(0, 1))
    def test_agrees_with_looking(self, frames, seed, still):
        roll, primer = music(frames, seed, still), self.primer(0, 2)
        runs = [
            end - begin
            for begin in range(frames)
            for end in range(begin + 1, frames + 1)
            if roll.active[begin].any() and (roll.active[begin:end] == roll.active[begin]).all()
        ]
        struck = [column for frame in roll.onset for column in np.nonzero(frame)[0]]
        silent = sum(not frame.any() for frame in roll.active)
        measured = Continuation.of(roll, primer)
        assert measured.longest_repeat_frames == max(runs, default=0)
        assert measured.notes == len(struck)
        assert measured.silent_share == pytest.approx(silent / frames if frames else 0)
        at_once = [frame.sum() for frame in roll.active if frame.any()]
        assert measured.polyphony == pytest.approx(sum(at_once) / len(at_once) if at_once else 0)
        assert measured.in_scale_share == pytest.approx(
            sum(column in (0, 2) for column in struck) / len(struck) if struck else 0
        )
