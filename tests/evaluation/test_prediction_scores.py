"""Scores of a model and of the copying baselines, against sums in plain loops."""

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import active_windows
from torch import Tensor, nn

from pianoroll_seq2seq.data.condition_sources import MetricPosition
from pianoroll_seq2seq.errors import GridError, PitchRangeError, ShapeError
from pianoroll_seq2seq.evaluation.prediction_scores import Evaluation, Predictor, Scores, evaluate
from pianoroll_seq2seq.grid import BeatGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.filling_lstm import FillingLSTM
from pianoroll_seq2seq.models.heads.bernoulli import Bernoulli, BernoulliHead
from pianoroll_seq2seq.models.heads.velocity import VelocityHead
from pianoroll_seq2seq.models.parallel_lstm import ParallelSeq2SeqLSTM
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


def lstm(kind: Any = Seq2SeqLSTM, seed: int = 0, layout: FrameLayout | int = 4) -> Any:
    torch.manual_seed(seed)
    model = kind(layout, hidden_size=5, block_frames=4)
    torch.nn.init.normal_(model.head.logits.weight, std=3)
    torch.nn.init.zeros_(model.head.logits.bias)
    return model


def scores(cells: list[dict[str, Any]], frames: int) -> Scores:
    """Scores of cells, each with the probability of the truth, a prediction and the truth."""
    hits = sum(cell["predicted"] and cell["truth"] for cell in cells)
    predicted, true = sum(cell["predicted"] for cell in cells), sum(cell["truth"] for cell in cells)
    precision = hits / predicted if predicted else 0.0
    recall = hits / true if true else 0.0
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    nats = -sum(math.log(cell["probability"]) for cell in cells) / frames if frames else 0.0
    return Scores(nats, precision, recall, f1)


