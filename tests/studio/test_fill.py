"""What a model writes into the page's piece: with the notes that stay, the takes are what ``fill`` gives."""

import json
import random
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pianoroll_seq2seq.given import Given
from pianoroll_seq2seq.grid import BeatGrid, SecondsGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.filling_lstm import FillingLSTM
from pianoroll_seq2seq.models.heads.bernoulli import Bernoulli
from pianoroll_seq2seq.models.heads.notes import NotesHead
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.pretrained.opening import open_model
from pianoroll_seq2seq.pretrained.trained_model import TrainedModel
from pianoroll_seq2seq.sampling import fill, harmonize
from pianoroll_seq2seq.serving.errors import RequestError
from pianoroll_seq2seq.studio.fill_request import FillRequest, parse_fill_request
from pianoroll_seq2seq.studio.limits import StudioLimits
from pianoroll_seq2seq.studio.page import page_html
from pianoroll_seq2seq.studio.rolls import CONTEXT_BEATS_BEFORE
from pianoroll_seq2seq.studio.take_stream import stream_takes

pytestmark = pytest.mark.usefixtures("one_thread")

DUET = (Part("melody", pitches=PitchRange(60, 71)), Part("bass", pitches=PitchRange(40, 59)))
NOTES = ("active", "onset")
Key = tuple[int, int, float, float, int]
"""A note: part, pitch, start, end, velocity."""


def filling_model(name: str, layout: FrameLayout, **settings: Any) -> TrainedModel:
    """A small model that fills, writes many notes, and depends on what it reads."""
    torch.manual_seed(1)
    model = FillingLSTM(layout, hidden_size=8, encoder_size=4, num_copy_heads=0, **settings)
    return TrainedModel(model.eval(), layout, name=name)


def continuing_model(name: str, layout: FrameLayout, **settings: Any) -> TrainedModel:
    torch.manual_seed(1)
    return TrainedModel(Seq2SeqLSTM(layout, hidden_size=8, **settings).eval(), layout, name=name)


class Holding(nn.Module):
    """Repeats the last frame."""

    def forward(self, inputs: Tensor, targets: Tensor) -> Bernoulli:
        return Bernoulli(targets * 200 - 100)

    def start(self, primer: Tensor) -> tuple[Bernoulli, None]:
        return self.advance(primer[:, -1], None)

    def advance(self, frame: Tensor, state: None) -> tuple[Bernoulli, None]:
        return Bernoulli(frame * 200 - 100), None


ONE = PitchRange(48, 71)
MODELS = {
    trained.name: trained
    for trained in (
        open_model("bach-chorales"),
        filling_model("duet", FrameLayout(BeatGrid(4), planes=NOTES, parts=DUET)),
        filling_model("expressive", FrameLayout(BeatGrid(2), planes=(*NOTES, "velocity"), parts=DUET)),
        filling_model("slow", FrameLayout(BeatGrid(1), planes=NOTES, parts=DUET)),
        filling_model("piano", FrameLayout(BeatGrid(2), ONE, planes=NOTES), head=NotesHead),
        TrainedModel(Holding(), FrameLayout(BeatGrid(2), ONE, planes=("active",)), name="holding"),
        continuing_model("continuing", FrameLayout(BeatGrid(4), ONE, planes=NOTES)),
        continuing_model("in seconds", FrameLayout(SecondsGrid(0.1), ONE, planes=("active",))),
        continuing_model("scales", FrameLayout(BeatGrid(2), ONE, planes=("active",)), condition_size=12),
        continuing_model(
            "kit",
            FrameLayout(BeatGrid(2), planes=("active",), parts=(Part("kit", drums=True, pitches=PitchRange(35, 59)),)),
        ),
        continuing_model("strange", FrameLayout(BeatGrid(2), ONE, planes=("active",)), condition_size=5),
    )
}
LIMITS = StudioLimits()


def piece_of(
    notes: list[dict[str, Any]], names: tuple[str, ...] = ("melody", "bass"), **changes: Any
) -> dict[str, Any]:
    """A piece of the page."""
    parts = [{"name": name, "program": 52, "is_drums": name == "kit"} for name in names]
    return {
        "beats_per_minute": 90,
        "beats_per_bar": 4,
        "beats": 16,
        "parts": parts,
        "notes": notes,
    } | changes


