"""The studio's server, over a real connection: requests of its page, invalid ones and hostile ones."""

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from studio_models import FAILING, SLOW, SMALL, Slow, conditional_model, small_model
from studio_server import Served, waited

from pianoroll_seq2seq.data.conditions import pitch_class_vector
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.midi_io import to_midi_bytes
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.sampling import Draw, ScaleConstrained, generate
from pianoroll_seq2seq.score import NoteTable, Score
from pianoroll_seq2seq.studio.app import studio_app
from pianoroll_seq2seq.studio.limits import StudioLimits
from pianoroll_seq2seq.studio.security import PAGE_HEADER
from pianoroll_seq2seq.tempo import TempoMap

NOTES = [
    {"pitch": 60, "start_beat": 0, "duration_beats": 1},
    {"pitch": 64, "start_beat": 1, "duration_beats": 1},
    {"pitch": 67, "start_beat": 1.5, "duration_beats": 2.5},
]


@pytest.fixture
def page(studio: Served) -> Iterator[httpx.Client]:
    """A client of the studio's own page; afterwards the server must still work."""
    with client_of(studio, "page-of-the-test") as client:
        yield client
        assert studio.idle()
        assert generated(client, request_of(model="onsets", length={"beats": 1}))[-1] == {"done": True}


def client_of(studio: Served, name: str) -> httpx.Client:
    headers = {PAGE_HEADER: name, "origin": studio.address}
    return httpx.Client(base_url=studio.address, headers=headers, timeout=20, trust_env=False)


def request_of(**changes: Any) -> dict[str, Any]:
    """A valid request with changes; a field set to ... is left out."""
    request = {
        "model": "small",
        "primer_notes": NOTES,
        "beats_per_minute": 100,
        "length": {"beats": 8},
        "seed": 3,
    } | changes
    return {name: value for name, value in request.items() if value is not ...}


def generated(client: httpx.Client, request: dict[str, Any]) -> list[dict[str, Any]]:
    answer = client.post("/continue", json=request)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def piece_of(client: httpx.Client, parts: list[dict[str, Any]], **settings: Any) -> PianoRoll:
    data = client.get(f"/pieces/{parts[0]['piece_id']}.mid").raise_for_status().content
    return PianoRoll.from_midi(data, **settings)


def test_a_piece_is_streamed_and_cached_as_a_midi_file(page: httpx.Client) -> None:
    """The studio generates other music than the library for the same request."""
    trained = SMALL
    parts = generated(page, request_of(sampler={"kind": "draw", "temperature": 0.8}))
    assert parts[-1] == {"done": True}
    piece = piece_of(page, parts, pitches=trained.pitches)
    primer = piece[:16]
    assert [int(pitch) for pitch in primer.notes().pitch] == [60, 64, 67]
    following = generate(trained.model, primer, num_frames=32, sampler=Draw(0.8), seed=3)
    assert np.array_equal(piece[16:].active, following.active[: len(piece) - 16])
    assert not following.active[len(piece) - 16 :].any()
    assert piece.tempo.us_per_beat_at(0) == 600_000


def test_seed_and_temperature_determine_the_piece(page: httpx.Client) -> None:
    """A piece cannot be generated again, or the temperature has no effect."""
    first, again = generated(page, request_of())[1:], generated(page, request_of())[1:]
    notes = [sorted(note for part in parts for note in part.get("notes", [])) for parts in (first, again)]
    assert notes[0] == notes[1]
    for change in ({"seed": 4}, {"sampler": {"kind": "draw", "temperature": 0.3}}):
        other = generated(page, request_of(**change))[1:]
        assert sorted(note for part in other for note in part.get("notes", [])) != notes[0]


@pytest.mark.parametrize(
    ("model", "length", "num_frames"),
    [
        ("small", {"beats": 2}, 8),
        ("small", {"seconds": 6}, 40),
        ("in seconds", {"seconds": 2}, 100),
        ("in seconds", {"beats": 5}, 150),
        ("small", {"beats": 0}, 1),
    ],
)
def test_lengths_are_in_beats_or_seconds(
    page: httpx.Client, model: str, length: dict[str, float], num_frames: int
) -> None:
    """Eight seconds are requested, and eight beats are generated."""
    parts = generated(page, request_of(model=model, length=length))
    assert parts[-2]["num_frames"] == num_frames


