"""The studio's server, asked over a real connection as a page, a careless page or a hostile one would ask."""

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from studio_models import Failing, Slow, notes_model, slow_model, small_model, told_model
from studio_server import Served, served, waited

from pianoroll_seq2seq.conditions import pitch_class_vector
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.grid import BeatGrid, SecondsGrid
from pianoroll_seq2seq.midi_io import to_midi_bytes
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.sampling import Draw, InScale, generate
from pianoroll_seq2seq.score import NoteTable, Part, Score
from pianoroll_seq2seq.serving.requests import RequestLimits
from pianoroll_seq2seq.studio.app import studio_app
from pianoroll_seq2seq.studio.guard import PAGE_HEADER
from pianoroll_seq2seq.studio.limits import StudioLimits
from pianoroll_seq2seq.tempo import TempoMap
from pianoroll_seq2seq.trained import TrainedModel

LIMITS = StudioLimits(
    request=RequestLimits(request_bytes=20_000, midi_bytes=5_000, primer_notes=50, primer_frames=3000, frames=20_000),
    piece_seconds=120,
    at_once=2,
    kept=3,
)
SMALL = small_model()
SLOW = slow_model()
FAILING = TrainedModel(Failing(after=7), BeatGrid(4), SLOW.pitches, name="failing")
IN_SECONDS = slow_model(0.0, name="in seconds", grid=SecondsGrid(0.02))
NOTES = [
    {"pitch": 60, "start_beat": 0, "duration_beats": 1},
    {"pitch": 64, "start_beat": 1, "duration_beats": 1},
    {"pitch": 67, "start_beat": 1.5, "duration_beats": 2.5},
]


@pytest.fixture(scope="module")
def studio() -> Iterator[Served]:
    models = [SMALL, SLOW, FAILING, IN_SECONDS, told_model(), notes_model()]
    with served(models, LIMITS) as one:
        yield one


@pytest.fixture
def page(studio: Served) -> Iterator[httpx.Client]:
    """The studio's own page; afterwards the server must still be well."""
    with page_of(studio, "page-of-the-test") as client:
        yield client
        assert studio.idle()
        assert written(client, asked(model="onsets", length={"beats": 1}))[-1] == {"done": True}


def page_of(studio: Served, name: str) -> httpx.Client:
    headers = {PAGE_HEADER: name, "origin": studio.address}
    return httpx.Client(base_url=studio.address, headers=headers, timeout=20, trust_env=False)


def asked(**changes: Any) -> dict[str, Any]:
    """A good request, but for the changes; one that is ... is left out."""
    request = {
        "model": "small",
        "primer_notes": NOTES,
        "beats_per_minute": 100,
        "length": {"beats": 8},
        "seed": 3,
    } | changes
    return {name: value for name, value in request.items() if value is not ...}


def written(client: httpx.Client, request: dict[str, Any]) -> list[dict[str, Any]]:
    answer = client.post("/continue", json=request)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def piece_of(client: httpx.Client, parts: list[dict[str, Any]], **settings: Any) -> PianoRoll:
    data = client.get(f"/music/{parts[0]['piece']}.mid").raise_for_status().content
    return PianoRoll.from_midi(data, **settings)


def test_a_piece_comes_in_parts_and_is_kept_as_a_midi_file(page: httpx.Client) -> None:
    """The studio writes other music than the library does for the same wish."""
    trained = SMALL
    parts = written(page, asked(sampler={"kind": "draw", "temperature": 0.8}))
    assert parts[-1] == {"done": True}
    piece = piece_of(page, parts, pitches=trained.pitches)
    primer = piece[:16]
    assert [int(column) + 55 for column in primer.notes()[2]] == [60, 64, 67]
    following = generate(trained.model, primer, frames=32, sampler=Draw(0.8), seed=3)
    assert np.array_equal(piece[16:].active, following.active[: len(piece) - 16])
    assert not following.active[len(piece) - 16 :].any()
    assert piece.tempo.us_per_beat_at(0) == 600_000


def test_one_seed_is_one_piece_and_the_temperature_counts(page: httpx.Client) -> None:
    """A piece that one liked never comes again, or the slider does nothing."""
    first, again = written(page, asked())[1:], written(page, asked())[1:]
    notes = [sorted(note for part in parts for note in part.get("notes", [])) for parts in (first, again)]
    assert notes[0] == notes[1]
    for change in ({"seed": 4}, {"sampler": {"kind": "draw", "temperature": 0.3}}):
        other = written(page, asked(**change))[1:]
        assert sorted(note for part in other for note in part.get("notes", [])) != notes[0]