def note(part: int, pitch: int, start: float, length: float = 1.0, velocity: int = 64) -> dict[str, Any]:
    return {"part": part, "pitch": pitch, "start": start, "length": length, "velocity": velocity}


def melody(pitches: list[int], *, part: int = 0, length: float = 1.0) -> list[dict[str, Any]]:
    return [note(part, pitch, index * length, length, 50 + index) for index, pitch in enumerate(pitches)]


def random_notes(seed: int, *, beats: int = 12) -> list[dict[str, Any]]:
    """Notes of a melody and a bass on the lines of two frames a beat, one at a time, which may cross bar lines."""
    choice, notes = random.Random(seed), []
    for part, pitches in enumerate((range(60, 72), range(48, 60))):
        beat = choice.choice([0.0, 0.5, 1.0])
        while beat < beats - 1:
            length = choice.choice([0.5, 1.0, 1.5, 3.0])
            notes.append(note(part, choice.choice(pitches), beat, length, choice.randrange(1, 128)))
            beat += length + choice.choice([0.0, 0.0, 0.5, 2.0])
    return notes


def parsed(request: dict[str, Any], limits: StudioLimits = LIMITS) -> FillRequest:
    return parse_fill_request(json.dumps(request).encode(), MODELS, limits)


def streamed(request: FillRequest) -> list[list[dict[str, Any]]]:
    """The notes of each take, after checks of what a player relies on."""
    opening, *lines = list(stream_takes(request))
    assert opening["begin"] == request.region.begin
    assert opening["parts"] == list(request.region.parts)
    takes: list[list[dict[str, Any]]] = [[] for _ in range(opening["takes"])]
    until = [opening["begin"]] * len(takes)
    assert lines[-len(takes) :] == [{"take": index, "done": True} for index in range(len(takes))]
    for line in lines[: -len(takes)]:
        assert "error" not in line, line
        take = line["take"]
        assert line["until"] >= until[take]
        assert all(one["start"] >= until[take] for one in line["notes"] if one["start"] >= opening["begin"])
        until[take] = line["until"]
        takes[take] += line["notes"]
    for notes in takes:
        notes.sort(key=key)
    assert until == [opening["end"]] * len(takes)
    return takes


def key(note: dict[str, Any], *, part: int | None = None) -> Key:
    start, end = note["start"], note["start"] + note["length"]
    return (note["part"] if part is None else part, note["pitch"], round(start, 3), round(end, 3), note["velocity"])


def as_the_page_has_it(request: FillRequest, piece: dict[str, Any], take: list[dict[str, Any]]) -> list[Key]:
    """The page's piece with a take: what is in the region goes out, and a note that goes on replaces its beginning."""
    region, merged = request.region, len(request.trained.parts) == 1
    longer = {(one["part"], one["pitch"], one["start"]) for one in take}
    kept = [
        one
        for one in piece["notes"]
        if request.placed[one["part"]] is not None
        and not (
            one["part"] in region.parts and region.begin <= one["start"] and one["start"] + one["length"] <= region.end
        )
        and (one["part"], one["pitch"], one["start"]) not in longer
    ]
    return sorted(key(one, part=0 if merged else request.placed[one["part"]]) for one in [*kept, *take])


def as_fill_has_it(request: FillRequest) -> list[list[Key]]:
    """The takes of the library, as notes of the page."""
    rolls = fill(
        request.trained.model,
        [request.section.roll] * len(request.given),
        request.given,
        sampler=request.sampler,
        seed=request.seed,
        condition=request.condition,
        ends=request.ends,
        layout=request.trained.layout,
    )
    beats = request.section.beats()
    takes = []
    for roll, given in zip(rolls, request.given, strict=True):
        notes = roll.notes()
        assert notes.velocity is not None
        assert roll.velocity is not None
        known = roll.velocity[np.repeat(given.mask(roll), [len(part.pitches) for part in roll.parts], axis=1)]
        typical = round(float(np.median(known[known > 0]))) if known.any() else 100
        velocity = np.where(
            notes.velocity > 0, notes.velocity, typical
        )  # of what is left of a note whose start is gone
        columns = (notes.part, notes.pitch, beats[notes.onset_frame], beats[notes.end_frame], velocity)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        takes.append(
            sorted((part, pitch, round(start, 3), round(end, 3), level) for part, pitch, start, end, level in rows)
        )
    return takes


