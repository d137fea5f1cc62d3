"""A trained model that answers requests."""

import base64
import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq.errors import CheckpointError, CheckpointNotFoundError, SettingsError, ShapeError
from pianoroll_seq2seq.grid import BeatGrid, FrameGrid, SecondsGrid
from pianoroll_seq2seq.midi_io import to_midi_bytes
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.sampling import Draw, Sampler, Threshold, generate
from pianoroll_seq2seq.serving import RequestError, RequestLimits, Service, load_service
from pianoroll_seq2seq.tempo import TempoMap
from pianoroll_seq2seq.train import fit
from pianoroll_seq2seq.windowing import SlidingWindows

PITCHES = PitchRange(55, 72)
LIMITS = RequestLimits(
    request_bytes=20_000, midi_bytes=2_000, primer_notes=20, primer_frames=64, frames=128, lowest_temperature=0.5
)
NOTES = [
    {"pitch": 60, "start_beat": 0, "duration_beats": 1},
    {"pitch": 64, "start_beat": 1, "duration_beats": 0.5},
    {"pitch": 67, "start_beat": 1.5, "duration_beats": 2.5},
]


def windows(grid: FrameGrid) -> SlidingWindows:
    active = np.random.default_rng(0).random((60, len(PITCHES))) < 0.2
    roll = PianoRoll.from_active(active, grid=grid, pitches=PITCHES)
    return SlidingWindows([roll], input_frames=8, target_frames=4, hop=2)


def trained(folder: Path, grid: FrameGrid) -> Path:
    """A checkpoint as ``fit`` leaves it, of a model that plays."""
    torch.manual_seed(0)
    model = Seq2SeqLSTM(len(PITCHES), hidden=8, dropout=0.5)
    fit(model, windows(grid), epochs=2, batch_size=8, checkpoint_dir=folder, progress=False)
    return folder / "best.safetensors"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("run"), BeatGrid(4))


@pytest.fixture(scope="module")
def service(path: Path) -> Service:
    return load_service(path, limits=LIMITS)


