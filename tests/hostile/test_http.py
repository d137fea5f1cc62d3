"""Requests to the service and to the studio: changed at random, halves of them, and readers that never read."""

import asyncio
import json
import logging
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from mutations import other_json, peak_growth
from starlette.types import Receive, Scope, Send
from studio_models import LIMITS, SMALL, filling_model, slow_model, small_model
from studio_server import Served, serve, served, waited

from pianoroll_seq2seq.pretrained import open_model, pretrained_names
from pianoroll_seq2seq.serving import RequestError, RequestLimits, Service, load_service
from pianoroll_seq2seq.serving.requests import parse_json
from pianoroll_seq2seq.studio import connections
from pianoroll_seq2seq.studio.access import AccessToken
from pianoroll_seq2seq.studio.exporting import export_piece
from pianoroll_seq2seq.studio.fill_request import parse_fill_request
from pianoroll_seq2seq.studio.limits import StudioLimits
from pianoroll_seq2seq.studio.opening import open_file
from pianoroll_seq2seq.studio.pieces import parse_piece
from pianoroll_seq2seq.studio.security import HEADERS, PAGE_HEADER
from pianoroll_seq2seq.studio.take_stream import stream_takes

pytestmark = pytest.mark.usefixtures("one_thread")

NOTES = [{"pitch": 60, "start_beat": 0, "duration_beats": 1}, {"pitch": 64, "start_beat": 1, "duration_beats": 0.5}]
SERVICE_REQUEST = {"primer_notes": NOTES, "num_frames": 4, "sampler": {"kind": "draw", "temperature": 1}, "seed": 3}
PIECE = {
    "beats_per_minute": 100,
    "beats_per_bar": 4,
    "beats": 8,
    "parts": [{"name": "melody", "program": 3, "is_drums": False}],
    "notes": [
        {"part": 0, "pitch": 60, "start": 0, "length": 1, "velocity": 70},
        {"part": 0, "pitch": 64, "start": 1, "length": 0.5, "velocity": 90},
    ],
}
STUDIO_REQUEST = {
    "model": "small",
    "piece": PIECE,
    "task": "continue",
    "bars": None,
    "parts": [0],
    "beats": 8,
    "takes": 2,
    "temperature": 0.8,
    "scale": [0, 2, 4],
    "seed": 3,
    "strength": None,
}
FILL_REQUEST = STUDIO_REQUEST | {"model": "filling", "task": "vary", "bars": [1, 1], "beats": None, "strength": 0.5}
FEW_FRAMES = RequestLimits(max_primer_frames=64, max_num_frames=64)
MOST_SECONDS, MOST_MEGABYTES = 5, 400
PAGE = {PAGE_HEADER: "page-of-the-test"}


@pytest.fixture(scope="module")
def studio() -> Iterator[Served]:
    with served([small_model()], LIMITS) as running:
        yield running


@pytest.mark.parametrize("count", [pytest.param(50, id="quick"), pytest.param(1_000, id="all", marks=pytest.mark.slow)])
def test_mutants(count: int) -> None:
    """A request ends in an error that is not a refusal, or takes much memory or time."""
    service = Service(SMALL.model, SMALL.layout, limits=FEW_FRAMES)
    models = {"small": SMALL, "filling": filling_model()}
    choice, growth, statuses = random.Random(1), peak_growth(), set[int]()
    for _ in range(count):
        raw = json.dumps(other_json(json.loads(json.dumps(SERVICE_REQUEST)), choice)).encode()
        studio_raw, fill_raw, piece_raw = (
            json.dumps(other_json(json.loads(json.dumps(one)), choice)).encode()
            for one in (STUDIO_REQUEST, FILL_REQUEST, PIECE)
        )
        begun = time.process_time()
        for call in (
            lambda raw=raw: service.answer_json(raw),
            lambda raw=studio_raw: parse_fill_request(raw, models, LIMITS),
            lambda raw=fill_raw: parse_fill_request(raw, models, LIMITS),
            lambda raw=piece_raw: export_piece(parse_piece(parse_json(raw, LIMITS.request), LIMITS), "mid"),
        ):
            try:
                call()
            except RequestError as error:
                statuses.add(error.status)
                json.dumps(error.to_json())
        assert time.process_time() - begun < MOST_SECONDS, (raw, studio_raw)
    assert growth() < MOST_MEGABYTES
    assert {400, 422} <= statuses <= {400, 413, 422}