def test_a_scale_is_a_condition_or_a_constraint(page: httpx.Client) -> None:
    """A piece is not in the chosen scale, or a conditional model does not get the scale as its condition."""
    scale = [0, 2, 4, 7, 9]
    trained = SMALL
    parts = generated(page, request_of(scale=scale, length={"beats": 16}))
    piece = piece_of(page, parts, pitches=trained.pitches)
    columns = np.nonzero(piece[16:].active.any(axis=0))[0] + 55
    assert len(columns) > 3
    assert set(columns % 12) <= set(scale)
    constrained = generate(
        trained.model, piece[:16], num_frames=64, sampler=ScaleConstrained(Draw(), (*scale,), trained.layout), seed=3
    )
    assert np.array_equal(piece[16:].active, constrained.active[: len(piece) - 16])

    conditional = conditional_model()
    parts = generated(page, request_of(model="conditional", scale=scale))
    piece = piece_of(page, parts, pitches=conditional.pitches)
    expected = generate(conditional.model, piece[:16], num_frames=32, seed=3, condition=pitch_class_vector(scale))
    assert np.array_equal(piece[16:].active, expected.active[: len(piece) - 16])


def test_errors_of_a_model_are_in_the_stream(page: httpx.Client) -> None:
    """A model that needs a scale, or that fails, leaves the page waiting."""
    parts = generated(page, request_of(model="conditional"))
    assert "condition" in parts[-1]["error"]["message"]
    FAILING.model.frames = 0  # type: ignore[attr-defined]
    parts = generated(page, request_of(model="failing"))
    assert "broken on purpose" in parts[-1]["error"]["message"]
    assert len(piece_of(page, parts, pitches=FAILING.pitches)) <= 16 + 7


@pytest.mark.parametrize(
    ("changes", "status", "word"),
    [
        ({"model": "../../etc/passwd"}, 422, "is not open"),
        ({"model": ...}, 422, "model"),
        ({"primer_notes": []}, 422, "empty"),
        ({"primer_notes": ...}, 400, "neither"),
        ({"primer_midi": "TVRoZA=="}, 400, "primer_midi"),
        ({"primer_notes": [NOTES[0] | {"pitch": 20}]}, 422, "55..72"),
        ({"primer_notes": [NOTES[0] | {"pitch": "C4"}]}, 400, "must be an integer"),
        ({"primer_notes": [NOTES[0] | {"start_beat": 1e9}]}, 413, "over 3000 frames"),
        ({"primer_notes": [NOTES[0] | {"start_beat": 900.0}]}, 413, "over 3000 frames"),
        ({"primer_notes": [NOTES[0]] * 51}, 413, "the limit is 50"),
        ({"beats_per_minute": 0}, 422, "beats_per_minute"),
        ({"beats_per_minute": "fast"}, 400, "must be a number"),
        ({"beats_per_minute": True}, 400, "must be a number"),
        ({"length": 8}, 400, "length"),
        ({"length": {"beats": -1}}, 422, "length.beats"),
        ({"length": {"beats": 1e300}}, 422, "length.beats"),
        ({"length": {"bars": 4}}, 400, "length"),
        ({"length": {"seconds": 119}}, 413, "the limit is 120"),
        ({"scale": []}, 400, "pitch classes"),
        ({"scale": [12]}, 422, "0 (C) to 11 (B)"),
        ({"scale": ["C"]}, 400, "pitch classes"),
        ({"seed": -1}, 422, "seed"),
        ({"sampler": {"kind": "draw", "temperature": 0}}, 422, "temperature"),
        ({"sampler": {"kind": "beam"}}, 400, "sampler.kind"),
        ({"condition": [1.0]}, 400, "unknown"),
    ],
)
def test_invalid_requests_are_refused_with_a_reason(
    page: httpx.Client, changes: dict[str, Any], status: int, word: str
) -> None:
    """An invalid request gives a piece, an error without a reason, or stops the server."""
    answer = page.post("/continue", json=request_of(**changes))
    assert answer.status_code == status, answer.text
    message = answer.json()["error"]["message"]
    assert word in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"{", 400), (b"[]", 400), (b"\xff", 400), (b"[" * 9000, 400), (b"1" * 20_001, 413)],
)
def test_malformed_bodies_are_refused(page: httpx.Client, body: bytes, status: int) -> None:
    """A malformed body stops the server."""
    assert page.post("/continue", content=body).status_code == status


