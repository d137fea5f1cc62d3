"""The service: requests in JSON, answers with music."""

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
from hypothesis import given
from hypothesis import strategies as st
from layouts import active_windows
from studio_models import small_model

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq.errors import (
    CheckpointError,
    CheckpointNotFoundError,
    GridError,
    ModelInUseError,
    PitchRangeError,
    SettingsError,
    ShapeError,
)
from pianoroll_seq2seq.grid import BeatGrid, FrameGrid, SecondsGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.midi_io import read_midi, to_midi_bytes
from pianoroll_seq2seq.models.modes import training
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.sampling import Draw, Sampler, Threshold, generate
from pianoroll_seq2seq.serving import RequestError, RequestLimits, Service, load_service
from pianoroll_seq2seq.studio.app import studio_app
from pianoroll_seq2seq.tempo import TempoMap
from pianoroll_seq2seq.train import fit
from pianoroll_seq2seq.windowing import SlidingWindows

PITCHES = PitchRange(55, 72)
LIMITS = RequestLimits(
    max_request_bytes=20_000,
    max_midi_bytes=2_000,
    max_primer_notes=20,
    max_primer_frames=64,
    max_num_frames=128,
    min_temperature=0.5,
)
NOTES = [
    {"pitch": 60, "start_beat": 0, "duration_beats": 1},
    {"pitch": 64, "start_beat": 1, "duration_beats": 0.5},
    {"pitch": 67, "start_beat": 1.5, "duration_beats": 2.5},
]


def windows(grid: FrameGrid) -> SlidingWindows:
    active = np.random.default_rng(0).random((60, len(PITCHES))) < 0.2
    roll = PianoRoll.from_active(active, grid=grid, pitches=PITCHES)
    return active_windows([roll], input_frames=8, target_frames=4, hop=2)


def playing_model(layout: FrameLayout | None = None) -> Seq2SeqLSTM:
    """An untrained model that plays, with or without a layout."""
    torch.manual_seed(0)
    model = Seq2SeqLSTM(len(PITCHES) if layout is None else layout, hidden_size=8)
    with torch.no_grad():
        model.head.logits.bias.fill_(-1.5)  # type: ignore[union-attr,operator]
    return model


def trained(folder: Path, grid: FrameGrid) -> Path:
    """A checkpoint of ``fit``, of a model that plays."""
    torch.manual_seed(0)
    model = Seq2SeqLSTM(len(PITCHES), hidden_size=8, dropout=0.5)
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
    active[-1, 3] = True  # so that its MIDI file has all frames
    return PianoRoll.from_active(active, grid=grid, pitches=PITCHES, tempo=tempo)


def request_of(**changes: Any) -> dict[str, Any]:
    """A valid request with changes; a field set to ... is left out."""
    request = {"primer_notes": NOTES, "num_frames": 32} | changes
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
def test_the_answer_is_the_continuation(
    service: Service, sampler: dict[str, Any] | None, expected: Sampler, seed: int | None
) -> None:
    """The service answers with other music than ``generate``."""
    given_primer = primer(tempo=TempoMap.from_bpm(90))
    request = {"primer_midi": base64_of(given_primer), "num_frames": 40}
    request |= {} if sampler is None else {"sampler": sampler}
    request |= {} if seed is None else {"seed": seed}
    answer = service.answer(request)
    music = generate(service.model, given_primer, num_frames=40, sampler=expected, seed=seed or 0)
    assert answer.keys() == {"midi", "notes", "num_frames", "seed"}
    assert (answer["num_frames"], answer["seed"]) == (40, seed or 0)
    assert base64.b64decode(answer["midi"]) == to_midi_bytes(music.to_score())
    assert len(answer["notes"]) == len(music.notes().pitch)
    json.dumps(answer, allow_nan=False)


def test_notes_and_their_midi_file_get_the_same_answer(service: Service) -> None:
    active = np.zeros((16, len(PITCHES)), dtype=bool)
    active[0:4, 5] = active[4:6, 9] = active[6:16, 12] = True
    roll = PianoRoll.from_active(active, pitches=PITCHES)
    by_notes = service.answer(request_of(seed=3))
    by_midi = service.answer(request_of(primer_notes=..., primer_midi=base64_of(roll), seed=3))
    assert by_notes["notes"] == by_midi["notes"]
    assert len(by_notes["notes"]) > 5
    read = [
        PianoRoll.from_midi(base64.b64decode(answer["midi"]), pitches=PITCHES).active for answer in (by_notes, by_midi)
    ]
    np.testing.assert_array_equal(*read)