def test_a_short_request_for_much_work_is_refused() -> None:
    """A request of 140 bytes takes 6 GB and a minute."""
    service = Service(SMALL.model, SMALL.layout)
    note = {"pitch": 60, "start_beat": 0, "duration_beats": 2_500}
    growth, begun = peak_growth(), time.process_time()
    for num_frames, words in ((10_000, "the limit is 500 frames"), (500, "at most 200 frames after this primer")):
        with pytest.raises(RequestError, match=words) as caught:
            service.answer({"primer_notes": [note], "num_frames": num_frames})
        assert caught.value.status == 413
    assert service.answer({"primer_notes": [note], "num_frames": 200})["num_frames"] == 200
    assert time.process_time() - begun < MOST_SECONDS
    assert growth() < MOST_MEGABYTES


def many_notes(count: int, **changes: Any) -> dict[str, Any]:
    """A piece with many notes of a model of one part, all over its bars."""
    notes = [
        {
            "part": 0,
            "pitch": 55 + index % 18,
            "start": index * 7 % 800 + 0.25,
            "length": 2.0,
            "velocity": 1 + index % 127,
        }
        for index in range(count)
    ]
    return PIECE | {"beats": 800, "notes": notes} | changes


def test_thousands_of_notes() -> None:
    """A piece with as many notes as the page may have holds a core, or the memory."""
    models, limits = {"small": SMALL, "filling": filling_model()}, StudioLimits()
    growth, begun = peak_growth(), time.process_time()
    most = limits.request.max_primer_notes
    request = FILL_REQUEST | {"piece": many_notes(most), "bars": [100, 100], "takes": 1}
    *_, done = stream_takes(parse_fill_request(json.dumps(request).encode(), models, limits))
    assert done == {"take": 0, "done": True}
    opened, changes = open_file(export_piece(parse_piece(many_notes(most), limits), "mid").data, SMALL, limits)
    assert (len(opened.notes), changes) == (most, [])
    with pytest.raises(RequestError, match="the limit is 20000"):
        parse_piece(many_notes(most + 1), limits)
    assert time.process_time() - begun < 6 * MOST_SECONDS
    assert growth() < MOST_MEGABYTES


@pytest.mark.parametrize("count", [pytest.param(60, id="quick"), pytest.param(2_000, id="all", marks=pytest.mark.slow)])
def test_mutants_of_files_that_are_opened(count: int) -> None:
    """A damaged file stops the studio, or gives a piece that no request may hold."""
    piece, choice, growth, opened = parse_piece(PIECE, LIMITS), random.Random(2), peak_growth(), 0
    files = [export_piece(piece, name).data for name in ("mid", "musicxml")]
    models = [SMALL, filling_model()]
    for _ in range(count):
        data = bytearray(choice.choice(files))
        for _ in range(choice.randrange(1, 6)):
            data[choice.randrange(len(data))] = choice.randrange(256)
        if choice.random() < 0.2:
            del data[choice.randrange(len(data)) :]
        begun = time.process_time()
        try:
            read, changes = open_file(bytes(data), choice.choice(models), LIMITS)
        except RequestError as error:
            json.dumps(error.to_json())
        else:
            opened += 1
            parse_piece(json.loads(json.dumps(read.to_json(), allow_nan=False)), LIMITS)
            assert all(change.endswith((".", "]'")) for change in changes), changes
        assert time.process_time() - begun < MOST_SECONDS, bytes(data)
    assert opened > count / 10
    assert growth() < MOST_MEGABYTES