def midi_of(notes: list[tuple[float, float, int]], *, drums: bool = False) -> bytes:
    """A file at 90 beats a minute of (start, end, pitch), in beats."""
    ticks = [[round(note[end] * 480) for note in notes] for end in (0, 1)]
    table = NoteTable(*ticks, [note[2] for note in notes], [90] * len(notes), [0] * len(notes))
    return to_midi_bytes(Score(table, TempoMap.from_bpm(90), (Part("", drums=drums),)))


def test_a_midi_file_becomes_notes_to_draw(page: httpx.Client) -> None:
    """The drawn primer differs from the file."""
    data = midi_of([(4, 5, 60), (4.5, 7, 20), (5, 30, 64), (21, 22, 62)])
    answer = page.post("/primer", params={"model": "small", "beats": 8}, content=data).raise_for_status().json()
    assert answer["notes"] == [
        {"pitch": 60, "start_beat": 0.0, "duration_beats": 1.0},
        {"pitch": 64, "start_beat": 1.0, "duration_beats": 7.0},
    ]
    assert answer["beats_per_minute"] == 90
    assert (answer["num_dropped"], answer["truncated"]) == (1, True)
    whole = page.post("/primer", params={"model": "small", "beats": 64}, content=data).json()
    assert not whole["truncated"]
    assert generated(page, request_of(primer_notes=whole["notes"]))[-1] == {"done": True}


@pytest.mark.parametrize(
    ("data", "status", "word"),
    [
        (b"", 400, "not a readable MIDI file"),
        (b"RIFF....", 400, "not a readable MIDI file"),
        (b"MThd" + bytes(range(200)), 400, "not a readable MIDI file"),
        (midi_of([(0, 1, 40)], drums=True), 422, "drums do not count"),
        (midi_of([(0, 1, 10)]), 422, "G3 to C5"),
        (midi_of([(0, 1, 60)]) + bytes(5_000), 413, "over 5000 bytes"),
    ],
)
def test_files_without_usable_notes_are_refused(page: httpx.Client, data: bytes, status: int, word: str) -> None:
    """A wrong file is not reported."""
    answer = page.post("/primer", params={"model": "small", "beats": 16}, content=data)
    assert answer.status_code == status
    assert word in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "query", [{}, {"model": "none", "beats": 16}, *({"model": "slow", "beats": n} for n in (0, 65, "²", 10**30))]
)
def test_a_file_for_no_model_is_refused(page: httpx.Client, query: dict[str, Any]) -> None:
    assert page.post("/primer", params=query, content=midi_of([(0, 1, 60)])).status_code == 422


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", ""])
def test_other_hosts_are_refused(studio: Served, host: str) -> None:
    """A domain name that points to this machine gives another site access (DNS rebinding)."""
    with client_of(studio, "page-of-the-test") as client:
        for method, address in (("GET", "/"), ("POST", "/continue")):
            answer = client.request(method, address, json=request_of(), headers={"host": host})
            assert answer.status_code == 400
            assert "settings" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:1"}, {PAGE_HEADER: "no word"}],
)
def test_requests_of_other_pages_are_refused(studio: Served, headers: dict[str, str]) -> None:
    """A page of another site can generate music or convert files on this machine."""
    with client_of(studio, "page-of-the-test") as client:
        for address, sent in (("/continue", {"json": request_of()}), ("/primer", {"content": b"MThd"})):
            answer = client.post(address, headers=headers, **sent)
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers
        del client.headers[PAGE_HEADER]
        assert client.post("/continue", json=request_of()).status_code == 403


def test_other_addresses_and_methods_are_errors_in_json(page: httpx.Client) -> None:
    for method, address, status in (("GET", "/none", 404), ("GET", "/continue", 405), ("POST", "/", 405)):
        answer = page.request(method, address)
        assert (answer.status_code, answer.json()["error"]["status"]) == (status, status)
    for address in (
        "/assets/app.py",
        "/assets/..%2fapp.py",
        "/assets/%2e%2e/app.py",
        "/pieces/none.mid",
        "/pieces/none.wav",
    ):
        assert page.get(address).status_code == 404