@pytest.fixture(scope="module")
def in_seconds(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return load_service(trained(tmp_path_factory.mktemp("seconds"), SecondsGrid(0.02)), limits=LIMITS)


def base64_of(roll: PianoRoll) -> str:
    return base64.b64encode(to_midi_bytes(roll.to_score())).decode()


def primer(frames: int = 16, *, tempo: TempoMap | None = None, grid: FrameGrid = BeatGrid(4)) -> PianoRoll:
    active = np.random.default_rng(1).random((frames, len(PITCHES))) < 0.2
    active[-1, 3] = True  # so that a file of it has all frames
    return PianoRoll.from_active(active, grid=grid, pitches=PITCHES, tempo=tempo)


def asked(**changes: Any) -> dict[str, Any]:
    """A good request, but for the changes; one that is ... is left out."""
    request = {"primer_notes": NOTES, "frames": 32} | changes
    return {name: value for name, value in request.items() if value is not ...}


@pytest.mark.parametrize(
    ("sampler", "expected"),
    [
        (None, Draw()),
        ({"kind": "draw"}, Draw()),
        ({"kind": "draw", "temperature": 0.7}, Draw(0.7)),
        ({"kind": "draw", "temperature": 2}, Draw(2.0)),
        ({"kind": "threshold", "threshold": 0.2}, Threshold(0.2)),
        ({"kind": "threshold", "threshold": 1}, Threshold(1.0)),
    ],
)
@pytest.mark.parametrize("seed", [None, 7])
def test_answers_with_what_the_model_goes_on_with(
    service: Service, sampler: dict[str, Any] | None, expected: Sampler, seed: int | None
) -> None:
    """What is served is not what the model was trained to play."""
    heard = primer(tempo=TempoMap.from_bpm(90))
    request = {"primer_midi": base64_of(heard), "frames": 40}
    request |= {} if sampler is None else {"sampler": sampler}
    request |= {} if seed is None else {"seed": seed}
    answer = service.answer(request)
    music = generate(service.model, heard, frames=40, sampler=expected, seed=seed or 0)
    assert answer.keys() == {"midi", "notes", "frames", "seed"}
    assert (answer["frames"], answer["seed"]) == (40, seed or 0)
    assert base64.b64decode(answer["midi"]) == to_midi_bytes(music.to_score())
    assert len(answer["notes"]) == len(music.notes()[0])
    json.dumps(answer, allow_nan=False)


def test_notes_and_a_midi_file_of_them_get_one_answer(service: Service) -> None:
    active = np.zeros((16, len(PITCHES)), dtype=bool)
    active[0:4, 5] = active[4:6, 9] = active[6:16, 12] = True
    heard = PianoRoll.from_active(active, pitches=PITCHES)
    by_notes = service.answer(asked(seed=3))
    by_midi = service.answer(asked(primer_notes=..., primer_midi=base64_of(heard), seed=3))
    assert by_notes["notes"] == by_midi["notes"]
    assert len(by_notes["notes"]) > 5
    read = [
        PianoRoll.from_midi(base64.b64decode(answer["midi"]), pitches=PITCHES).active for answer in (by_notes, by_midi)
    ]
    np.testing.assert_array_equal(*read)


@pytest.mark.parametrize("frames_per_beat", [1, 3, 4, 7, 480, 1000])
def test_an_answers_notes_are_a_request_again(path: Path, frames_per_beat: int) -> None:
    """Beats are counted in two ways, and a conversation drifts."""
    service = Service(checkpoint.load(path), grid=BeatGrid(frames_per_beat), pitches=PITCHES)
    first = service.answer({"primer_notes": [{"pitch": 60, "start_beat": 0, "duration_beats": 1}], "frames": 50})
    notes = first["notes"]
    starts = [note["start_beat"] for note in notes]
    assert starts == sorted(starts)
    assert max(note["start_beat"] + note["duration_beats"] for note in notes) <= 50 / frames_per_beat + 1e-9
    assert all(note["duration_beats"] > 0 for note in notes)
    again = service.answer({"primer_notes": notes, "frames": 10})
    heard = PianoRoll.from_midi(base64.b64decode(first["midi"]), grid=BeatGrid(frames_per_beat), pitches=PITCHES)
    assert again["notes"] == service.answer({"primer_midi": first["midi"], "frames": 10})["notes"]
    assert len(heard) <= 50


def test_a_grid_of_seconds_counts_in_seconds(in_seconds: Service) -> None:
    note = {"pitch": 60, "start_second": 0.04, "duration_seconds": 0.2}
    answer = in_seconds.answer(asked(primer_notes=[note], seed=1))
    active = np.zeros((12, len(PITCHES)), dtype=bool)
    active[2:12, 5] = True
    heard = PianoRoll.from_active(active, grid=SecondsGrid(0.02), pitches=PITCHES, tempo=TempoMap(10_000))
    music = generate(in_seconds.model, heard, frames=32, seed=1)
    assert base64.b64decode(answer["midi"]) == to_midi_bytes(music.to_score())
    assert all(set(note) == {"pitch", "start_second", "duration_seconds"} for note in answer["notes"])
    assert max(note["start_second"] + note["duration_seconds"] for note in answer["notes"]) <= 32 * 0.02 + 1e-9
    with pytest.raises(RequestError, match="There is duration_seconds, pitch, start_second"):
        in_seconds.answer(asked())


@dataclass(frozen=True)
class Eighths:
    """A grid of somebody's own."""

    def lines_at(self, ticks: np.ndarray, tempo: TempoMap) -> np.ndarray:
        return BeatGrid(2).lines_at(ticks, tempo)

    def ticks_at(self, lines: np.ndarray, tempo: TempoMap) -> np.ndarray:
        return BeatGrid(2).ticks_at(lines, tempo)

    def seconds_at(self, lines: np.ndarray, tempo: TempoMap) -> np.ndarray:
        return BeatGrid(2).seconds_at(lines, tempo)

    def settings(self) -> dict[str, int | float]:
        return {}


def test_another_grid_counts_in_beats(path: Path) -> None:
    own, ours = (
        Service(checkpoint.load(path), grid=grid, pitches=PITCHES).answer(asked()) for grid in (Eighths(), BeatGrid(2))
    )
    assert own["notes"] == ours["notes"]


def test_equal_seeds_give_equal_answers_and_others_others(service: Service) -> None:
    answers = [service.answer(asked(seed=seed)) for seed in (1, 1, 2, 2**63 - 1)]
    assert answers[0] == answers[1]
    assert len({answer["midi"] for answer in answers}) == 3


def test_many_threads_get_what_one_would(service: Service) -> None:
    """Requests at one moment get each other's music, or that of a model in training mode."""
    requests = [asked(seed=seed, frames=20 + seed) for seed in range(24)]
    outside = torch.get_rng_state()
    expected = [service.answer(request) for request in requests]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(service.answer, requests)) == expected
    assert torch.equal(torch.get_rng_state(), outside)