@pytest.mark.parametrize(
    "frames_per_beat", [3, 480, *(pytest.param(value, marks=pytest.mark.slow) for value in (1, 4, 7, 1000))]
)
def test_notes_of_an_answer_are_a_valid_request(frames_per_beat: int) -> None:
    """Requests and answers count beats differently, and repeated requests drift."""
    service = Service(playing_model(), FrameLayout(BeatGrid(frames_per_beat), PITCHES, planes=("active",)))
    first = service.answer({"primer_notes": [{"pitch": 60, "start_beat": 0, "duration_beats": 1}], "num_frames": 50})
    notes = first["notes"]
    starts = [note["start_beat"] for note in notes]
    assert starts == sorted(starts)
    assert max(note["start_beat"] + note["duration_beats"] for note in notes) <= 50 / frames_per_beat + 1e-9
    assert all(note["duration_beats"] > 0 for note in notes)
    again = service.answer({"primer_notes": notes, "num_frames": 10})
    continuation = PianoRoll.from_midi(base64.b64decode(first["midi"]), grid=BeatGrid(frames_per_beat), pitches=PITCHES)
    assert again["notes"] == service.answer({"primer_midi": first["midi"], "num_frames": 10})["notes"]
    assert len(continuation) <= 50


def test_a_grid_of_seconds_counts_in_seconds(in_seconds: Service) -> None:
    note = {"pitch": 60, "start_second": 0.04, "duration_seconds": 0.2}
    answer = in_seconds.answer(request_of(primer_notes=[note], seed=1))
    active = np.zeros((12, len(PITCHES)), dtype=bool)
    active[2:12, 5] = True
    roll = PianoRoll.from_active(active, grid=SecondsGrid(0.02), pitches=PITCHES, tempo=TempoMap(10_000))
    music = generate(in_seconds.model, roll, num_frames=32, seed=1)
    assert base64.b64decode(answer["midi"]) == to_midi_bytes(music.to_score())
    assert all(set(note) == {"pitch", "start_second", "duration_seconds"} for note in answer["notes"])
    assert max(note["start_second"] + note["duration_seconds"] for note in answer["notes"]) <= 32 * 0.02 + 1e-9
    with pytest.raises(RequestError, match="Known fields: duration_seconds, part, pitch, start_second"):
        in_seconds.answer(request_of())


@dataclass(frozen=True)
class Eighths:
    """A grid that is not of the library."""

    def lines_at(self, ticks: np.ndarray, tempo: TempoMap) -> np.ndarray:
        return BeatGrid(2).lines_at(ticks, tempo)

    def ticks_at(self, lines: np.ndarray, tempo: TempoMap) -> np.ndarray:
        return BeatGrid(2).ticks_at(lines, tempo)

    def seconds_at(self, lines: np.ndarray, tempo: TempoMap) -> np.ndarray:
        return BeatGrid(2).seconds_at(lines, tempo)

    def settings(self) -> dict[str, int | float]:
        return {}


def test_another_grid_counts_in_beats() -> None:
    own, ours = (
        Service(playing_model(), FrameLayout(grid, PITCHES, planes=("active",))).answer(request_of())
        for grid in (Eighths(), BeatGrid(2))
    )
    assert own["notes"] == ours["notes"]


def test_seeds_determine_the_answers(service: Service) -> None:
    answers = [service.answer(request_of(seed=seed)) for seed in (1, 1, 2, 2**63 - 1)]
    assert answers[0] == answers[1]
    assert len({answer["midi"] for answer in answers}) == 3


def test_threads_get_the_answers_of_one_thread(service: Service) -> None:
    """Simultaneous requests get each other's music, or that of a model in training mode."""
    requests = [request_of(seed=seed, num_frames=20 + seed) for seed in range(24)]
    outside = torch.get_rng_state()
    expected = [service.answer(request) for request in requests]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(service.answer, requests)) == expected
    assert torch.equal(torch.get_rng_state(), outside)