VOICES = ("soprano", "alto", "tenor", "bass")
TUNE = melody([72, 74, 76, 74])
SILENCE: list[dict[str, Any]] = []
CASES = {
    "harmonize": ("bach-chorales", piece_of(TUNE, VOICES), {"task": "harmonize", "takes": 2}),
    "fill a bar": ("bach-chorales", piece_of(TUNE, VOICES), {"task": "fill", "bars": [1, 1]}),
    "continue": ("bach-chorales", piece_of(TUNE, VOICES), {"task": "continue", "beats": 3, "takes": 2}),
    "silence": ("bach-chorales", piece_of(SILENCE, VOICES, beats=4), {"task": "fill"}),
    "merged": (
        "continuing",
        piece_of([*melody([60, 62, 64, 62]), note(1, 65, 0, 4.5)], ("oboe", "viola")),
        {"task": "continue", "beats": 4},
    ),
    "merged silence": ("continuing", piece_of(SILENCE), {"task": "continue", "beats": 6, "takes": 3}),
    "piano": ("piano", piece_of(random_notes(1)), {"task": "fill", "bars": [2, 3], "takes": 2}),
    "seconds": ("in seconds", piece_of(random_notes(2), beats_per_minute=100), {"task": "continue", "beats": 5}),
    "scale": ("scales", piece_of(random_notes(3)), {"task": "continue", "beats": 5, "scale": [0, 4, 7]}),
    "waltz": ("duet", piece_of(random_notes(4), beats_per_bar=3), {"task": "fill", "bars": [2, 2]}),
    "eighths": ("duet", piece_of(random_notes(5), beats_per_bar=3.5), {"task": "fill", "bars": [2, 3]}),
    **{
        f"{task} {model} {seed}": (model, piece_of(random_notes(seed)), {"task": task, "takes": 2, **more})
        for seed, model in ((0, "duet"), (1, "duet"), (1, "expressive"))
        for task, more in (
            ("continue", {"beats": 4}),
            ("fill", {"bars": [2, 3], "parts": [seed % 2]}),
            ("harmonize", {"parts": [seed % 2]}),
            ("vary", {"bars": [1, 2], "strength": 0.4}),
        )
    },
}


@pytest.mark.parametrize("case", CASES)
def test_a_take_and_the_notes_that_stay_are_the_filled_piece(case: str) -> None:
    """The page shows, plays and saves other music than the model wrote."""
    model, piece, settings = CASES[case]
    request = parsed({"model": model, "piece": piece, "seed": 7, "temperature": 1.3} | settings)
    takes = streamed(request)
    expected = as_fill_has_it(request)
    assert any(takes)
    for take, whole in zip(takes, expected, strict=True):
        assert as_the_page_has_it(request, piece, take) == whole


@pytest.mark.parametrize("case", ["harmonize duet 0", "fill duet 1", "vary expressive 1"])
def test_what_is_outside_stays_and_takes_differ(case: str) -> None:
    """The other parts and bars are written again, or all takes are one."""
    model, piece, settings = CASES[case]
    first, second = streamed(parsed({"model": model, "piece": piece} | settings))
    assert first != second
    again = streamed(parsed({"model": model, "piece": piece} | settings))
    assert again == [first, second]
    assert streamed(parsed({"model": model, "piece": piece, "seed": 1} | settings))[0] != first


