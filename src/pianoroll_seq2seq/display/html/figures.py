"""Pieces as figures of a page: a still image, and a player in its place if scripts may run."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TypedDict

from pianoroll_seq2seq.display.html.assets import asset
from pianoroll_seq2seq.display.html.player_data import PlayerData, script_json
from pianoroll_seq2seq.display.html.svg_images import roll_image


class Download(TypedDict):
    """A download link under a figure."""

    label: str
    href: str
    """The address of the file, such as a ``data:`` address that contains it."""
    filename: str


@dataclass(frozen=True)
class Figure:
    """A piece on a page.

    Args:
        data: what the player plays and draws.
        downloads: the download links.
    """

    data: PlayerData
    downloads: tuple[Download, ...] = ()

    @cached_property
    def key(self) -> str:
        """Identifies the figure on its page. Equal music has equal keys, so repeated outputs do not differ."""
        return hashlib.sha256(script_json(self.data).encode()).hexdigest()[:16]

    @property
    def slot(self) -> str:
        """The element of the figure; it contains the still image until the script replaces it with the player."""
        return f'<div class="pr-slot" data-pianoroll="{self.key}">{roll_image(self.data)}</div>'


def figure_script(figures: Iterable[Figure]) -> str:
    """The ``<script>`` element that puts players into the slots. A page may contain several of these scripts."""
    mounted = [[figure.key, figure.data, {"downloads": list(figure.downloads)}] for figure in figures]
    return f"""<script>(() => {{
{asset("pianoroll.js")}
for (const [key, data, options] of {script_json(mounted)}) {{
  for (const slot of document.querySelectorAll(`[data-pianoroll="${{key}}"]`)) {{
    slot.removeAttribute("data-pianoroll");
    slot.replaceChildren();
    mountPlayer(slot, data, options);
  }}
}}
}})();</script>"""