def test_json_is_answered_as_what_it_says(service: Service) -> None:
    text = json.dumps(asked(seed=5))
    assert service.answer_json(text) == service.answer_json(text.encode()) == service.answer(asked(seed=5))


WRONG_JSON: list[tuple[str, str | bytes, int, str]] = [
    ("empty", b"", 400, "not JSON"),
    ("no JSON", "frames=3", 400, "not JSON"),
    ("cut short", '{"frames": 3', 400, "not JSON"),
    ("garbage", bytes(range(256)), 400, "not JSON"),
    ("NaN", '{"frames": NaN}', 400, "NaN is not JSON"),
    ("lone surrogate", '"\ud800"', 400, "must be a JSON object"),
    ("deep", "[" * 19_000, 400, "not JSON"),
    ("many digits", '{"frames": ' + "9" * 10_000 + "}", 400, "not JSON"),
    ("list", "[1, 2]", 400, r"must be a JSON object with frames, .*, got \[1, 2\]"),
    ("null", "null", 400, "must be a JSON object"),
    ("too large", b" " * 20_001, 413, "20001 bytes, and at most 20000"),
    ("too large in UTF-8", "ä" * 10_001, 413, "20002 bytes"),
]


@pytest.mark.parametrize(
    ("raw", "status", "message"), [each[1:] for each in WRONG_JSON], ids=[w[0] for w in WRONG_JSON]
)
def test_what_is_no_request_is_told_so(service: Service, raw: str | bytes, status: int, message: str) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        service.answer_json(raw)
    assert (caught.value.status, caught.value.field) == (status, "request")
    assert caught.value.to_json() == {
        "error": {"status": status, "field": "request", "message": str(caught.value)},
    }
    json.dumps(caught.value.to_json())
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("before", ["", '{"frames": 3, "primer_notes": ', '{"primer_midi": "", "frames": '])
def test_what_is_nested_to_the_limit_is_told_so(service: Service, before: str) -> None:
    """Python reads it, and cannot show it: around that depth the mistake is the server's own."""
    for depth in range(900, 1000):
        with pytest.raises(RequestError) as caught:
            service.answer_json(before + "[" * depth + "]" * depth + ("}" if before else ""))
        assert caught.value.status == 400
        assert len(str(caught.value)) < 400


def note(**changes: Any) -> list[dict[str, Any]]:
    changed = NOTES[0] | changes
    return [NOTES[1], {name: value for name, value in changed.items() if value is not ...}]


def midi(data: bytes) -> str:
    return base64.b64encode(data).decode()


def drums_alone() -> str:
    track = mido.MidiTrack([mido.Message("note_on", channel=9, note=60, time=0)])
    track.append(mido.Message("note_off", channel=9, note=60, time=480))
    file = mido.MidiFile(type=0, tracks=[track])
    file.save(file=(buffer := io.BytesIO()))
    return midi(buffer.getvalue())


