"""The studio's server, over a real connection: requests of its page, invalid ones and hostile ones."""

import base64
import io
import json
import socket
import threading
import wave
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from studio_models import SLOW, Slow, small_model
from studio_server import Served, waited

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.midi_io import read_midi
from pianoroll_seq2seq.serving.errors import RequestError
from pianoroll_seq2seq.studio.app import studio_app
from pianoroll_seq2seq.studio.limits import StudioLimits
from pianoroll_seq2seq.studio.samples import PITCHES, SECONDS, samples_json
from pianoroll_seq2seq.studio.security import PAGE_HEADER

PIECE = {
    "beats_per_minute": 100,
    "beats_per_bar": 4,
    "beats": 8,
    "parts": [{"name": "melody", "program": 0, "is_drums": False}],
    "notes": [{"part": 0, "pitch": 60 + index, "start": index, "length": 1, "velocity": 64} for index in range(4)],
}
SENT = ("/fill", "/open?model=small", "/export?format=mid")


@pytest.fixture
def page(studio: Served) -> Iterator[httpx.Client]:
    """A client of the studio's own page; afterwards the server must still work."""
    with client_of(studio, "page-of-the-test") as client:
        yield client
        assert studio.idle()
        assert filled(client, request_of(beats=1))[-1] == {"take": 0, "done": True}


def client_of(studio: Served, name: str) -> httpx.Client:
    headers = {PAGE_HEADER: name, "origin": studio.address}
    return httpx.Client(base_url=studio.address, headers=headers, timeout=20, trust_env=False)


def request_of(**changes: Any) -> dict[str, Any]:
    return {"model": "small", "piece": PIECE, "task": "continue", "beats": 4, "seed": 3} | changes


def filled(client: httpx.Client, request: dict[str, Any]) -> list[dict[str, Any]]:
    answer = client.post("/fill", json=request)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


def test_takes_are_streamed_as_lines(page: httpx.Client) -> None:
    opening, *lines = filled(page, request_of(takes=3))
    assert opening == {"begin": 4.0, "end": 8.0, "parts": [0], "takes": 3}
    assert lines[-3:] == [{"take": take, "done": True} for take in range(3)]
    assert any(line["notes"] for line in lines[:-3])
    assert {note["part"] for line in lines[:-3] for note in line["notes"]} == {0}


def test_invalid_requests_are_answered_with_a_sentence(page: httpx.Client) -> None:
    """The page shows a number, or nothing."""
    refused = page.post("/fill", json=request_of(task="fill"))
    assert refused.status_code == 422
    assert refused.json()["error"] == {
        "status": 422,
        "field": "task",
        "message": "task: small only continues music. Choose one that fills.",
    }
    assert page.post("/fill", content=b"{").status_code == 400
    assert page.post("/fill", content=b"1" * 20_001).status_code == 413


def test_a_file_is_opened_and_a_piece_is_exported(page: httpx.Client) -> None:
    saved = page.post("/export?format=mid", json=PIECE).raise_for_status()
    assert saved.headers["content-type"] == "audio/midi"
    assert saved.headers["content-disposition"] == 'attachment; filename="piece.mid"'
    assert read_midi(saved.content).notes.pitch.tolist() == [60, 61, 62, 63]
    opened = page.post("/open?model=small", content=saved.content).raise_for_status().json()
    assert opened == {"piece": PIECE, "changes": []}


@pytest.mark.parametrize(
    ("address", "content", "status", "words"),
    [
        ("/open", b"MThd", 422, "is not open"),
        ("/open?model=none", b"MThd", 422, "is not open"),
        ("/open?model=small", b"MThd", 400, "cannot be read"),
        ("/open?model=small", bytes(5_001), 413, "over 5000 bytes"),
        ("/export", json.dumps(PIECE).encode(), 422, "one of mid"),
        ("/export?format=../../etc", json.dumps(PIECE).encode(), 422, "one of mid"),
        ("/export?format=mid", json.dumps(PIECE | {"notes": []}).encode(), 422, "no notes"),
        ("/export?format=mid", b"[]", 400, "must be a JSON object"),
        ("/export?format=mid", b"[" * 9_000, 400, "JSON"),
        ("/export?format=wav", b" " * 20_001, 413, "over 20000 bytes"),
    ],
)
def test_wrong_files_and_pieces_are_refused(
    page: httpx.Client, address: str, content: bytes, status: int, words: str
) -> None:
    answer = page.post(address, content=content)
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]


@pytest.mark.parametrize("address", SENT)
@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:1"}, {PAGE_HEADER: "no word"}],
)
def test_requests_of_other_pages_are_refused(studio: Served, address: str, headers: dict[str, str]) -> None:
    """A page of another site has models write, or reads files, on this machine."""
    with client_of(studio, "page-of-the-test") as client:
        answer = client.post(address, headers=headers, json=request_of())
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
        assert client.post(address, json=request_of(), headers={"host": "evil.example"}).status_code == 400
        del client.headers[PAGE_HEADER]
        assert client.post(address, json=request_of()).status_code == 403
        assert client.get(address).status_code == 405