def test_every_response_has_the_security_headers(page: httpx.Client) -> None:
    """An injected script can load others, or another site can frame the page."""
    for address in ("/", "/assets/studio.js", "/assets/pianoroll.js", "/assets/page.css", "/none"):
        headers = page.get(address).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in headers


def test_generation_stops_soon_after_the_page_disconnects(studio: Served, page: httpx.Client) -> None:
    """After Stop, or when the tab is closed, generation continues for minutes."""
    model = SLOW.model
    assert isinstance(model, Slow)
    with page.stream("POST", "/continue", json=request_of(model="slow", length={"beats": 100})) as answer:
        lines = answer.iter_lines()
        piece_id = json.loads(next(lines))["piece_id"]
        assert "opening" in json.loads(next(lines))
        assert json.loads(next(lines))["num_frames"] >= 1
        assert studio.studio.sessions.num_jobs == 1
    frames = model.frames
    assert studio.idle(2)
    assert model.frames - frames <= 10
    settled = model.frames
    assert not waited(lambda: model.frames != settled, 0.2)
    assert page.get(f"/pieces/{piece_id}.mid").status_code == 200  # the frames so far


def test_a_new_request_of_a_page_cancels_the_one_before(studio: Served, page: httpx.Client) -> None:
    """Each click on Continue starts another piece beside the ones before."""
    parts: list[dict[str, Any]] = []

    def first() -> None:
        with client_of(studio, "page-of-the-test") as client:
            parts.extend(generated(client, request_of(model="slow", length={"beats": 100})))

    thread = threading.Thread(target=first)
    thread.start()
    assert waited(lambda: studio.studio.sessions.num_jobs == 1)
    assert generated(page, request_of())[-1] == {"done": True}
    thread.join(5)
    assert parts[-1] == {"cancelled": True}


def test_the_number_of_jobs_is_limited(studio: Served, page: httpx.Client) -> None:
    """Forgotten tabs use the whole machine."""
    clients = [client_of(studio, f"page-number-{number}") for number in range(2)]
    request = request_of(model="slow", length={"beats": 100})
    streams = [client.stream("POST", "/continue", json=request) for client in clients]
    streamed = [stream.__enter__().iter_lines() for stream in streams]
    for lines in streamed:
        assert "piece_id" in json.loads(next(lines))
    refused = page.post("/continue", json=request_of())
    assert refused.status_code == 503
    assert "Try again" in refused.json()["error"]["message"]
    for stream, client in zip(streams, clients, strict=True):
        stream.__exit__(None, None, None)
        client.close()
    assert studio.idle()
    assert generated(page, request_of())[-1] == {"done": True}


def test_only_the_latest_pieces_are_cached(page: httpx.Client) -> None:
    """Pieces fill the memory, or the latest one cannot be downloaded."""
    piece_ids = [generated(page, request_of(length={"beats": 1}))[0]["piece_id"] for _ in range(4)]
    assert len(set(piece_ids)) == 4
    assert [page.get(f"/pieces/{piece_id}.mid").status_code for piece_id in piece_ids] == [404, 200, 200, 200]


def test_malformed_connections_do_no_harm(studio: Served, page: httpx.Client) -> None:
    """A port scanner stops the studio."""
    host, port = studio.address.removeprefix("http://").split(":")
    for data in (
        b"",
        b"\x16\x03\x01nonsense\r\n\r\n",
        b"POST /continue HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{",
    ):
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(data)
    assert page.get("/").status_code == 200


def test_models_are_put_into_evaluation_mode() -> None:
    """Dropout changes the music, or pages change the mode during each other's jobs."""
    trained = small_model()
    trained.model.train()
    studio_app([trained])
    assert not trained.model.training


def test_names_of_models_must_differ() -> None:
    """One of two models with the same name can never be selected."""
    with pytest.raises(SettingsError, match="different names"):
        studio_app([SLOW, SLOW])
    with pytest.raises(SettingsError, match="models"):
        studio_app([])
    with pytest.raises(SettingsError, match="max_jobs"):
        StudioLimits(max_jobs=0)