def test_harmonizing_is_what_the_library_does() -> None:
    """The page harmonizes another melody than the one that was drawn."""
    trained = MODELS["bach-chorales"]
    request = {"model": "bach-chorales", "piece": piece_of(TUNE, VOICES, beats=8), "task": "harmonize"}
    (take,) = streamed(parsed(request))
    roll = parsed(request).section.roll
    assert len(roll) == 16
    made = harmonize(trained.model, roll["soprano"], part="soprano", layout=trained.layout)  # type: ignore[arg-type]
    notes = made.notes()
    rows = zip(notes.part, notes.pitch, notes.onset_frame / 4, notes.end_frame / 4, strict=True)
    expected = sorted((int(p), int(q), float(s), float(e)) for p, q, s, e in rows if p)
    assert sorted((*key(one)[:4],) for one in take) == expected


def test_a_variation_keeps_the_notes_of_the_page_exactly() -> None:
    """Varying moves notes that were played by hand to the grid."""
    notes = [note(0, 60 + index, index + 0.03, 0.9, 33 + index) for index in range(12)]
    request = {"model": "duet", "piece": piece_of(notes), "task": "vary", "parts": [0], "strength": 0.4}
    (take,) = streamed(parsed(request))
    kept = [one for one in take if one in notes]
    assert 2 < len(kept) < 12


def test_a_very_short_note_that_is_kept_has_a_length() -> None:
    """The page refuses the answer to a piece with a note that is shorter than what the answer rounds to."""
    notes = [note(0, 60 + index, index + 0.25, 1e-9) for index in range(12)]
    request = {"model": "duet", "piece": piece_of(notes), "task": "vary", "parts": [0], "strength": 0.01}
    (take,) = streamed(parsed(request))
    assert len(take) >= 12
    assert all(one["length"] > 0 for one in take)


def test_a_note_that_the_model_holds_on_begins_when_the_page_says() -> None:
    """The last note of a melody is struck again, or moved, where the continuation begins."""
    notes = [note(0, 60 + index, index + 0.03, 0.96, 33 + index) for index in range(4)]
    request = parsed({"model": "holding", "piece": piece_of(notes), "task": "continue", "beats": 4})
    (take,) = streamed(request)
    assert take == [note(0, 63, 3.03, 4.97, 36)]


def test_a_long_piece_is_read_around_the_bars() -> None:
    """The first note of a bar late in a long piece comes after the model has read the whole."""
    notes = [note(0, 60 + index % 12, float(index)) for index in range(600)]
    piece = piece_of(notes, beats=600)
    request = parsed({"model": "slow", "piece": piece, "task": "fill", "bars": [140, 141]})
    assert CONTEXT_BEATS_BEFORE <= request.section.begin < CONTEXT_BEATS_BEFORE + 4
    assert request.section.beats()[request.section.begin] == 139 * 4
    assert len(request.section.roll) < 300
    (take,) = streamed(request)
    (whole,) = as_fill_has_it(request)
    first = request.section.beats()[0]
    page = [one for one in as_the_page_has_it(request, piece, take) if first <= one[2] < whole[-1][3] + 999]
    last = request.section.beats()[-1]
    assert [one for one in page if one[3] <= last] == [one for one in whole if one[3] <= last]


def test_parts_are_found_by_their_names() -> None:
    """The melody of a piece whose parts are in another order is harmonized as a bass."""
    request = parsed({"model": "duet", "piece": piece_of([note(1, 65, 0)], ("BASS", "Melody")), "task": "harmonize"})
    assert request.placed == (1, 0)
    (take,) = streamed(request)
    assert {one["part"] for one in take} == {0}
    other = parsed({"model": "duet", "piece": piece_of([note(1, 50, 0)], ("Melody", "left")), "task": "harmonize"})
    assert other.placed == (0, 1)


def test_a_model_of_one_part_writes_into_the_chosen_one() -> None:
    """Its notes appear in a part that is not selected, or it reads the drums."""
    piece = piece_of([note(0, 62, 0), note(1, 36, 0, 9.0), note(2, 60, 1)], ("lead", "kit", "pad"))
    request = parsed({"model": "continuing", "piece": piece, "task": "continue", "beats": 4, "parts": [2]})
    assert request.region.begin == 2.0
    (take,) = streamed(request)
    assert {one["part"] for one in take} == {2}