def test_writing_stops_soon_after_the_page_disconnects(studio: Served, page: httpx.Client) -> None:
    """After Stop, or when the tab is closed, the model writes for minutes."""
    model = SLOW.model
    assert isinstance(model, Slow)
    with page.stream("POST", "/fill", json=request_of(model="slow", beats=100)) as answer:
        lines = answer.iter_lines()
        assert "begin" in json.loads(next(lines))
        assert json.loads(next(lines))["take"] == 0
        assert studio.studio.sessions.num_jobs == 1
    frames = model.frames
    assert studio.idle(2)
    assert model.frames - frames <= 10
    settled = model.frames
    assert not waited(lambda: model.frames != settled, 0.2)


def test_a_new_request_of_a_page_cancels_the_one_before(studio: Served, page: httpx.Client) -> None:
    """Each click writes another take beside the ones before."""
    lines: list[dict[str, Any]] = []

    def first() -> None:
        with client_of(studio, "page-of-the-test") as client:
            lines.extend(filled(client, request_of(model="slow", beats=100)))

    thread = threading.Thread(target=first)
    thread.start()
    assert waited(lambda: studio.studio.sessions.num_jobs == 1)
    assert filled(page, request_of())[-1] == {"take": 0, "done": True}
    thread.join(5)
    assert lines[-1] == {"cancelled": True}


def test_an_instrument_is_sent_as_short_sounds(page: httpx.Client) -> None:
    """An instrument is out of tune, has other pitches than it says, or is rendered again for each note."""
    pytest.importorskip("midirenderer")
    answer = page.get("/samples/73.json").raise_for_status()
    assert len(answer.content) < 3_000_000
    sent = answer.json()
    assert sent["program"] == 73
    assert [one["pitch"] for one in sent["notes"]] == list(PITCHES)
    peaks = []
    for one in sent["notes"]:
        with wave.open(io.BytesIO(base64.b64decode(one["wav"]))) as file:
            rate, channels = file.getframerate(), file.getnchannels()
            sound = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2") / 2**15
        assert (channels, len(sound) / rate) == (1, SECONDS)
        peaks.append(np.abs(sound).max())
        period = rate / (440 * 2 ** ((one["pitch"] - 69) / 12))
        held = sound[rate : 2 * rate]
        same = [np.dot(held[:-lag], held[lag:]) for lag in (round(period), round(period * 1.33))]
        assert same[0] > 0.5 * np.dot(held, held)
        assert same[0] > same[1]
    assert max(peaks) == pytest.approx(0.7, abs=0.01)
    before = samples_json.cache_info().misses
    assert page.get("/samples/73.json").content == answer.content
    assert samples_json.cache_info().misses == before


@pytest.mark.parametrize("program", ["128", "-1", "999999999999999999999", "x", "52.5", "%2e%2e"])
def test_there_are_128_instruments(page: httpx.Client, program: str) -> None:
    assert page.get(f"/samples/{program}.json").status_code == 404


def test_without_a_soundfont_the_page_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pianoroll_seq2seq.display.audio.soundfont.is_available", lambda: False)
    with pytest.raises(RequestError, match=r"pianoroll-seq2seq\[audio\]") as caught:
        samples_json(3)
    assert caught.value.status == 501


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", ""])
def test_other_hosts_are_refused(studio: Served, host: str) -> None:
    """A domain name that points to this machine gives another site access (DNS rebinding)."""
    with client_of(studio, "page-of-the-test") as client:
        for method, address in (("GET", "/"), ("POST", "/fill")):
            answer = client.request(method, address, json=request_of(), headers={"host": host})
            assert answer.status_code == 400
            assert "settings" not in answer.text


def test_other_addresses_and_methods_are_errors_in_json(page: httpx.Client) -> None:
    for method, address, status in (("GET", "/none", 404), ("GET", "/fill", 405), ("POST", "/", 405)):
        answer = page.request(method, address)
        assert (answer.status_code, answer.json()["error"]["status"]) == (status, status)
    for address in (
        "/assets/app.py",
        "/assets/..%2fapp.py",
        "/assets/%2e%2e/app.py",
        "/pieces/none.mid",
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


def test_the_number_of_jobs_is_limited(studio: Served, page: httpx.Client) -> None:
    """Forgotten tabs use the whole machine."""
    clients = [client_of(studio, f"page-number-{number}") for number in range(2)]
    request = request_of(model="slow", beats=100)
    streams = [client.stream("POST", "/fill", json=request) for client in clients]
    streamed = [stream.__enter__().iter_lines() for stream in streams]
    for lines in streamed:
        assert "begin" in json.loads(next(lines))
    refused = page.post("/fill", json=request_of())
    assert refused.status_code == 503
    assert "Try again" in refused.json()["error"]["message"]
    for stream, client in zip(streams, clients, strict=True):
        stream.__exit__(None, None, None)
        client.close()
    assert studio.idle()
    assert filled(page, request_of())[-1] == {"take": 0, "done": True}


def test_malformed_connections_do_no_harm(studio: Served, page: httpx.Client) -> None:
    """A port scanner stops the studio."""
    host, port = studio.address.removeprefix("http://").split(":")
    for data in (
        b"",
        b"\x16\x03\x01nonsense\r\n\r\n",
        b"POST /fill HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{",
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