@pytest.mark.parametrize(
    ("model", "length", "frames"),
    [
        ("small", {"beats": 2}, 8),
        ("small", {"seconds": 6}, 40),
        ("in seconds", {"seconds": 2}, 100),
        ("in seconds", {"beats": 5}, 150),
        ("small", {"beats": 0}, 1),
    ],
)
def test_lengths_are_in_beats_or_seconds(page: httpx.Client, model: str, length: dict[str, float], frames: int) -> None:
    """Eight seconds are asked for, and eight beats are played."""
    parts = written(page, asked(model=model, length=length))
    assert parts[-2]["frames"] == frames


def test_a_scale_is_told_to_a_model_that_hears_it_and_kept_for_any_other(page: httpx.Client) -> None:
    """A scale is chosen, and the piece is not in it; or a model of scales is cut down instead of being told."""
    scale = [0, 2, 4, 7, 9]
    trained = SMALL
    parts = written(page, asked(scale=scale, length={"beats": 16}))
    piece = piece_of(page, parts, pitches=trained.pitches)
    columns = np.nonzero(piece[16:].active.any(axis=0))[0] + 55
    assert len(columns) > 3
    assert set(columns % 12) <= set(scale)
    kept = generate(trained.model, piece[:16], frames=64, sampler=InScale(Draw(), (*scale,), trained.pitches), seed=3)
    assert np.array_equal(piece[16:].active, kept.active[: len(piece) - 16])

    told = told_model()
    parts = written(page, asked(model="told", scale=scale))
    piece = piece_of(page, parts, pitches=told.pitches)
    expected = generate(told.model, piece[:16], frames=32, seed=3, condition=pitch_class_vector(scale))
    assert np.array_equal(piece[16:].active, expected.active[: len(piece) - 16])


def test_what_a_model_cannot_do_is_told_in_the_stream(page: httpx.Client) -> None:
    """A model that must be told a scale, or that breaks, leaves the page waiting."""
    parts = written(page, asked(model="told"))
    assert "condition" in parts[-1]["error"]["message"]
    FAILING.model.frames = 0  # type: ignore[attr-defined]
    parts = written(page, asked(model="failing"))
    assert "broken on purpose" in parts[-1]["error"]["message"]
    assert len(piece_of(page, parts, pitches=FAILING.pitches)) <= 16 + 7


@pytest.mark.parametrize(
    ("changes", "status", "word"),
    [
        ({"model": "../../etc/passwd"}, 422, "is not open here"),
        ({"model": ...}, 422, "model"),
        ({"primer_notes": []}, 422, "no notes"),
        ({"primer_notes": ...}, 400, "neither"),
        ({"primer_midi": "TVRoZA=="}, 400, "primer_midi"),
        ({"primer_notes": [NOTES[0] | {"pitch": 20}]}, 422, "55..72"),
        ({"primer_notes": [NOTES[0] | {"pitch": "C4"}]}, 400, "whole number"),
        ({"primer_notes": [NOTES[0] | {"start_beat": 1e9}]}, 413, "too far"),
        ({"primer_notes": [NOTES[0] | {"start_beat": 900.0}]}, 413, "frames"),
        ({"primer_notes": [NOTES[0]] * 51}, 413, "at most 50"),
        ({"beats_per_minute": 0}, 422, "beats_per_minute"),
        ({"beats_per_minute": "fast"}, 400, "must be a number"),
        ({"beats_per_minute": True}, 400, "must be a number"),
        ({"length": 8}, 400, "length"),
        ({"length": {"beats": -1}}, 422, "length.beats"),
        ({"length": {"beats": 1e300}}, 422, "length.beats"),
        ({"length": {"bars": 4}}, 400, "length"),
        ({"length": {"seconds": 119}}, 413, "120"),
        ({"scale": []}, 400, "pitch classes"),
        ({"scale": [12]}, 422, "0 (C) to 11 (B)"),
        ({"scale": ["C"]}, 400, "pitch classes"),
        ({"seed": -1}, 422, "seed"),
        ({"sampler": {"kind": "draw", "temperature": 0}}, 422, "temperature"),
        ({"sampler": {"kind": "beam"}}, 400, "sampler.kind"),
        ({"condition": [1.0]}, 400, "unknown"),
    ],
)
def test_wishes_that_cannot_be_granted_are_refused_with_a_reason(
    page: httpx.Client, changes: dict[str, Any], status: int, word: str
) -> None:
    """A wrong wish ends in a piece nobody asked for, an error without a word, or a server that is gone."""
    answer = page.post("/continue", json=asked(**changes))
    assert answer.status_code == status, answer.text
    told = answer.json()["error"]
    assert word in told["message"]
    assert "\n" not in told["message"]


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"{", 400), (b"[]", 400), (b"\xff", 400), (b"[" * 9000, 400), (b"1" * 20_001, 413)],
)
def test_what_is_no_request_is_refused(page: httpx.Client, body: bytes, status: int) -> None:
    """Anything that is sent brings the server down."""
    assert page.post("/continue", content=body).status_code == status


