"""The studio's application: a page, and what its scripts ask for."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import closing
from typing import Any

from pianoroll_seq2seq.errors import MissingExtraError, PianoRollSeq2SeqError, SettingsError
from pianoroll_seq2seq.midi_io import to_midi_bytes
from pianoroll_seq2seq.serving.requests import RequestError
from pianoroll_seq2seq.studio.desk import Desk, Turn
from pianoroll_seq2seq.studio.guard import HOSTS, SecureHeaders, body_of, page_of
from pianoroll_seq2seq.studio.limits import StudioLimits
from pianoroll_seq2seq.studio.page import PARTS, page_html, part_of_page
from pianoroll_seq2seq.studio.primers import drawn_primer
from pianoroll_seq2seq.studio.wishes import parse_wish
from pianoroll_seq2seq.studio.writing import Draft, written
from pianoroll_seq2seq.trained import TrainedModel

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
    """What the studio does, one method for each address.

    Args:
        models: by the names under which the page offers them.
        limits: how much may be asked for.
    """

    def __init__(self, models: dict[str, TrainedModel], limits: StudioLimits) -> None:
        """With an empty desk."""
        self._models = models
        self._limits = limits
        self.desk: Desk = Desk(limits)
        self._page = page_html(models.values(), limits)
        self._one_rendering = asyncio.Semaphore(1)

    async def page(self, request: Request) -> Response:
        """The page."""
        return HTMLResponse(self._page)

    async def part(self, request: Request) -> Response:
        """A script or the style of the page."""
        name = request.path_params["name"]
        if name not in PARTS:
            raise HTTPException(404)
        return Response(part_of_page(name), media_type="text/css" if name.endswith(".css") else "text/javascript")

    async def primer(self, request: Request) -> Response:
        """A MIDI file, sent as the body, as notes to draw."""
        page_of(request)
        data = await body_of(request, self._limits.request.midi_bytes, "midi")
        trained = self._models.get(request.query_params.get("model", ""))
        beats = request.query_params.get("beats", "")
        most = self._limits.primer_beats
        if trained is None or not (beats.isascii() and beats.isdecimal()) or not 1 <= int(beats[:9]) <= most:
            raise RequestError(422, "primer", f"needs ?model=, one that is open here, and &beats=, 1 to {most}.")
        primer = await run_in_threadpool(drawn_primer, data, trained.pitches, beats=int(beats[:9]), limits=self._limits)
        return JSONResponse(vars(primer))

    async def continuation(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Writes a piece, and tells of it line by line while it does."""
        request = Request(scope, receive)
        client = page_of(request)
        raw = await body_of(request, self._limits.request.request_bytes, "request")
        wish = await run_in_threadpool(parse_wish, raw, self._models, self._limits)
        async with self.desk.turn(client) as turn:
            draft = Draft(wish.primer)
            lines = _lines(written(wish, draft), turn, self.desk.keep(draft))
            await StreamingResponse(lines, media_type="application/x-ndjson")(scope, receive, send)

    async def midi(self, request: Request) -> Response:
        """A piece as a MIDI file."""
        roll = self.desk.kept(request.path_params["place"]).roll()
        return _file(await _made(lambda: to_midi_bytes(roll.to_score())), "audio/midi", "continued.mid")

    async def wav(self, request: Request) -> Response:
        """A piece as sound."""
        roll = self.desk.kept(request.path_params["place"]).roll()
        async with self._one_rendering:
            return _file(await _made(lambda: roll.to_audio().to_bytes("wav")), "audio/wav", "continued.wav")


def studio_app(models: Iterable[TrainedModel], *, limits: StudioLimits = StudioLimits()) -> Starlette:
    """The application, for any ASGI server that serves it on this machine alone.

    Args:
        models: those that the page offers, the first of them chosen; their names must differ. They are put into
            evaluation mode.
        limits: how much may be asked for.

    Raises:
        SettingsError: no models, or two of one name.
    """
    listed = list(models)
    by_name = {trained.name: trained for trained in listed}
    if not listed or len(by_name) < len(listed):
        raise SettingsError(f"A studio needs models of different names, got {[trained.name for trained in listed]}.")
    for trained in listed:
        trained.model.train(False)
    studio = Studio(by_name, limits)
    routes = [
        Route("/", studio.page),
        Route("/parts/{name}", studio.part),
        Route("/primer", studio.primer, methods=["POST"]),
        Route("/continue", _Endpoint(studio.continuation), methods=["POST"]),
        Route("/music/{place}.mid", studio.midi),
        Route("/music/{place}.wav", studio.wav),
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(SecureHeaders), Middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS))],
        exception_handlers={RequestError: _refused, HTTPException: _not_there},
    )
    app.state.studio = studio
    return app


class _Endpoint:
    """A method as an application of its own, so that it knows when its answer has been sent or given up."""

    def __init__(self, answer: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer(scope, receive, send)


async def _lines(parts: Iterator[dict[str, Any]], turn: Turn, place: str) -> AsyncIterator[str]:
    """The parts of a piece as lines of JSON, until its turn is taken away."""
    with closing(parts):  # type: ignore[type-var]
        yield _line({"piece": place})
        while (part := await run_in_threadpool(next, parts, None)) is not None:
            yield _line(part)
            if turn.stopped:
                yield _line({"stopped": True})
                return


async def _made(make: Callable[[], bytes]) -> bytes:
    """A file of a piece, made beside what else goes on."""
    try:
        return await run_in_threadpool(make)
    except PianoRollSeq2SeqError as error:
        raise RequestError(422, "piece", str(error)) from error


def _line(part: dict[str, Any]) -> str:
    return json.dumps(part, separators=(",", ":"), allow_nan=False) + "\n"


def _file(data: bytes, kind: str, name: str) -> Response:
    return Response(data, media_type=kind, headers={"content-disposition": f'attachment; filename="{name}"'})


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    return JSONResponse(error.to_json(), status_code=error.status)


async def _not_there(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    told = RequestError(error.status_code, request.url.path, error.detail)
    return JSONResponse(told.to_json(), status_code=error.status_code, headers=error.headers)
