"""Who may have a piece written when, and the pieces that are kept."""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pianoroll_seq2seq.serving.requests import RequestError
from pianoroll_seq2seq.studio.limits import StudioLimits
from pianoroll_seq2seq.studio.writing import Draft


@dataclass(eq=False)
class Turn:
    """One page's turn at having a piece written.

    Attributes:
        stopped: whether the page has asked for another piece meanwhile.
        over: set when the turn is over.
    """

    stopped: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Desk:
    """One piece at a time for each page, few for all together, and a shelf of the latest.

    Args:
        limits: how many.
    """

    def __init__(self, limits: StudioLimits) -> None:
        """Nobody is writing."""
        self._limits = limits
        self._turns: dict[str, Turn] = {}
        self._shelf: OrderedDict[str, Draft] = OrderedDict()

    @property
    def busy(self) -> int:
        """How many pieces are being written."""
        return len(self._turns)

    @asynccontextmanager
    async def turn(self, client: str) -> AsyncIterator[Turn]:
        """Within: a page's turn. Its earlier piece, if one is still being written, is stopped first.

        Raises:
            RequestError: too many pages have pieces written.
        """
        while (earlier := self._turns.get(client)) is not None:
            earlier.stopped = True
            await earlier.over.wait()
        if len(self._turns) >= self._limits.at_once:
            raise RequestError(503, "studio", f"{len(self._turns)} pieces are being written. Try again in a while.")
        turn = self._turns[client] = Turn()
        try:
            yield turn
        finally:
            del self._turns[client]
            turn.over.set()

    def keep(self, draft: Draft) -> str:
        """Puts a piece on the shelf, and says where; nobody can guess it."""
        place = secrets.token_urlsafe(16)
        self._shelf[place] = draft
        while len(self._shelf) > self._limits.kept:
            self._shelf.popitem(last=False)
        return place

    def kept(self, place: str) -> Draft:
        """A piece of the shelf.

        Raises:
            RequestError: it is no longer there.
        """
        if place not in self._shelf:
            raise RequestError(404, "piece", "not kept any longer. Have it written again: one seed, one piece.")
        return self._shelf[place]