def midi_of(notes: list[tuple[float, float, int]], *, drums: bool = False) -> bytes:
    """A file at 90 beats a minute of (start, end, pitch), in beats."""
    ticks = [[round(note[end] * 480) for note in notes] for end in (0, 1)]
    table = NoteTable(*ticks, [note[2] for note in notes], [90] * len(notes), [0] * len(notes))
    return to_midi_bytes(Score(table, TempoMap.from_bpm(90), (Part("", drums=drums),)))


def test_a_midi_file_becomes_notes_to_draw(page: httpx.Client) -> None:
    """The primer drawn of a file is other music than the file."""
    data = midi_of([(4, 5, 60), (4.5, 7, 20), (5, 30, 64), (21, 22, 62)])
    answer = page.post("/primer", params={"model": "small", "beats": 8}, content=data).raise_for_status().json()
    assert answer["notes"] == [
        {"pitch": 60, "start_beat": 0.0, "duration_beats": 1.0},
        {"pitch": 64, "start_beat": 1.0, "duration_beats": 7.0},
    ]
    assert answer["beats_per_minute"] == 90
    assert (answer["left_out"], answer["cut"]) == (1, True)
    whole = page.post("/primer", params={"model": "small", "beats": 64}, content=data).json()
    assert not whole["cut"]
    assert written(page, asked(primer_notes=whole["notes"]))[-1] == {"done": True}


@pytest.mark.parametrize(
    ("data", "status", "word"),
    [
        (b"", 400, "not a MIDI file"),
        (b"RIFF....", 400, "not a MIDI file"),
        (b"MThd" + bytes(range(200)), 400, "not a MIDI file"),
        (midi_of([(0, 1, 40)], drums=True), 422, "drums do not count"),
        (midi_of([(0, 1, 10)]), 422, "G3 to C5"),
        (midi_of([(0, 1, 60)]) + bytes(5_000), 413, "over 5000 bytes"),
    ],
)
def test_files_without_music_are_refused_by_name(page: httpx.Client, data: bytes, status: int, word: str) -> None:
    """A picture that was chosen by mistake ends in a page that does nothing."""
    answer = page.post("/primer", params={"model": "small", "beats": 16}, content=data)
    assert answer.status_code == status
    assert word in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "query", [{}, {"model": "none", "beats": 16}, *({"model": "slow", "beats": n} for n in (0, 65, "²", 10**30))]
)
def test_a_file_for_no_model_is_refused(page: httpx.Client, query: dict[str, Any]) -> None:
    assert page.post("/primer", params=query, content=midi_of([(0, 1, 60)])).status_code == 422


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", ""])
def test_another_host_is_not_answered(studio: Served, host: str) -> None:
    """A name of somebody else's that points at this machine lets his page in (DNS rebinding)."""
    with page_of(studio, "page-of-the-test") as client:
        for method, address in (("GET", "/"), ("POST", "/continue")):
            answer = client.request(method, address, json=asked(), headers={"host": host})
            assert answer.status_code == 400
            assert "facts" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:1"}, {PAGE_HEADER: "no word"}],
)
def test_what_another_page_sends_is_refused(studio: Served, headers: dict[str, str]) -> None:
    """A page of another site has this machine write music, or read files."""
    with page_of(studio, "page-of-the-test") as client:
        for address, sent in (("/continue", {"json": asked()}), ("/primer", {"content": b"MThd"})):
            answer = client.post(address, headers=headers, **sent)
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers
        del client.headers[PAGE_HEADER]
        assert client.post("/continue", json=asked()).status_code == 403