def test_a_model_of_drums_writes_into_the_drums() -> None:
    """It gets the melody instead of the drums, or its part is not found."""
    piece = piece_of([note(0, 62, 0, 9.0), note(1, 36, 0)], ("lead", "kit"))
    request = parsed({"model": "kit", "piece": piece, "task": "continue", "beats": 4})
    assert (request.region.parts, request.region.begin) == ((1,), 1.0)
    (take,) = streamed(request)
    assert {one["part"] for one in take} <= {1}


def request_of(**changes: Any) -> dict[str, Any]:
    request = {"model": "duet", "piece": piece_of(random_notes(1)), "task": "fill", "bars": [2, 2]} | changes
    return {name: value for name, value in request.items() if value is not ...}


CONTINUING = {"model": "continuing", "task": "continue", "bars": None}
DUO = piece_of(random_notes(1))


def changed(**changes: Any) -> dict[str, Any]:
    """The piece with changes."""
    return DUO | changes


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"model": "none"}, 422, '"none" is not open'),
        ({"model": ...}, 400, "missing"),
        ({"model": ["duet"]}, 422, "is not open"),
        ({"task": "sing"}, 422, "one of continue, fill, harmonize, vary"),
        ({"task": ["fill"]}, 422, "one of continue"),
        ({"root": 3}, 400, "unknown field"),
        ({"model": "continuing"}, 422, "only continues music"),
        ({"model": "piano", "task": "harmonize"}, 422, "writes one part"),
        ({"model": "strange", "task": "continue", "bars": None}, 422, "conditions that the studio does not have"),
        ({"model": "scales", "task": "continue", "bars": None}, 422, "needs a scale"),
        ({"model": "bach-chorales"}, 422, "writes 4 parts, soprano, alto, tenor, bass, and the piece has 2. Add parts"),
        ({"piece": piece_of([], ("a", "b", "c"))}, 422, "the piece has 3. Remove parts"),
        (CONTINUING | {"piece": piece_of([], ("kit",))}, 422, "no drums"),
        (CONTINUING | {"model": "kit", "piece": piece_of([], ("lead",))}, 422, "only drums"),
        ({"bars": None}, 422, "select the bars or the parts"),
        ({"bars": [2]}, 400, "the first and the last bar"),
        ({"bars": [2, 5]}, 422, "which has 4"),
        ({"bars": [3, 2]}, 422, "the first one comes first"),
        ({"bars": [0, 2]}, 422, "at least 1"),
        ({"bars": [1.5, 2]}, 400, "must be an integer"),
        ({"bars": [1, 10**300]}, 422, "not bars of the piece"),
        ({"task": "continue"}, 422, "Leave the bars out"),
        ({"beats": 4}, 422, "for continuing only"),
        ({"task": "continue", "bars": None, "beats": 0}, 422, "at least 1"),
        ({"task": "continue", "bars": None, "beats": 1e6}, 413, "the limit is 900"),
        ({"parts": []}, 400, "a list of the parts"),
        ({"parts": [2]}, 422, "in 0..1"),
        ({"parts": "bass"}, 400, "a list of the parts"),
        (CONTINUING | {"piece": piece_of([], ("a", "kit")), "parts": [1]}, 422, "does not write 'kit'"),
        ({"task": "harmonize"}, 422, "all parts have notes"),
        ({"task": "harmonize", "parts": [0, 1]}, 422, "no melody to harmonize"),
        ({"task": "harmonize", "piece": piece_of([])}, 422, "no melody to harmonize"),
        ({"task": "vary", "piece": piece_of([])}, 422, "no notes to vary"),
        ({"task": "vary", "strength": 0}, 422, "above 0"),
        ({"task": "vary", "strength": 1e-300}, 422, "above 0"),
        ({"task": "vary", "strength": 1.1}, 422, "in 0..1"),
        ({"strength": 0.5}, 422, "for variations only"),
        ({"takes": 0}, 422, "in 1..4"),
        ({"takes": 5}, 422, "in 1..4"),
        ({"takes": True}, 400, "must be an integer"),
        ({"temperature": 0}, 422, "in 0.05..5"),
        ({"temperature": None}, 400, "must be a number"),
        ({"scale": [12]}, 422, "0 (C) to 11 (B)"),
        ({"scale": []}, 400, "pitch classes"),
        ({"seed": -1}, 422, "seed"),
        ({"seed": 2**63}, 422, "seed"),
        ({"piece": None}, 400, "must be a JSON object"),
        ({"piece": changed(beats_per_minute=1)}, 422, "piece.beats_per_minute"),
        ({"piece": changed(beats_per_bar=0)}, 422, "piece.beats_per_bar"),
        ({"piece": changed(beats_per_bar=3.3)}, 422, "half beats"),
        ({"piece": changed(beats=1e9)}, 422, "piece.beats"),
        ({"piece": changed(beats="16")}, 400, "must be a number"),
        ({"piece": changed(parts=[])}, 400, "1 to 32 parts"),
        ({"piece": changed(parts=[{"name": "x" * 81}])}, 400, "at most 80 letters"),
        ({"piece": changed(parts=[{"name": 3}, {"name": "b"}])}, 400, "piece.parts[0].name"),
        ({"piece": changed(parts=[{"name": "a", "program": 128}])}, 422, "piece.parts[0].program"),
        ({"piece": changed(parts=[{"name": "a", "is_drums": 1}])}, 400, "true or false"),
        ({"piece": changed(notes={})}, 400, "a list of notes"),
        ({"piece": changed(notes=[note(2, 60, 0)])}, 422, "piece.notes[0].part"),
        ({"piece": changed(notes=[note(0, 128, 0)])}, 422, "piece.notes[0].pitch"),
        ({"piece": changed(notes=[note(0, 60, -1)])}, 422, "piece.notes[0].start"),
        ({"piece": changed(notes=[note(0, 60, 0, 0)])}, 422, "piece.notes[0].length"),
        ({"piece": changed(notes=[note(0, 60, 0, 1, 0)])}, 422, "piece.notes[0].velocity"),
        ({"piece": changed(notes=[{"pitch": 60}])}, 400, "missing"),
        ({"piece": changed(notes=[note(0, 90, 9.5)])}, 422, "melody: F#6 in bar 3 is outside of the range of duet, C4"),
        ({"piece": changed(notes=[note(0, 60, 9, 2), note(0, 62, 10, 2)])}, 422, "melody: several notes at once"),
    ],
)
def test_invalid_requests_are_refused_in_the_terms_of_the_page(
    changes: dict[str, Any], status: int, words: str
) -> None:
    """A request that cannot be answered fails in the model, or with a message about frames and layouts."""
    with pytest.raises(RequestError) as caught:
        parsed(request_of(**changes))
    assert caught.value.status == status
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_notes_that_are_not_read_may_be_anything() -> None:
    """A chord or a note out of range cannot be replaced by asking for these bars."""
    notes = [note(0, 99, 4.0), note(0, 60, 5.0), note(0, 62, 5.0), note(1, 50, 0)]
    (take,) = streamed(parsed(request_of(piece=piece_of(notes))))
    assert all(one["pitch"] < 72 for one in take)