LONG = {"pitch": 60, "start_beat": 0, "duration_beats": 16.25}
HIGH = PianoRoll.from_active(np.eye(4, 128, k=90, dtype=bool), pitches=PitchRange(0, 127))
WRONG: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "no primer": (asked(primer_notes=...), 400, "request", "neither was given"),
    "two primers": (asked(primer_midi=""), 400, "request", "both were given"),
    "unknown field": (asked(temperature=1), 400, "request", 'unknown: "temperature". There is frames, primer_midi'),
    "no frames": (asked(frames=...), 400, "frames", "missing"),
    "frames as text": (asked(frames="32"), 400, "frames", 'must be a whole number, got "32"'),
    "frames as a float": (asked(frames=32.0), 400, "frames", "whole number"),
    "frames as a bool": (asked(frames=True), 400, "frames", "whole number, got true"),
    "frames null": (asked(frames=None), 400, "frames", "whole number, got null"),
    "no frame": (asked(frames=0), 422, "frames", "at least 1, got 0"),
    "too many frames": (asked(frames=129), 413, "frames", "129, and at most 128"),
    "seed as text": (asked(seed="a"), 400, "seed", "whole number"),
    "seed below 0": (asked(seed=-1), 422, "seed", "0..9223372036854775807, got -1"),
    "seed too large": (asked(seed=2**63), 422, "seed", "must lie in"),
    "seed far too large": (asked(seed=10**5000), 422, "seed", "very many digits"),
    "sampler as text": (asked(sampler="draw"), 400, "sampler", "must be a JSON object with kind"),
    "sampler without a kind": (asked(sampler={}), 400, "sampler.kind", "missing"),
    "another sampler": (asked(sampler={"kind": "beam"}), 400, "sampler.kind", '"draw" or "threshold", got "beam"'),
    "kind as a list": (asked(sampler={"kind": ["draw"]}), 400, "sampler.kind", "must be"),
    "fields of the other": (asked(sampler={"kind": "draw", "threshold": 1}), 400, "sampler", "unknown"),
    "no threshold": (asked(sampler={"kind": "threshold"}), 400, "sampler.threshold", "missing"),
    "threshold 0": (asked(sampler={"kind": "threshold", "threshold": 0}), 422, "sampler.threshold", "above 0"),
    "threshold above 1": (asked(sampler={"kind": "threshold", "threshold": 1.1}), 422, "sampler.threshold", "at most"),
    "cold": (asked(sampler={"kind": "draw", "temperature": 0.4}), 422, "sampler.temperature", "0.5..10.0, got 0.4"),
    "hot": (asked(sampler={"kind": "draw", "temperature": 1e308}), 422, "sampler.temperature", "must lie in"),
    "temperature as text": (asked(sampler={"kind": "draw", "temperature": "1"}), 400, "sampler.temperature", "number"),
    "infinite temperature": (
        asked(sampler={"kind": "draw", "temperature": float("inf")}), 422, "sampler.temperature", "finite",
    ),
    "integer beyond floats": (
        asked(sampler={"kind": "draw", "temperature": 10**400}), 422, "sampler.temperature", "finite",
    ),
    "notes as an object": (asked(primer_notes={}), 400, "primer_notes", "must be a list"),
    "no notes": (asked(primer_notes=[]), 422, "primer_notes", "something to hear"),
    "too many notes": (asked(primer_notes=NOTES * 7), 413, "primer_notes", "21 notes, and at most 20"),
    "a number as a note": (asked(primer_notes=[60]), 400, "primer_notes[0]", "pitch, start_beat, got 60"),
    "a note in seconds": (asked(primer_notes=note(start_second=1)), 400, "primer_notes[1]", 'unknown: "start_second"'),
    "no pitch": (asked(primer_notes=note(pitch=...)), 400, "primer_notes[1].pitch", "missing"),
    "pitch as a name": (asked(primer_notes=note(pitch="C4")), 400, "primer_notes[1].pitch", 'whole number, got "C4"'),
    "no pitch of MIDI": (asked(primer_notes=note(pitch=128)), 422, "primer_notes[1].pitch", "0..127, got 128"),
    "pitch out of range": (asked(primer_notes=note(pitch=73)), 422, "primer_notes[1].pitch", "55..72, got 73"),
    "start below 0": (asked(primer_notes=note(start_beat=-0.5)), 422, "primer_notes[1].start_beat", "0 or above"),
    "start as text": (asked(primer_notes=note(start_beat="0")), 400, "primer_notes[1].start_beat", "must be a number"),
    "no duration": (asked(primer_notes=note(duration_beats=0)), 422, "primer_notes[1].duration_beats", "above 0"),
    "too long": (asked(primer_notes=[LONG]), 413, "primer_notes", "over 64 frames"),
    "endless": (asked(primer_notes=note(start_beat=1e300)), 413, "primer_notes", "over 64 frames"),
    "midi as a list": (asked(primer_notes=..., primer_midi=[]), 400, "primer_midi", "in base64, got []"),
    "midi not base64": (asked(primer_notes=..., primer_midi="MThd!"), 400, "primer_midi", 'not base64 (' ),
    "midi not ASCII": (asked(primer_notes=..., primer_midi="é" * 500), 400, "primer_midi", "not base64"),
    "no midi": (asked(primer_notes=..., primer_midi=""), 400, "primer_midi", "not a MIDI file"),
    "midi cut short": (
        asked(primer_notes=..., primer_midi=base64_of(primer())[:80]), 400, "primer_midi", "not a MIDI file",
    ),
    "another file": (asked(primer_notes=..., primer_midi=midi(b"RIFF" * 9)), 400, "primer_midi", "not a MIDI file"),
    "large midi": (asked(primer_notes=..., primer_midi=midi(bytes(2001))), 413, "primer_midi", "2001 bytes"),
    "long midi": (asked(primer_notes=..., primer_midi=base64_of(primer(65))), 413, "primer_midi", "over 64 frames"),
    "midi out of range": (asked(primer_notes=..., primer_midi=base64_of(HIGH)), 422, "primer_midi", "72. Transpose"),
    "drums": (asked(primer_notes=..., primer_midi=drums_alone()), 422, "primer_midi", "no notes"),
}  # fmt: skip