def test_json_and_parsed_requests_get_the_same_answer(service: Service) -> None:
    text = json.dumps(request_of(seed=5))
    assert service.answer_json(text) == service.answer_json(text.encode()) == service.answer(request_of(seed=5))


WRONG_JSON: list[tuple[str, str | bytes, int, str]] = [
    ("empty", b"", 400, "not JSON"),
    ("no JSON", "num_frames=3", 400, "not JSON"),
    ("cut short", '{"num_frames": 3', 400, "not JSON"),
    ("garbage", bytes(range(256)), 400, "not JSON"),
    ("NaN", '{"num_frames": NaN}', 400, r"not JSON \(JSON is malformed: invalid character"),
    ("lone surrogate", '"\ud800"', 400, r"not JSON \(invalid UTF-8"),
    ("deep", "[" * 19_000, 400, "nested too deep"),
    ("many digits", '{"num_frames": ' + "9" * 10_000 + "}", 400, "out of range"),
    ("list", "[1, 2]", 400, r"must be a JSON object with num_frames, .*, got \[1, 2\]"),
    ("null", "null", 400, "must be a JSON object"),
    ("too large", b" " * 20_001, 413, "20001 bytes; the limit is 20000"),
    ("too large in UTF-8", "ä" * 10_001, 413, "20002 bytes"),
]


