"""The studio's web application: the page and the requests of its scripts."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import closing
from typing import Any

from pianoroll_seq2seq.errors import MissingExtraError, SettingsError
from pianoroll_seq2seq.models.modes import Evaluation
from pianoroll_seq2seq.pretrained.trained_model import TrainedModel
from pianoroll_seq2seq.serving.errors import RequestError
from pianoroll_seq2seq.serving.requests import parse_json
from pianoroll_seq2seq.studio.access import AccessToken, RequireToken
from pianoroll_seq2seq.studio.exporting import ExportedFile, export_piece
from pianoroll_seq2seq.studio.fill_request import model_named, parse_fill_request
from pianoroll_seq2seq.studio.limits import StudioLimits
from pianoroll_seq2seq.studio.opening import open_file
from pianoroll_seq2seq.studio.page import ASSETS, page_asset, page_html
from pianoroll_seq2seq.studio.pieces import parse_piece
from pianoroll_seq2seq.studio.samples import samples_json
from pianoroll_seq2seq.studio.security import ALLOWED_HOSTS, HEADERS, SecureHeaders, page_id_of, read_body
from pianoroll_seq2seq.studio.sessions import Job, Sessions
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

_PROGRAM_DIGITS = 3


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
        self._rendering = asyncio.Semaphore(1)

    async def page(self, request: Request) -> Response:
        """The page."""
        return HTMLResponse(self._page)

    async def asset(self, request: Request) -> Response:
        """A script or the style of the page."""
        name = request.path_params["name"]
        if name not in ASSETS:
            raise HTTPException(404)
        return Response(page_asset(name), media_type="text/css" if name.endswith(".css") else "text/javascript")

    async def fill(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Writes a part of a piece, and streams its takes as lines of JSON."""
        http_request = Request(scope, receive)
        page_id = page_id_of(http_request)
        raw = await read_body(http_request, self._limits.request.max_request_bytes, "request")
        request = await run_in_threadpool(parse_fill_request, raw, self._models, self._limits)
        async with self.sessions.job(page_id) as job:
            lines = _stream_lines(stream_takes(request), job)
            await StreamingResponse(lines, media_type="application/x-ndjson")(scope, receive, send)

    async def open(self, request: Request) -> Response:
        """Reads a MIDI or MusicXML file, the body of the request, as a piece."""
        page_id_of(request)
        data = await read_body(request, self._limits.request.max_midi_bytes, "file")
        trained = model_named(request.query_params.get("model"), self._models)
        piece, changes = await run_in_threadpool(open_file, data, trained, self._limits)
        return JSONResponse({"piece": piece.to_json(), "changes": changes})

    async def export(self, request: Request) -> Response:
        """The piece in the body of the request as a file; one is made at a time."""
        page_id_of(request)
        raw = await read_body(request, self._limits.request.max_request_bytes, "piece")
        file_format = request.query_params.get("format", "")
        async with self._rendering:
            file = await run_in_threadpool(self._export, raw, file_format)
        return _download(file.data, file.media_type, f"piece{file.ending}")

    def _export(self, raw: bytes, file_format: str) -> ExportedFile:
        return export_piece(parse_piece(parse_json(raw, self._limits.request), self._limits), file_format)

    async def samples(self, request: Request) -> Response:
        """The sounds of an instrument; those of one are rendered at a time."""
        name = request.path_params["program"]
        program = int(name) if name.isascii() and name.isdecimal() and len(name) <= _PROGRAM_DIGITS else -1
        async with self._rendering:
            content = await run_in_threadpool(samples_json, program)
        return Response(content, media_type="application/json")


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
        Route("/samples/{program}.json", studio.samples),
        Route("/open", studio.open, methods=["POST"]),
        Route("/export", studio.export, methods=["POST"]),
        Route("/fill", _Endpoint(studio.fill), methods=["POST"]),
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