@pytest.mark.parametrize(("request_", "status", "field", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(
    service: Service, request_: dict[str, Any], status: int, field: str, message: str
) -> None:
    """A user gets 'bad request' and has to guess; or a server error for a mistake of his own."""
    with pytest.raises(RequestError) as caught:
        service.answer(request_)
    assert (caught.value.status, caught.value.field) == (status, field)
    assert str(caught.value).startswith(f"{field}: ")
    assert message in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert len(str(caught.value)) < 400


def test_ticks_too_coarse_for_the_grid_are_told_of(in_seconds: Service) -> None:
    """One beat of two seconds in two ticks: frames of 20 ms cannot be written so."""
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000)])
    track += [mido.Message("note_on", note=60, time=0), mido.Message("note_off", note=60, time=1)]
    mido.MidiFile(type=0, ticks_per_beat=2, tracks=[track]).save(file=(buffer := io.BytesIO()))
    with pytest.raises(RequestError, match="too coarse") as caught:
        in_seconds.answer(asked(primer_notes=..., primer_midi=midi(buffer.getvalue())))
    assert caught.value.status == 422


def answered(service: Service, request: dict[str, Any]) -> int:
    """The status of the answer, which must be JSON."""
    try:
        json.dumps(service.answer(request), allow_nan=False)
    except RequestError as error:
        json.dumps(error.to_json(), allow_nan=False)
        return error.status
    return 200


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_fields = ["primer_notes", "primer_midi", "frames", "sampler", "seed", "pitch", "start_beat", "duration_beats", "kind"]


@settings(deadline=None, max_examples=300)
@given(
    changes=st.dictionaries(
        st.sampled_from(_fields), _json | st.lists(st.dictionaries(st.sampled_from(_fields), _json)), max_size=3
    )
)
def test_no_request_gets_another_error(service: Service, changes: dict[str, Any]) -> None:
    """Whoever sends nonsense sees the inside of the server, or stops it."""
    assert answered(service, asked(frames=1) | changes) in (200, 400, 413, 422)