def smoothed(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cells of a copy, with the probabilities that make them likeliest: their relative frequencies."""
    result = []
    for cell in cells:
        same = [other for other in cells if (other["predicted"], other["fit"]) == (cell["predicted"], cell["fit"])]
        result.append(cell | {"probability": sum(other["truth"] == cell["truth"] for other in same) / len(same)})
    return result


def by_hand(model: Any, rolls: list[PianoRoll], target: int, threshold: float) -> Evaluation:
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
                    probability, truth = float(mean[step, pitch]), bool(targets[step, pitch])
                    seen = {"changed": changed, "truth": truth}
                    cells["model"].append(
                        seen
                        | {
                            "predicted": probability >= np.float32(threshold),
                            "probability": probability if truth else 1 - probability,
                        }
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
    return active_windows(rolls, input_frames=INPUT, target_frames=target, hop=hop)


def assert_close(one: Evaluation, other: Evaluation) -> None:
    assert (one.num_frames, one.num_changed_frames) == (other.num_frames, other.num_changed_frames)
    for label in ("model", "copy_last", "copy_input"):
        for subset in ("all", "changed"):
            first, second = getattr(getattr(one, label), subset), getattr(getattr(other, label), subset)
            assert vars(first) == pytest.approx(vars(second), rel=1e-4, abs=1e-6), (label, subset)


class Copy(nn.Module):
    """The frame before, or the last of the input, with two probabilitys of one's choice."""

    def __init__(self, p_held: float, p_begins: float, *, last: bool) -> None:
        super().__init__()
        self.p_held, self.p_begins, self.last = p_held, p_begins, last

    def forward(self, inputs: Tensor, targets: Tensor) -> Bernoulli:
        shifted = torch.cat([inputs[:, -1:], targets[:, :-1]], 1)
        source = shifted if self.last else inputs[:, -1:].expand_as(targets)
        return Bernoulli(torch.logit(self.p_begins + (self.p_held - self.p_begins) * source))

    def start(self, primer: Tensor) -> tuple[Bernoulli, Any]:
        raise NotImplementedError("evaluate predicts whole windows")

    def advance(self, frame: Tensor, state: Any) -> tuple[Bernoulli, Any]:
        raise NotImplementedError("evaluate predicts whole windows")


several = st.lists(st.integers(7, 16), min_size=1, max_size=3)


@given(
    lengths=several,
    target=st.integers(1, 4),
    threshold=st.sampled_from([0.1, 0.5, 0.8]),
    seed=st.integers(0, 99),
    kind=st.sampled_from([Seq2SeqLSTM, ParallelSeq2SeqLSTM]),
    batch_size=st.integers(1, 9),
)
def test_every_score_equals_that_of_plain_loops(*, lengths, target, threshold, seed, kind, batch_size):
    """These scores are published; nothing else would show that one of them is wrong."""
    rolls = [music(length, seed + index) for index, length in enumerate(lengths)]
    model = lstm(kind, seed)
    result = evaluate(model, windows_of(rolls, target), threshold=threshold, batch_size=batch_size)
    assert_close(result, by_hand(model, rolls, target, threshold))


@given(lengths=several, seed=st.integers(0, 99), p_held=st.floats(0.001, 0.999), p_begins=st.floats(0.001, 0.999))
def test_no_other_smoothing_of_the_baselines_is_better(lengths, seed, p_held, p_begins):
    """A weak baseline would make any model look good."""

    windows = windows_of([music(length, seed + index) for index, length in enumerate(lengths)], 4)
    last = evaluate(Copy(p_held, p_begins, last=True), windows)
    held = evaluate(Copy(p_held, p_begins, last=False), windows)
    assert last.copy_last.all.nats <= last.model.all.nats + 1e-5
    assert held.copy_input.all.nats <= held.model.all.nats + 1e-5
    if p_held > 0.5 > p_begins:  # then it predicts what it copies
        for label in ("precision", "recall", "f1"):
            assert getattr(last.model.all, label) == getattr(last.copy_last.all, label)
            assert getattr(held.model.changed, label) == getattr(held.copy_input.changed, label)


@settings(max_examples=15)
@given(hop=st.integers(1, 9), batch_size=st.integers(1, 40))
def test_hop_and_batch_size_make_no_difference(hop, batch_size):
    """Scores must not depend on the windows of training."""
    rolls, model = [music(19, 1), music(30, 2)], lstm()
    result = evaluate(model, windows_of(rolls, 4, hop), batch_size=batch_size)
    assert_close(result, evaluate(model, windows_of(rolls, 4, hop=4)))
    assert result.num_frames == (19 - INPUT) // 4 * 4 + (30 - INPUT) // 4 * 4


def test_constant_music_has_no_changed_frames():
    """No division by zero: there are no changed frames, and copying is certain."""
    still = PianoRoll.from_active(np.ones((11, 4), bool), pitches=PITCHES)
    result = evaluate(lstm(), windows_of([still], 4))
    assert (result.num_frames, result.num_changed_frames) == (8, 0)
    for row in (result.model, result.copy_last, result.copy_input):
        assert row.changed == Scores(0.0, 0.0, 0.0, 0.0)
    assert vars(result.copy_last.all) == pytest.approx({"nats": 0, "precision": 1, "recall": 1, "f1": 1})


def test_silence_has_precision_and_recall_0():
    silent = PianoRoll.from_active(np.zeros((11, 4), bool), pitches=PITCHES)
    result = evaluate(lstm(), windows_of([silent], 4), threshold=1.0)
    for row in (result.model, result.copy_last, result.copy_input):
        assert (row.all.precision, row.all.recall, row.all.f1) == (0.0, 0.0, 0.0)
    assert json.loads(json.dumps(result.to_json(), allow_nan=False))["copy_last"]["all"]["nats"] == pytest.approx(0)


@pytest.mark.parametrize("training", [True, False])
def test_leaves_the_model_and_the_windows_as_they_were(training):
    """Scoring between epochs must neither train with dropout off nor score with it on."""
    model = Seq2SeqLSTM(4, hidden_size=5, dropout=0.5).train(training)
    windows = windows_of([music(20, 0)], 4, hop=2)
    first = evaluate(model, windows)
    assert model.training is training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert windows.hop == 2
    assert evaluate(model, windows) == first


def test_prints_as_a_table_and_converts_to_json():
    result = evaluate(lstm(), windows_of([music(20, 0)], 4))
    title, head, *rows = str(result).splitlines()
    assert title == f"{result.num_frames} frames, {result.num_changed_frames} of them changed"
    assert "nats/frame" in head
    for label, row, line in zip(
        ("model", "copy last", "copy input"), (result.model, result.copy_last, result.copy_input), rows, strict=True
    ):
        assert line.startswith(label)
        values = (*vars(row.all).values(), row.changed.nats, row.changed.f1)
        assert line.removeprefix(label).split() == [f"{value:.3f}" for value in values]
    data = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert data["model"]["changed"]["f1"] == result.model.changed.f1


@pytest.mark.parametrize(
    ("layout", "error"),
    [
        (FrameLayout(BeatGrid(8), PITCHES, planes=("active",)), GridError),
        (FrameLayout(pitches=PitchRange(60, 63), planes=("active",)), PitchRangeError),
        (FrameLayout(pitches=PitchRange(62, 63), planes=("active", "onset")), PitchRangeError),
    ],
)
def test_windows_of_another_layout_than_the_models_are_refused(layout, error):
    """Scores would be of frames that mean something else to the model."""
    windows = windows_of([music(20, 0)], 4)
    assert evaluate(lstm(layout=windows.layout), windows).num_frames == 16
    with pytest.raises(error, match="The set of windows"):
        evaluate(lstm(layout=layout), windows)


def repeated(frames: int, seed: int) -> PianoRoll:
    """Music in which some of the sounding pitches begin again."""
    roll = music(frames, seed)
    again = np.random.default_rng(seed).random(roll.active.shape) < 0.3
    return PianoRoll(roll.active, roll.onset | (roll.active & again), pitches=PITCHES)


@given(lengths=several, target=st.integers(1, 4), seed=st.integers(0, 99))
def test_onsets_change_no_score_of_sounding_pitches(lengths, target, seed):
    """F1 could not be compared between models with and without onsets; or copying would repeat each onset."""
    rolls = [repeated(length, seed + index) for index, length in enumerate(lengths)]
    both = FrameLayout.of(rolls[0])
    windows = SlidingWindows(rolls, input_frames=INPUT, target_frames=target, hop=target, layout=both)
    model = lstm(layout=both)
    result, active = evaluate(model, windows), evaluate(lstm(), windows_of(rolls, target))
    assert (result.num_frames, result.num_changed_frames) == (active.num_frames, active.num_changed_frames)
    for label in ("copy_last", "copy_input"):
        for subset in ("all", "changed"):
            one, other = (getattr(getattr(of, label), subset) for of in (result, active))
            assert (one.precision, one.recall, one.f1) == (other.precision, other.recall, other.f1)
    inputs, targets = windows.batch(range(len(windows)))
    with torch.no_grad():
        distribution = model.eval()(inputs, targets)
    sounds, predicted = targets[..., :4].bool(), distribution.mean[..., :4] >= 0.5
    hits = int((sounds & predicted).sum())
    assert result.model.all.recall == pytest.approx(hits / max(int(sounds.sum()), 1))
    assert result.model.all.precision == pytest.approx(hits / max(int(predicted.sum()), 1))
    assert result.model.all.nats == pytest.approx(-float(distribution.log_prob(targets).mean()), rel=1e-5)


@given(lengths=several, seed=st.integers(0, 99))
def test_a_smoothed_copy_says_where_notes_begin(lengths, seed):
    """The nats of a model with onsets would be compared with those of a baseline of other events."""
    rolls = [repeated(length, seed + index) for index, length in enumerate(lengths)]
    windows = SlidingWindows(rolls, input_frames=INPUT, target_frames=4, hop=4, layout=FrameLayout.of(rolls[0]))
    result = evaluate(lstm(layout=windows.layout), windows)
    for kind in ("copy_last", "copy_input"):
        counts: dict[Any, int] = {}
        for window in range(len(windows)):
            frames = torch.cat(windows[window]).numpy()
            for step, frame in enumerate(frames[INPUT:]):
                source = frames[INPUT + step - 1] if kind == "copy_last" else frames[INPUT - 1]
                for pitch in range(4):
                    place = (0 if kind == "copy_last" else step, source[pitch])
                    state = frame[pitch] + frame[4 + pitch]
                    counts[place, state] = counts.get((place, state), 0) + 1
        nats = 0.0
        for (place, _), count in counts.items():
            of_place = sum(other for (same, _), other in counts.items() if same == place)
            nats -= count * math.log(count / of_place)
        assert getattr(result, kind).all.nats == pytest.approx(nats / result.num_frames, rel=1e-5, abs=1e-9)


def test_velocities_count_in_no_score():
    """A model of velocities would seem to know less of the notes than the same model without."""
    roll = repeated(20, 0).with_velocity(80)
    layout = FrameLayout.of(roll, velocity=True)
    windows = SlidingWindows([roll], input_frames=INPUT, target_frames=4, hop=4, layout=layout)
    torch.manual_seed(0)
    model = Seq2SeqLSTM(layout, hidden_size=5, head=VelocityHead).eval()
    inputs, targets = windows.batch(range(len(windows)))
    with torch.no_grad():
        notes, velocities = model(inputs, targets).log_prob_parts(targets)
    result = evaluate(model, windows)
    assert result.model.all.nats == pytest.approx(-float(notes.mean()), rel=1e-5)
    assert float(velocities.sum()) < 0


def test_windows_with_onsets_need_a_model_with_onsets():
    roll = music(20, 0)
    both = FrameLayout.of(roll, onsets=True)
    windows = SlidingWindows([roll], input_frames=INPUT, target_frames=4, hop=1, layout=both)
    with pytest.raises(ShapeError, match="planes"):
        evaluate(lstm(layout=FrameLayout.of(roll, onsets=False)), windows)
    assert evaluate(lstm(layout=both), windows).num_frames == 16


def test_conditions_that_a_model_computes() -> None:
    """A model that knows where in the bar it is cannot be evaluated on windows without conditions."""
    roll, source = music(40, 0), MetricPosition()
    layout = FrameLayout.of(roll, onsets=False)
    model = FillingLSTM(layout, hidden_size=8, encoder_size=4, head=BernoulliHead, condition_source=source)
    windows = SlidingWindows([roll], input_frames=INPUT, target_frames=4, hop=1, layout=layout)
    expected = evaluate(model, windows.with_conditions(source))
    assert evaluate(model, windows) == expected
    assert evaluate(model, windows.with_conditions(np.zeros((1, source.size)))) != expected


def test_velocities_have_scores_of_their_own() -> None:
    """The scores of the velocities are those of other notes or parts, or are lost in a file."""
    roll = PianoRoll.stack({"high": repeated(24, 0).with_velocity(80), "low": repeated(24, 1).with_velocity(50)})
    layout = FrameLayout.of(roll, velocity=True)
    windows = SlidingWindows([roll], input_frames=INPUT, target_frames=4, hop=4, layout=layout)
    torch.manual_seed(0)
    model = Seq2SeqLSTM(layout, hidden_size=5).eval()
    scored = evaluate(model, windows, batch_size=2)
    inputs, targets = windows.batch(range(len(windows)))
    with torch.no_grad():
        predicted = model(inputs, targets).predictions(targets)
    for name, start in (("high", 0), ("low", 4)):
        of_part = (predicted.columns >= start) & (predicted.columns < start + 4)
        scores = scored.velocities[name]
        assert scores.num_notes == int(of_part.sum())
        assert scores.nats == pytest.approx(float(predicted.nats[of_part].mean()))
        assert scores.mean_absolute_error == pytest.approx(float(predicted.errors[of_part].double().mean()))
        assert f"velocities of {name}: {scores.nats:.3f} nats per note" in str(scored)
    assert Evaluation.from_json(json.loads(json.dumps(scored.to_json()))) == scored
    flat = FrameLayout.of(roll, onsets=True)
    without = evaluate(
        lstm(layout=flat), SlidingWindows([roll], input_frames=INPUT, target_frames=4, hop=4, layout=flat)
    )
    assert without.velocities == {}
