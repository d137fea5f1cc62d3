"""The page: its parts, and what its scripts are told when it opens."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any

from pianoroll_seq2seq.datasets.scale_chords import ROOTS, SCALES
from pianoroll_seq2seq.studio.limits import StudioLimits
from pianoroll_seq2seq.studio.primers import LEAST_BPM, MOST_BPM
from pianoroll_seq2seq.studio.wishes import PITCH_CLASSES
from pianoroll_seq2seq.trained import TrainedModel
from pianoroll_seq2seq.web import asset, script_json

_SHARED = ("player.js", "roll.js", "figure.js", "page.css")
_OWN = ("editor.js", "stream.js", "studio.js", "studio.css")
PARTS = (*_SHARED, *_OWN)
"""The scripts and styles of the page, by name."""


@cache
def part_of_page(name: str) -> str:
    """A script or a style, as text; ``name`` is one of :data:`PARTS`."""
    return asset(name) if name in _SHARED else files(__package__).joinpath(name).read_text(encoding="utf-8")


def page_html(models: Iterable[TrainedModel], limits: StudioLimits) -> str:
    """The page, with the models that it offers.

    Args:
        models: the first is chosen when the page opens.
        limits: so that the page can say what is too much before it asks.
    """
    template = files(__package__).joinpath("studio.html").read_text(encoding="utf-8")
    return template.replace("{{facts}}", script_json(_facts(models, limits)))


def _facts(models: Iterable[TrainedModel], limits: StudioLimits) -> dict[str, Any]:
    return {
        "models": [_described(trained) for trained in models],
        "roots": [root.capitalize().replace("sharp", "#") for root in ROOTS],
        "scales": {kind.replace("_", " "): list(steps) for kind, steps in SCALES.items()},
        "midi_bytes": limits.request.midi_bytes,
        "piece_seconds": limits.piece_seconds,
        "primer_beats": limits.primer_beats,
        "temperature": [limits.request.lowest_temperature, limits.request.highest_temperature],
        "beats_per_minute": [LEAST_BPM, MOST_BPM],
    }


def _described(trained: TrainedModel) -> dict[str, Any]:
    card = trained.card
    return {
        "name": trained.name,
        "lowest": trained.pitches.lowest,
        "highest": trained.pitches.highest,
        "grid": str(trained.grid),
        "told": trained.condition_size == PITCH_CLASSES,
        "card": {name: card[name] for name in ("what", "data", "not_for") if isinstance(card.get(name), str)},
    }