@settings(deadline=None, max_examples=200)
@given(position=st.integers(0, 200), value=st.integers(0, 255))
def test_no_damaged_midi_gets_another_error(service: Service, position: int, value: int) -> None:
    data = bytearray(to_midi_bytes(primer().to_score()))
    data[position % len(data)] = value
    request = asked(primer_notes=..., primer_midi=midi(bytes(data)), frames=1)
    assert answered(service, request) in (200, 400, 413, 422)


def test_a_checkpoint_without_a_grid_says_what_to_do(tmp_path: Path) -> None:
    model = Seq2SeqLSTM(len(PITCHES), hidden=4)
    details: list[dict[str, Any]] = [
        {},
        {"data": 3},
        {"data": {"grid": checkpoint.describe(BeatGrid(4))}},
        {"data": {"grid": checkpoint.describe(BeatGrid(4)), "pitches": {"lowest": 90, "highest": 3}}},
    ]
    for number, each in enumerate(details):
        path = checkpoint.save(model, tmp_path / f"{number}.safetensors", details=each)
        with pytest.raises(CheckpointError, match=r"say it yourself: TrainedModel\(load\(path\)"):
            load_service(path)
    with pytest.raises(CheckpointNotFoundError, match="no model there"):
        load_service(tmp_path / "none.safetensors")


def test_a_model_that_does_not_fit_is_found_at_once(path: Path) -> None:
    """The first user of the night finds it."""
    with pytest.raises(ShapeError, match="a roll of 88 pitches"):
        Service(checkpoint.load(path), grid=BeatGrid(4), pitches=PitchRange(21, 108))


def test_the_model_stops_training(path: Path) -> None:
    """Its dropout makes every answer another, whatever the seed."""
    model = checkpoint.load(path).train()
    service = Service(model, grid=BeatGrid(4), pitches=PITCHES)
    assert not model.training
    assert service.answer(asked()) == load_service(path).answer(asked())


@pytest.mark.parametrize(
    "make",
    [
        lambda: RequestLimits(frames=0),
        lambda: RequestLimits(request_bytes=-1),
        lambda: RequestLimits(lowest_temperature=0.0),
        lambda: RequestLimits(lowest_temperature=2.0, highest_temperature=1.0),
    ],
)
def test_limits_that_let_nothing_pass_are_refused(make: Callable[[], RequestLimits]) -> None:
    with pytest.raises(SettingsError, match="RequestLimits"):
        make()


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_a_model_that_hears_conditions_is_told_them(tmp_path: Path, dropout: float) -> None:
    """Whoever asks for a scale hears the one before, or a model of scales cannot be asked at all."""
    torch.manual_seed(0)
    model = Seq2SeqLSTM(2 * len(PITCHES), hidden=8, condition_size=2, condition_dropout=dropout)
    active = np.random.default_rng(0).random((60, len(PITCHES))) < 0.2
    roll = PianoRoll.from_active(active, pitches=PITCHES)
    conditioned = SlidingWindows(
        [roll], input_frames=8, target_frames=4, hop=2, onsets=True, conditions=[np.array([1.0, 0.0])]
    )
    fit(model, conditioned, epochs=1, batch_size=8, checkpoint_dir=tmp_path, progress=False)
    service = load_service(tmp_path, limits=LIMITS)
    request = {"primer_midi": base64_of(roll[:16]), "frames": 32, "seed": 3, "condition": [8.0, -8.0]}
    heard = PianoRoll.from_midi(to_midi_bytes(roll[:16].to_score()), pitches=PITCHES).renamed("")
    expected = generate(
        checkpoint.load(tmp_path / "best.safetensors"),
        heard,
        frames=32,
        seed=3,
        onsets=True,
        condition=np.array([8.0, -8.0]),
    )
    assert service.answer(request)["midi"] == base64_of(expected)
    assert service.answer(request | {"condition": [-8.0, 8.0]})["midi"] != base64_of(expected)
    for wrong in ([1.0], 3, ["a", "b"], [1.0, None]):
        with pytest.raises(RequestError, match="condition"):
            service.answer(request | {"condition": wrong})
    del request["condition"]
    if dropout:
        service.answer(request)
    else:
        with pytest.raises(RequestError, match="has not learned to do without"):
            service.answer(request)