@pytest.mark.parametrize(
    ("raw", "status", "message"), [each[1:] for each in WRONG_JSON], ids=[w[0] for w in WRONG_JSON]
)
def test_malformed_json_is_refused(service: Service, raw: str | bytes, status: int, message: str) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        service.answer_json(raw)
    assert (caught.value.status, caught.value.field) == (status, "request")
    assert caught.value.to_json() == {
        "error": {"status": status, "field": "request", "message": str(caught.value)},
    }
    json.dumps(caught.value.to_json())
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("before", ["", '{"num_frames": 3, "primer_notes": ', '{"primer_midi": "", "num_frames": '])
def test_deeply_nested_json_is_refused(service: Service, before: str) -> None:
    """Near the recursion limit, Python reads the JSON but cannot show it, and the server fails."""
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
    "no primer": (request_of(primer_notes=...), 400, "request", "got neither"),
    "two primers": (request_of(primer_midi=""), 400, "request", "got both"),
    "unknown field": (
        request_of(temperature=1), 400, "request", 'unknown field "temperature". Known fields: num_frames',
    ),
    "no frames": (request_of(num_frames=...), 400, "num_frames", "missing"),
    "frames as text": (request_of(num_frames="32"), 400, "num_frames", 'must be an integer, got "32"'),
    "frames as a float": (request_of(num_frames=32.0), 400, "num_frames", "integer"),
    "frames as a bool": (request_of(num_frames=True), 400, "num_frames", "integer, got true"),
    "frames null": (request_of(num_frames=None), 400, "num_frames", "integer, got null"),
    "no frame": (request_of(num_frames=0), 422, "num_frames", "at least 1, got 0"),
    "too many frames": (request_of(num_frames=129), 413, "num_frames", "129; the limit is 128"),
    "seed as text": (request_of(seed="a"), 400, "seed", "integer"),
    "seed below 0": (request_of(seed=-1), 422, "seed", "0..9223372036854775807, got -1"),
    "seed too large": (request_of(seed=2**63), 422, "seed", "must be in"),
    "seed far too large": (request_of(seed=10**5000), 422, "seed", "very many digits"),
    "sampler as text": (request_of(sampler="draw"), 400, "sampler", "must be a JSON object with kind"),
    "sampler without a kind": (request_of(sampler={}), 400, "sampler.kind", "missing"),
    "another sampler": (request_of(sampler={"kind": "beam"}), 400, "sampler.kind", '"draw" or "threshold", got "beam"'),
    "kind as a list": (request_of(sampler={"kind": ["draw"]}), 400, "sampler.kind", "must be"),
    "fields of the other": (request_of(sampler={"kind": "draw", "threshold": 1}), 400, "sampler", "unknown field"),
    "no threshold": (request_of(sampler={"kind": "threshold"}), 400, "sampler.threshold", "missing"),
    "threshold 0": (request_of(sampler={"kind": "threshold", "threshold": 0}), 422, "sampler.threshold", "above 0"),
    "threshold above 1": (
        request_of(sampler={"kind": "threshold", "threshold": 1.1}), 422, "sampler.threshold", "at most",
    ),
    "cold": (request_of(sampler={"kind": "draw", "temperature": 0.4}), 422, "sampler.temperature", "0.5..10, got 0.4"),
    "hot": (request_of(sampler={"kind": "draw", "temperature": 1e308}), 422, "sampler.temperature", "must be in"),
    "temperature as text": (
        request_of(sampler={"kind": "draw", "temperature": "1"}), 400, "sampler.temperature", "number",
    ),
    "infinite temperature": (
        request_of(sampler={"kind": "draw", "temperature": float("inf")}), 422, "sampler.temperature", "finite",
    ),
    "integer beyond floats": (
        request_of(sampler={"kind": "draw", "temperature": 10**400}), 422, "sampler.temperature", "finite",
    ),
    "notes as an object": (request_of(primer_notes={}), 400, "primer_notes", "must be a list"),
    "no notes": (request_of(primer_notes=[]), 422, "primer_notes", "empty"),
    "too many notes": (request_of(primer_notes=NOTES * 7), 413, "primer_notes", "21 notes; the limit is 20"),
    "a number as a note": (request_of(primer_notes=[60]), 400, "primer_notes[0]", "start_beat, velocity, got 60"),
    "a note in seconds": (
        request_of(primer_notes=note(start_second=1)), 400, "primer_notes[1]", 'unknown field "start_second"',
    ),
    "no pitch": (request_of(primer_notes=note(pitch=...)), 400, "primer_notes[1].pitch", "missing"),
    "pitch as a name": (request_of(primer_notes=note(pitch="C4")), 400, "primer_notes[1].pitch", 'integer, got "C4"'),
    "no pitch of MIDI": (request_of(primer_notes=note(pitch=128)), 422, "primer_notes[1].pitch", "0..127, got 128"),
    "pitch out of range": (request_of(primer_notes=note(pitch=73)), 422, "primer_notes[1].pitch", "55..72, got 73"),
    "start below 0": (request_of(primer_notes=note(start_beat=-0.5)), 422, "primer_notes[1].start_beat", "at least 0"),
    "start as text": (
        request_of(primer_notes=note(start_beat="0")), 400, "primer_notes[1].start_beat", "must be a number",
    ),
    "no duration": (request_of(primer_notes=note(duration_beats=0)), 422, "primer_notes[1].duration_beats", "above 0"),
    "too long": (request_of(primer_notes=[LONG]), 413, "primer_notes", "over 64 frames"),
    "endless": (request_of(primer_notes=note(start_beat=1e300)), 413, "primer_notes", "over 64 frames"),
    "midi as a list": (request_of(primer_notes=..., primer_midi=[]), 400, "primer_midi", "in base64, got []"),
    "midi not base64": (request_of(primer_notes=..., primer_midi="MThd!"), 400, "primer_midi", 'not base64 (' ),
    "midi not ASCII": (request_of(primer_notes=..., primer_midi="é" * 500), 400, "primer_midi", "not base64"),
    "no midi": (request_of(primer_notes=..., primer_midi=""), 400, "primer_midi", "not a readable MIDI file"),
    "midi cut short": (
        request_of(primer_notes=..., primer_midi=base64_of(primer())[:80]), 400, "primer_midi", "not a readable",
    ),
    "another file": (
        request_of(primer_notes=..., primer_midi=midi(b"RIFF" * 9)), 400, "primer_midi", "not a readable MIDI file",
    ),
    "large midi": (request_of(primer_notes=..., primer_midi=midi(bytes(2001))), 413, "primer_midi", "2001 bytes"),
    "long midi": (
        request_of(primer_notes=..., primer_midi=base64_of(primer(65))), 413, "primer_midi", "over 64 frames",
    ),
    "midi out of range": (
        request_of(primer_notes=..., primer_midi=base64_of(HIGH)), 422, "primer_midi", "72. Transpose",
    ),
    "drums": (request_of(primer_notes=..., primer_midi=drums_alone()), 422, "primer_midi", "no notes"),
}  # fmt: skip