@pytest.mark.parametrize("task", ["continue", "vary"])
def test_the_studio_refuses_what_would_take_minutes(task: str) -> None:
    """A request of some bytes holds a core for minutes."""
    models, limits = {"small": SMALL, "filling": filling_model()}, StudioLimits()
    request = STUDIO_REQUEST if task == "continue" else FILL_REQUEST
    long = {"beats": 900} if task == "continue" else {"bars": [1, 200], "piece": many_notes(9)}
    growth, begun = peak_growth(), time.process_time()
    with pytest.raises(RequestError, match="Ask for fewer bars or takes") as caught:
        parse_fill_request(json.dumps(request | long | {"takes": 4}).encode(), models, limits)
    assert caught.value.status == 413
    assert time.process_time() - begun < MOST_SECONDS
    assert growth() < MOST_MEGABYTES


@pytest.mark.slow
@pytest.mark.parametrize("model", pretrained_names())
def test_the_heaviest_requests_that_the_studio_accepts(model: str) -> None:
    """A click holds a core for a minute, or takes the memory of the machine."""
    models, limits = {model: open_model(model)}, StudioLimits()
    parts = [{"name": part.name, "program": 0} for part in models[model].parts]
    piece = PIECE | {"parts": parts, "notes": [], "beats_per_minute": 400}
    beats = 232 if model == "bach-chords" else 250  # it is given 16 of silence
    request = {"model": model, "piece": piece, "task": "continue", "beats": beats, "takes": 4}
    growth, begun = peak_growth(), time.process_time()
    *_, done = stream_takes(parse_fill_request(json.dumps(request).encode(), models, limits))
    assert done == {"take": 3, "done": True}
    assert time.process_time() - begun < 30
    assert growth() < MOST_MEGABYTES
    with pytest.raises(RequestError, match="Ask for fewer"):
        parse_fill_request(json.dumps(request | {"beats": beats + 20}).encode(), models, limits)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-0.0", "1e-320"])
def test_numbers_that_are_none(number: str) -> None:
    """What is not a number comes through to the model, or out of it."""
    models, statuses, ends = {"filling": filling_model()}, set[int](), list[object]()
    for holder, key in _numbers(FILL_REQUEST):
        request = json.loads(json.dumps(FILL_REQUEST))
        here = next(one for one in _numbers(request) if (one[1], str(one[0])) == (key, str(holder)))
        here[0][here[1]] = "here"
        raw = json.dumps(request).replace('"here"', number).encode()
        try:
            lines = list(stream_takes(parse_fill_request(raw, models, LIMITS)))
        except RequestError as error:
            statuses.add(error.status)
        else:
            json.dumps(lines, allow_nan=False)
            ends.append(lines[-1].get("done"))
    assert statuses <= {400, 422}
    assert all(ends)


@pytest.mark.slow
@pytest.mark.parametrize(("primer_frames", "num_frames"), [(4_000, 500), (10_000, 200)])
def test_the_heaviest_requests_that_are_accepted(primer_frames: int, num_frames: int) -> None:
    """A request holds a core for a minute, or takes the memory of the machine."""
    service = load_service("bach-chorales")
    note = {"part": "soprano", "pitch": 72, "start_beat": 0, "duration_beats": primer_frames / 4}
    growth, begun = peak_growth(), time.process_time()
    assert service.answer({"primer_notes": [note], "num_frames": num_frames})["num_frames"] == num_frames
    assert time.process_time() - begun < 10
    assert growth() < MOST_MEGABYTES