def test_other_addresses_and_methods_are_errors_in_json(page: httpx.Client) -> None:
    for method, address, status in (("GET", "/none", 404), ("GET", "/continue", 405), ("POST", "/", 405)):
        answer = page.request(method, address)
        assert (answer.status_code, answer.json()["error"]["status"]) == (status, status)
    for address in (
        "/parts/app.py",
        "/parts/..%2fapp.py",
        "/parts/%2e%2e/app.py",
        "/music/none.mid",
        "/music/none.wav",
    ):
        assert page.get(address).status_code == 404


def test_every_answer_forbids_what_the_page_does_not_need(page: httpx.Client) -> None:
    """A script that slips into the page may load another, or the page be framed by another site."""
    for address in ("/", "/parts/studio.js", "/parts/player.js", "/parts/page.css", "/none"):
        headers = page.get(address).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in headers


def test_the_writing_stops_within_a_few_frames_when_the_page_is_gone(studio: Served, page: httpx.Client) -> None:
    """Stop is pressed, or the tab closed, and the machine goes on for minutes."""
    model = SLOW.model
    assert isinstance(model, Slow)
    with page.stream("POST", "/continue", json=asked(model="slow", length={"beats": 100})) as answer:
        lines = answer.iter_lines()
        place = json.loads(next(lines))["piece"]
        assert "music" in json.loads(next(lines))
        assert json.loads(next(lines))["frames"] >= 1
        assert studio.studio.desk.busy == 1
    frames = model.frames
    assert studio.idle(2)
    assert model.frames - frames <= 10
    settled = model.frames
    assert not waited(lambda: model.frames != settled, 0.2)
    assert page.get(f"/music/{place}.mid").status_code == 200  # as far as it came


def test_a_page_has_one_piece_at_a_time_and_the_latest_wish_wins(studio: Served, page: httpx.Client) -> None:
    """Continue is pressed again and again, and all pieces are written at once."""
    told: list[dict[str, Any]] = []

    def first() -> None:
        with page_of(studio, "page-of-the-test") as client:
            told.extend(written(client, asked(model="slow", length={"beats": 100})))

    thread = threading.Thread(target=first)
    thread.start()
    assert waited(lambda: studio.studio.desk.busy == 1)
    assert written(page, asked())[-1] == {"done": True}
    thread.join(5)
    assert told[-1] == {"stopped": True}


def test_so_many_pages_are_written_for_at_once_and_no_more(studio: Served, page: httpx.Client) -> None:
    """Forgotten tabs take all of the machine."""
    clients = [page_of(studio, f"page-number-{number}") for number in range(2)]
    wish = asked(model="slow", length={"beats": 100})
    streams = [client.stream("POST", "/continue", json=wish) for client in clients]
    begun = [stream.__enter__().iter_lines() for stream in streams]
    for lines in begun:
        assert "piece" in json.loads(next(lines))
    refused = page.post("/continue", json=asked())
    assert refused.status_code == 503
    assert "Try again" in refused.json()["error"]["message"]
    for stream, client in zip(streams, clients, strict=True):
        stream.__exit__(None, None, None)
        client.close()
    assert studio.idle()
    assert written(page, asked())[-1] == {"done": True}


def test_the_latest_pieces_are_kept_and_older_ones_go(page: httpx.Client) -> None:
    """Memory fills with pieces, or the one just heard cannot be downloaded."""
    places = [written(page, asked(length={"beats": 1}))[0]["piece"] for _ in range(4)]
    assert len(set(places)) == 4
    assert [page.get(f"/music/{place}.mid").status_code for place in places] == [404, 200, 200, 200]


def test_a_connection_that_says_nonsense_or_nothing_harms_nobody(studio: Served, page: httpx.Client) -> None:
    """A scanner of ports ends the studio."""
    host, port = studio.address.removeprefix("http://").split(":")
    for said in (
        b"",
        b"\x16\x03\x01nonsense\r\n\r\n",
        b"POST /continue HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{",
    ):
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(said)
    assert page.get("/").status_code == 200


def test_a_model_that_was_being_trained_plays_as_it_is_meant_to() -> None:
    """Dropout is heard, and pieces of several pages change each other's mode."""
    trained = small_model()
    trained.model.train()
    studio_app([trained])
    assert not trained.model.training


def test_models_need_names_of_their_own() -> None:
    """Of two models under one name, one can never be chosen."""
    with pytest.raises(SettingsError, match="different names"):
        studio_app([SLOW, SLOW])
    with pytest.raises(SettingsError, match="models"):
        studio_app([])
    with pytest.raises(SettingsError, match="at_once"):
        StudioLimits(at_once=0)