@pytest.mark.parametrize(("request_", "status", "field", "message"), WRONG.values(), ids=WRONG)
def test_invalid_fields_are_named(
    service: Service, request_: dict[str, Any], status: int, field: str, message: str
) -> None:
    """The answer to an invalid request does not name the field, or is a server error."""
    with pytest.raises(RequestError) as caught:
        service.answer(request_)
    assert (caught.value.status, caught.value.field) == (status, field)
    assert str(caught.value).startswith(f"{field}: ")
    assert message in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert len(str(caught.value)) < 400


def test_ticks_too_coarse_for_the_grid_are_refused(in_seconds: Service) -> None:
    """A file with two ticks per beat cannot hold frames of 20 ms."""
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000)])
    track += [mido.Message("note_on", note=60, time=0), mido.Message("note_off", note=60, time=1)]
    mido.MidiFile(type=0, ticks_per_beat=2, tracks=[track]).save(file=(buffer := io.BytesIO()))
    with pytest.raises(RequestError, match="too coarse") as caught:
        in_seconds.answer(request_of(primer_notes=..., primer_midi=midi(buffer.getvalue())))
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
_fields = [
    "primer_notes",
    "primer_midi",
    "num_frames",
    "sampler",
    "seed",
    "pitch",
    "start_beat",
    "duration_beats",
    "kind",
]


@given(
    changes=st.dictionaries(
        st.sampled_from(_fields), _json | st.lists(st.dictionaries(st.sampled_from(_fields), _json)), max_size=3
    )
)
def test_no_request_gets_another_error(service: Service, changes: dict[str, Any]) -> None:
    """Arbitrary JSON causes another exception than RequestError."""
    assert answered(service, request_of(num_frames=1) | changes) in (200, 400, 413, 422)


@given(position=st.integers(0, 200), value=st.integers(0, 255))
def test_no_damaged_midi_gets_another_error(service: Service, position: int, value: int) -> None:
    data = bytearray(to_midi_bytes(primer().to_score()))
    data[position % len(data)] = value
    request = request_of(primer_notes=..., primer_midi=midi(bytes(data)), num_frames=1)
    assert answered(service, request) in (200, 400, 413, 422)


def test_a_checkpoint_without_a_layout_names_the_fix(tmp_path: Path) -> None:
    """A checkpoint whose frames are unknown is served, or fails without saying what is missing."""
    model = Seq2SeqLSTM(len(PITCHES), hidden_size=4)
    path = checkpoint.save(model, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="layout"):
        load_service(path)
    with pytest.raises(CheckpointNotFoundError, match="no such model"):
        load_service(tmp_path / "none.safetensors")


def test_a_model_that_does_not_fit_is_refused_at_once() -> None:
    """The mistake shows only when the first request comes."""
    with pytest.raises(ShapeError, match="cannot generate frames of FrameLayout"):
        Service(playing_model(), FrameLayout(BeatGrid(4), PitchRange(21, 108), planes=("active",)))
    own_layout = FrameLayout(BeatGrid(4), PITCHES, planes=("active",))
    for other, error in (
        (FrameLayout(BeatGrid(2), PITCHES, planes=("active",)), GridError),
        (FrameLayout(BeatGrid(4), PitchRange(56, 73), planes=("active",)), PitchRangeError),
        (FrameLayout(BeatGrid(4), PITCHES, ("active", "onset")), ShapeError),
    ):
        with pytest.raises(error):
            Service(playing_model(own_layout), other)


def test_the_model_stops_training(path: Path) -> None:
    """Dropout changes every answer, whatever the seed."""
    model = checkpoint.load(path).train()
    service = Service(model, FrameLayout(BeatGrid(4), PITCHES, planes=("active",)))
    assert not model.training
    assert service.answer(request_of()) == load_service(path).answer(request_of())


