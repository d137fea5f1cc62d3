"""Pieces as figures of a page: a still roll at once, and one with a player where scripts may run."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TypedDict

from pianoroll_seq2seq.web.assets import scripts
from pianoroll_seq2seq.web.pictures import roll_image
from pianoroll_seq2seq.web.piece import Music, script_json


class Download(TypedDict):
    """A link under the music."""

    label: str
    href: str
    """Where the file is, such as a ``data:`` address that holds it."""
    filename: str


@dataclass(frozen=True)
class Figure:
    """A piece on a page.

    Args:
        music: what it plays.
        downloads: what may be saved of it.
    """

    music: Music
    downloads: tuple[Download, ...] = ()

    @cached_property
    def key(self) -> str:
        """Names the figure on its page; equal music has equal keys, so that a notebook run again does not change."""
        return hashlib.sha256(script_json(self.music).encode()).hexdigest()[:16]

    @property
    def slot(self) -> str:
        """The element for it, with the still picture in it until :func:`mounting` puts the player there."""
        return f'<div class="pr-slot" data-pianoroll="{self.key}">{roll_image(self.music)}</div>'


def mounting(figures: Iterable[Figure]) -> str:
    """The ``<script>`` that makes the slots of figures play. Several may stand on one page, each with all it needs."""
    mounted = [[figure.key, figure.music, {"downloads": list(figure.downloads)}] for figure in figures]
    return f"""<script>(() => {{
{scripts()}
for (const [key, music, options] of {script_json(mounted)}) {{
  for (const slot of document.querySelectorAll(`[data-pianoroll="${{key}}"]`)) {{
    slot.removeAttribute("data-pianoroll");
    slot.replaceChildren();
    mountMusic(slot, music, options);
  }}
}}
}})();</script>"""