def test_much_music_at_once_is_refused() -> None:
    """A short request holds a core for an hour."""
    piece = piece_of([note(1, 50, 0, 1)], beats=900)
    request = {"model": "duet", "piece": piece, "task": "fill", "bars": [1, 225], "takes": 4}
    with pytest.raises(RequestError, match="Ask for fewer bars or takes") as caught:
        parsed(request)
    assert caught.value.status == 413
    few = [note(0, 60, float(index)) for index in range(4)]
    with pytest.raises(RequestError, match="the limit is 3") as caught:
        parsed(request_of(piece=piece_of(few)), StudioLimits(request=small_limits(max_primer_notes=3)))
    assert caught.value.status == 413


def small_limits(**bounds: int) -> Any:
    from pianoroll_seq2seq.serving.limits import RequestLimits

    return RequestLimits(**bounds)


def test_a_model_that_fails_ends_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page waits for ever."""
    request = parsed(request_of())

    def broken(*_: Any, **__: Any) -> Iterator[np.ndarray]:
        yield np.zeros((1, request.trained.layout.frame_size), dtype=bool)
        raise RuntimeError("broken\n  on purpose")

    monkeypatch.setattr("pianoroll_seq2seq.studio.take_stream.fill_frames", broken)
    *_, last = stream_takes(request)
    assert last == {"error": {"message": "The model failed: broken on purpose"}}


def test_the_roll_is_the_piece() -> None:
    """The model reads other notes, or another tempo or metre, than the page shows."""
    piece = piece_of(random_notes(6), beats_per_minute=120, beats_per_bar=3)
    request = parsed({"model": "duet", "piece": piece, "task": "harmonize", "parts": [1], "bars": [2, 2]})
    roll = request.section.roll
    assert isinstance(roll, PianoRoll)
    assert len(roll) % 12 == 0
    assert roll.bar_frames()[:3].tolist() == [0, 12, 24]
    assert roll.tempo.us_per_beat_at(0) == 500_000
    notes = roll["melody"].notes()
    assert notes.velocity is not None
    rows = zip(notes.pitch, notes.onset_frame / 4, notes.end_frame / 4, notes.velocity, strict=True)
    expected = [key(one)[1:] for one in piece["notes"] if one["part"] == 0]
    assert sorted((int(a), float(b), float(c), int(d)) for a, b, c, d in rows) == sorted(expected)
    mask = request.given[0].mask(roll)
    assert (mask == (Given.parts("melody") | ~Given.bars(2)).mask(roll)).mean() > 0.9


def test_temperature_and_scale_reach_the_sampler() -> None:
    """A slider of the page does nothing."""
    piece = piece_of(melody([60, 64, 67, 64]), ("lead",))
    request = {"model": "continuing", "piece": piece, "task": "continue", "beats": 4}
    (plain,) = streamed(parsed(request))
    (cold,) = streamed(parsed(request | {"temperature": 0.1}))
    assert cold != plain
    (kept,) = streamed(parsed(request | {"scale": [0, 4, 7]}))
    assert kept
    assert {one["pitch"] % 12 for one in kept} <= {0, 4, 7}
    assert not {one["pitch"] % 12 for one in plain} <= {0, 4, 7}


def test_the_page_knows_what_each_model_can_do() -> None:
    """A button asks for what the model cannot do, or the roll offers notes that it cannot write."""
    page = page_html(MODELS.values(), LIMITS)
    (found,) = re.findall(r'<script[^>]*id="settings"[^>]*>(.*?)</script>', page, re.DOTALL)
    settings = json.loads(found)
    models = {model["name"]: model for model in settings["models"]}
    assert [part["name"] for part in models["bach-chorales"]["parts"]] == list(VOICES)
    assert models["bach-chorales"]["parts"][3] == {
        "name": "bass",
        "program": 0,
        "is_drums": False,
        "lowest": 34,
        "highest": 66,
    }
    assert models["continuing"]["parts"] is None
    assert models["bach-chorales"]["frames_per_beat"] == 4
    assert models["in seconds"]["frames_per_beat"] is None
    assert [name for name, model in models.items() if model["conditional"]] == ["scales"]
    assert [name for name, model in models.items() if model["is_drums"]] == ["kit"]
    for name, model in models.items():
        assert list(model["tasks"]) == ["continue", "fill", "harmonize", "vary"]
        for task, problem in model["tasks"].items():
            request = {
                "model": name,
                "piece": piece_of([], ("kit",) if name == "kit" else ("a", "b")),
                "task": task,
                "scale": [0],
            }
            if problem is not None:
                with pytest.raises(RequestError, match=re.escape(problem)):
                    parsed(request)
    assert set(models["bach-chorales"]["tasks"].values()) == {None}
    assert models["piano"]["tasks"] | {"harmonize": None} == models["bach-chorales"]["tasks"]
    assert settings["max_file_bytes"] == LIMITS.request.max_midi_bytes
    for installed in ("scores", "samples"):
        assert settings[installed] is None or "pip install" in settings[installed]