@pytest.mark.parametrize(
    "make",
    [
        lambda: RequestLimits(max_num_frames=0),
        lambda: RequestLimits(max_request_bytes=-1),
        lambda: RequestLimits(min_temperature=0.0),
        lambda: RequestLimits(min_temperature=2.0, max_temperature=1.0),
    ],
)
def test_invalid_limits_are_refused(make: Callable[[], RequestLimits]) -> None:
    with pytest.raises(SettingsError, match="RequestLimits"):
        make()


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_conditional_models_get_the_condition(tmp_path: Path, dropout: float) -> None:
    """A condition is ignored, or a conditional model cannot be served."""
    torch.manual_seed(0)
    layout = FrameLayout(BeatGrid(4), PITCHES, ("active", "onset"))
    model = Seq2SeqLSTM(layout, hidden_size=8, condition_size=2, condition_dropout=dropout)
    active = np.random.default_rng(0).random((60, len(PITCHES))) < 0.2
    roll = PianoRoll.from_active(active, pitches=PITCHES)
    conditioned = SlidingWindows(
        [roll], input_frames=8, target_frames=4, hop=2, layout=layout, conditions=[np.array([1.0, 0.0])]
    )
    fit(model, conditioned, epochs=1, batch_size=8, checkpoint_dir=tmp_path, progress=False)
    service = load_service(tmp_path, limits=LIMITS)
    request = {"primer_midi": base64_of(roll[:16]), "num_frames": 32, "seed": 3, "condition": [8.0, -8.0]}
    roll_primer = PianoRoll.from_midi(to_midi_bytes(roll[:16].to_score()), pitches=PITCHES).renamed("")
    expected = generate(
        checkpoint.load(tmp_path / "best.safetensors"),
        roll_primer,
        num_frames=32,
        seed=3,
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
        with pytest.raises(RequestError, match="this model needs one"):
            service.answer(request)


PARTS = (Part("high", 40, pitches=PitchRange(60, 72)), Part("low", 32, pitches=PitchRange(36, 59)))


def test_parts_and_velocities_go_in_and_come_out() -> None:
    """A duet comes back as one piano, at one loudness."""
    layout = FrameLayout(planes=("active", "onset", "velocity"), parts=PARTS)
    service = Service(Seq2SeqLSTM(layout, hidden_size=8), layout)
    notes = [
        {"pitch": 64, "start_beat": 0, "duration_beats": 1, "part": "high", "velocity": 90},
        {"pitch": 40, "start_beat": 0, "duration_beats": 2, "part": "low"},
    ]
    answer = service.answer({"primer_notes": notes, "num_frames": 40})
    assert {note["part"] for note in answer["notes"]} == {"high", "low"}
    assert all(1 <= note["velocity"] <= 127 for note in answer["notes"])
    score = read_midi(base64.b64decode(answer["midi"]))
    assert [(part.name, part.program) for part in score.parts] == [("high", 40), ("low", 32)]
    again = service.answer({"primer_midi": answer["midi"], "num_frames": 2})
    assert again["num_frames"] == 2


@pytest.mark.parametrize(
    ("note", "message"),
    [
        ({"part": "tuba"}, r"primer_notes\[0\].part: must be one of high, low, got 'tuba'"),
        ({}, r"primer_notes\[0\].part: must be one of high, low, got None"),
        ({"part": "low"}, r"primer_notes\[0\].pitch: must be in the model's range 36..59, got 64"),
        ({"part": "high", "velocity": 128}, r"primer_notes\[0\].velocity: must be in 1..127, got 128"),
        ({"part": 3}, r"primer_notes\[0\].part: must be the name of a part, got 3"),
    ],
)
def test_wrong_parts_and_velocities_are_named(note: dict[str, Any], message: str) -> None:
    layout = FrameLayout(planes=("active", "onset"), parts=PARTS)
    service = Service(Seq2SeqLSTM(layout, hidden_size=8), layout)
    whole = {"pitch": 64, "start_beat": 0, "duration_beats": 1, **note}
    with pytest.raises(RequestError, match=message):
        service.answer({"primer_notes": [whole], "num_frames": 2})


def test_a_model_that_is_trained_is_left_in_its_mode() -> None:
    """A service or a studio that starts beside ``fit`` turns dropout off for the rest of the training."""
    trained = small_model()
    trained.model.train()
    with training(trained.model), ThreadPoolExecutor(1) as pool:
        for start in (lambda: Service(trained.model, trained.layout), lambda: studio_app([trained])):
            with pytest.raises(ModelInUseError, match="another thread"):
                pool.submit(start).result()
            assert trained.model.training