@pytest.mark.parametrize("number", ["1" + "0" * 400, "-1" + "0" * 400, "1e400", "1" + "0" * 5_000, "1e308", "5e-324"])
def test_numbers_of_many_digits(studio: Served, number: str) -> None:
    """A number of 401 digits is answered with 500."""
    with httpx.Client(base_url=studio.address, headers=PAGE, timeout=20, trust_env=False) as client:
        for place in range(len(list(_numbers(STUDIO_REQUEST)))):
            request = json.loads(json.dumps(STUDIO_REQUEST))
            holder, key = list(_numbers(request))[place]
            holder[key] = "here"
            answer = client.post("/fill", content=json.dumps(request).replace('"here"', number))
            assert answer.status_code in (200, 400, 413, 422), answer.text
        for address in (f"/samples/{number}.json", f"/open?model={number}", f"/export?format={number}", f"/{number}"):
            assert client.post(address).status_code in (400, 404, 405, 422)
            assert client.get(address).status_code in (404, 405)


def test_an_error_of_the_program_has_the_security_headers(
    studio: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer of status 500 goes out without the headers of all others."""

    def fail(name: str) -> str:
        raise ArithmeticError(name)

    monkeypatch.setattr("pianoroll_seq2seq.studio.app.page_asset", fail)
    answer = httpx.get(f"{studio.address}/assets/studio.js", trust_env=False)
    assert answer.status_code == 500
    assert "ArithmeticError" in answer.json()["error"]["message"]
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    caplog.clear()  # the traceback is for the terminal


def test_half_a_request_ends_and_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that send a part of a request stay open for ever."""
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.3)
    with served([small_model()], LIMITS) as running:
        head = b"POST /fill HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Studio-Page: page-of-the-test\r\nContent-Length: 99\r\n"
        whole = b"GET /assets/page.css HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        for data in (b"", b"GET / HT", head, head + b"\r\n{", whole + head + b"\r\n{"):
            with _connection(running.address) as connection:
                connection.sendall(data)
                begun = time.monotonic()
                while connection.recv(65_536):
                    pass
                assert time.monotonic() - begun < 3
        assert waited(lambda: not running.server.server_state.connections)


def test_a_slow_body_that_arrives_in_time_is_read() -> None:
    with served([small_model()], LIMITS) as running, _connection(running.address) as connection:
        raw = json.dumps(STUDIO_REQUEST).encode()
        head = f"POST /fill HTTP/1.1\r\nHost: 127.0.0.1\r\n{PAGE_HEADER}: page-of-the-test\r\nConnection: close\r\n"
        for part in (head.encode(), f"Content-Length: {len(raw)}\r\n\r\n".encode(), raw[:9], raw[9:]):
            connection.sendall(part)
            time.sleep(0.05)
        answer = b""
        while data := connection.recv(65_536):
            answer += data
        assert b'{"take":1,"done":true}' in answer


def test_readers_that_never_read_lose_their_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four of them hold all jobs for ever."""
    monkeypatch.setattr(connections, "READ_SECONDS", 0.3)
    running, ended = threading.Semaphore(0), threading.Semaphore(0)

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        """Sends until the page has left, as the stream of a piece does."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        running.release()
        leaving = asyncio.create_task(_left(receive))
        while not leaving.done():
            await send({"type": "http.response.body", "body": bytes(65_536), "more_body": True})
            await asyncio.sleep(0)
        ended.release()

    with serve(endless) as (address, _), _connection(address) as unread, _connection(address) as read:
        for connection in (unread, read):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert running.acquire(timeout=5)
        until = time.monotonic() + 1
        while time.monotonic() < until:  # one that reads goes on
            assert read.recv(2**20)
        assert ended.acquire(timeout=5)
        assert read.recv(2**20)
    assert ended.acquire(timeout=5)


def test_a_client_that_leaves_within_the_body_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """Each closed tab prints a traceback."""
    with served([small_model()], LIMITS) as running, caplog.at_level(logging.INFO):
        logging.getLogger("uvicorn.error").addHandler(caplog.handler)
        try:
            for _ in range(3):
                with _connection(running.address) as connection:
                    head = f"POST /fill HTTP/1.1\r\nHost: 127.0.0.1\r\n{PAGE_HEADER}: page-of-the-test\r\n"
                    connection.sendall(f"{head}Content-Length: 999\r\n\r\n".encode() + b"{")
                    time.sleep(0.05)
            assert waited(lambda: not running.server.server_state.connections)
            assert waited(lambda: not running.server.server_state.tasks)
        finally:
            logging.getLogger("uvicorn.error").removeHandler(caplog.handler)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_closing_while_pieces_are_written_is_quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Ctrl-C while a piece is written prints tracebacks, or waits for the end of the piece."""
    logger = logging.getLogger("uvicorn.error")
    with served([slow_model(0.5)], LIMITS) as running:
        logger.addHandler(caplog.handler)
        request = STUDIO_REQUEST | {"model": "slow", "beats": 100, "scale": None}
        with _connection(running.address) as connection:
            raw = json.dumps(request).encode()
            head = f"POST /fill HTTP/1.1\r\nHost: 127.0.0.1\r\n{PAGE_HEADER}: page-of-the-test\r\n"
            connection.sendall(f"{head}Content-Length: {len(raw)}\r\n\r\n".encode() + raw)
            assert b"begin" in connection.recv(65_536) + connection.recv(65_536)
            begun = time.monotonic()
            running.server.should_exit = True
            assert waited(lambda: not running.server.server_state.tasks, 8)
            assert time.monotonic() - begun < 8
    logger.removeHandler(caplog.handler)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_studio_with_a_token_answers_nobody_without_it() -> None:
    """Every user of the machine can read what is drawn, and use the processor."""
    token = AccessToken()
    with served([small_model()], LIMITS, token=token) as running:
        with httpx.Client(base_url=running.address, headers=PAGE, trust_env=False, follow_redirects=True) as client:
            for given in ("", "?token=", "?token=wrong", f"?token={token.text[:-1]}", "?token=%ff", "?token=\u00e9"):
                assert client.get(f"/{given}").status_code == 403
            port = running.address.rsplit(":", 1)[1]
            for cookie in ("", f"studio-{port}=wrong", f"studio-1={token.text}", f"studio-{port}=\u00ff"):
                for method, address in [
                    ("GET", address) for address in ("/", "/assets/studio.js", "/samples/0.json")
                ] + [("POST", address) for address in ("/fill", "/open?model=small", "/export?format=mid")]:
                    answer = client.request(method, address, headers={b"cookie": cookie.encode()})
                    assert answer.status_code == 403
                    assert "script" not in answer.text
                    assert answer.headers["x-frame-options"] == "DENY"
            assert client.get(f"/assets/studio.js?token={token.text}").status_code == 403
            page = client.get(f"/?token={token.text}")
            assert page.status_code == 200
            assert str(page.url) == f"{running.address}/"  # the address bar and the history do not show the token
            assert "HttpOnly" in page.history[0].headers["set-cookie"]
            assert client.get("/assets/studio.js").status_code == 200
            assert client.post("/fill", json=STUDIO_REQUEST).status_code == 200
            assert client.post("/export?format=mid", json=PIECE).status_code == 200
        ticket = token.ticket()
        for status in (200, 403):  # the address with which the browser is started opens the page once
            with httpx.Client(base_url=running.address, trust_env=False, follow_redirects=True) as client:
                assert client.get(f"/?token={ticket}").status_code == status


async def _left(receive: Receive) -> None:
    """Waits until the page has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


@contextmanager
def _connection(address: str) -> Iterator[socket.socket]:
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        yield connection


def _numbers(content: Any) -> Iterator[tuple[Any, Any]]:
    """The place of each number in the content."""
    for key, value in content.items() if isinstance(content, dict) else enumerate(content):
        if isinstance(value, dict | list):
            yield from _numbers(value)
        elif not isinstance(value, str):
            yield content, key
