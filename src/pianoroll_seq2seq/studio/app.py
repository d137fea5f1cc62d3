"""The studio's web application: the page and the requests of its scripts."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import closing
from typing import Any

from pianoroll_seq2seq.errors import MissingExtraError, PianoRollSeq2SeqError, SettingsError
from pianoroll_seq2seq.midi_io import to_midi_bytes
from pianoroll_seq2seq.models.modes import Evaluation
from pianoroll_seq2seq.pretrained.trained_model import TrainedModel
from pianoroll_seq2seq.serving.errors import RequestError
from pianoroll_seq2seq.studio.access import AccessToken, RequireToken
from pianoroll_seq2seq.studio.fill_request import parse_fill_request
from pianoroll_seq2seq.studio.generation_request import parse_generation_request
from pianoroll_seq2seq.studio.limits import StudioLimits
from pianoroll_seq2seq.studio.page import ASSETS, page_asset, page_html
from pianoroll_seq2seq.studio.partial_piece import PartialPiece
from pianoroll_seq2seq.studio.primers import import_primer
from pianoroll_seq2seq.studio.security import ALLOWED_HOSTS, HEADERS, SecureHeaders, page_id_of, read_body
from pianoroll_seq2seq.studio.sessions import Job, Sessions
from pianoroll_seq2seq.studio.streaming import stream_piece
from pianoroll_seq2seq.studio.take_stream import stream_takes

try:
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.exceptions import HTTPException
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
    from starlette.routing import Route
    from starlette.types import Receive, Scope, Send
except ImportError as _missing:
    raise MissingExtraError("starlette", "studio", "The studio") from _missing


class Studio:
    """The handlers of the studio, one for each route.

    Args:
        models: the models by the names that the page offers.
        limits: bounds on requests.
    """

    def __init__(self, models: dict[str, TrainedModel], limits: StudioLimits) -> None:
        """Renders the page and starts without sessions."""
        self._models = models
        self._limits = limits
        self.sessions: Sessions = Sessions(limits)
        self._page = page_html(models.values(), limits)
        self._audio_lock = asyncio.Semaphore(1)

    async def page(self, request: Request) -> Response:
        """The page."""
        return HTMLResponse(self._page)

    async def asset(self, request: Request) -> Response:
        """A script or the style of the page."""
        name = request.path_params["name"]
        if name not in ASSETS:
            raise HTTPException(404)
        return Response(page_asset(name), media_type="text/css" if name.endswith(".css") else "text/javascript")

    async def primer(self, request: Request) -> Response:
        """Converts a MIDI file, the body of the request, to notes that the page draws."""
        page_id_of(request)
        data = await read_body(request, self._limits.request.max_midi_bytes, "midi")
        trained = self._models.get(request.query_params.get("model", ""))
        beats = request.query_params.get("beats", "")
        highest = self._limits.max_primer_beats
        if trained is None or not (beats.isascii() and beats.isdecimal()) or not 1 <= int(beats[:9]) <= highest:
            raise RequestError(422, "primer", f"needs ?model= with an open model, and &beats= with 1 to {highest}.")
        primer = await run_in_threadpool(
            import_primer, data, trained.pitches, beats=int(beats[:9]), limits=self._limits
        )
        return JSONResponse(vars(primer))

    async def continuation(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Generates a piece and streams its parts as lines of JSON."""
        http_request = Request(scope, receive)
        page_id = page_id_of(http_request)
        raw = await read_body(http_request, self._limits.request.max_request_bytes, "request")
        request = await run_in_threadpool(parse_generation_request, raw, self._models, self._limits)
        async with self.sessions.job(page_id) as job:
            piece = PartialPiece(request.primer, request.trained.layout)
            opening = [{"piece_id": self.sessions.add_piece(piece)}]
            lines = _stream_lines(_chained(opening, stream_piece(request, piece)), job)
            await StreamingResponse(lines, media_type="application/x-ndjson")(scope, receive, send)

    async def fill(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Writes a part of a piece, and streams its takes as lines of JSON."""
        http_request = Request(scope, receive)
        page_id = page_id_of(http_request)
        raw = await read_body(http_request, self._limits.request.max_request_bytes, "request")
        request = await run_in_threadpool(parse_fill_request, raw, self._models, self._limits)
        async with self.sessions.job(page_id) as job:
            lines = _stream_lines(stream_takes(request), job)
            await StreamingResponse(lines, media_type="application/x-ndjson")(scope, receive, send)

    async def midi(self, request: Request) -> Response:
        """A piece as a MIDI file."""
        roll = self.sessions.piece(request.path_params["piece_id"]).roll()
        return _download(await _convert(lambda: to_midi_bytes(roll.to_score())), "audio/midi", "continued.mid")

    async def wav(self, request: Request) -> Response:
        """A piece as a WAV file; one is rendered at a time."""
        roll = self.sessions.piece(request.path_params["piece_id"]).roll()
        async with self._audio_lock:
            return _download(await _convert(lambda: roll.to_audio().to_bytes("wav")), "audio/wav", "continued.wav")


def studio_app(
    models: Iterable[TrainedModel], *, limits: StudioLimits = StudioLimits(), token: AccessToken | None = None
) -> Starlette:
    """The application, for any ASGI server that serves it on this machine only.

    Args:
        models: the models that the page offers, the first one selected; their names must differ. They are put into
            evaluation mode.
        limits: bounds on requests.
        token: what the address must have; None answers every user of this machine.

    Raises:
        SettingsError: no models, or two models of the same name.
        ModelInUseError: ``fit`` trains a model in another thread.
    """
    listed = list(models)
    by_name = {trained.name: trained for trained in listed}
    if not listed or len(by_name) < len(listed):
        raise SettingsError(f"A studio needs models with different names, got {[trained.name for trained in listed]}.")
    for trained in listed:
        with Evaluation(trained.model):  # which is refused while fit trains the model
            pass
        trained.model.train(False)
    studio = Studio(by_name, limits)
    routes = [
        Route("/", studio.page),
        Route("/assets/{name}", studio.asset),
        Route("/primer", studio.primer, methods=["POST"]),
        Route("/continue", _Endpoint(studio.continuation), methods=["POST"]),
        Route("/fill", _Endpoint(studio.fill), methods=["POST"]),
        Route("/pieces/{piece_id}.mid", studio.midi),
        Route("/pieces/{piece_id}.wav", studio.wav),
    ]
    middleware = [Middleware(SecureHeaders), Middleware(TrustedHostMiddleware, allowed_hosts=list(ALLOWED_HOSTS))]
    if token is not None:
        middleware.append(Middleware(RequireToken, token))
    app = Starlette(
        routes=routes,
        middleware=middleware,
        exception_handlers={
            RequestError: _request_error_response,
            HTTPException: _http_error_response,
            Exception: _unexpected_error_response,
        },
    )
    app.state.studio = studio
    return app


class _Endpoint:
    """Wraps a method as an ASGI application, so that it runs until its response has been sent or aborted."""

    def __init__(self, handler: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._handler(scope, receive, send)


async def _stream_lines(parts: Iterator[dict[str, Any]], job: Job) -> AsyncIterator[str]:
    """The parts of a piece as lines of JSON, until the job is cancelled."""
    with closing(parts):  # type: ignore[type-var]
        while (part := await run_in_threadpool(next, parts, None)) is not None:
            yield _line(part)
            if job.cancelled:
                yield _line({"cancelled": True})
                return


def _chained(*parts: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for some in parts:
        yield from some


async def _convert(to_bytes: Callable[[], bytes]) -> bytes:
    """Converts a piece to a file in a worker thread."""
    try:
        return await run_in_threadpool(to_bytes)
    except PianoRollSeq2SeqError as error:
        raise RequestError(422, "piece", str(error)) from error


def _line(part: dict[str, Any]) -> str:
    return json.dumps(part, separators=(",", ":"), allow_nan=False) + "\n"


def _download(data: bytes, media_type: str, name: str) -> Response:
    return Response(data, media_type=media_type, headers={"content-disposition": f'attachment; filename="{name}"'})


async def _request_error_response(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    return JSONResponse(error.to_json(), status_code=error.status)


async def _unexpected_error_response(_: Request, error: Exception) -> Response:
    """The answer to an error of the program itself, outside of all middleware; the server logs it."""
    body = RequestError(500, "studio", f"the request failed ({type(error).__name__}); see the terminal.").to_json()
    return JSONResponse(body, status_code=500, headers=HEADERS)


async def _http_error_response(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    body = RequestError(error.status_code, request.url.path, error.detail).to_json()
    return JSONResponse(body, status_code=error.status_code, headers=error.headers)
