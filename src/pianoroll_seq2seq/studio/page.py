"""The studio's page: its assets, and the settings that its scripts read when it opens."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any

from pianoroll_seq2seq.data.datasets.scale_chords import COMMON_FIRST, ROOTS, SCALES
from pianoroll_seq2seq.display.html import asset, script_json
from pianoroll_seq2seq.pretrained.trained_model import TrainedModel
from pianoroll_seq2seq.studio.generation_request import (
    MAX_BEATS_PER_MINUTE,
    MIN_BEATS_PER_MINUTE,
    NUM_PITCH_CLASSES,
)
from pianoroll_seq2seq.studio.limits import StudioLimits

_SHARED = ("player.js", "roll.js", "figure.js", "page.css")
_OWN = ("editor.js", "stream.js", "studio.js", "studio.css")
ASSETS = (*_SHARED, *_OWN)
"""The scripts and styles of the page, by name."""


@cache
def page_asset(name: str) -> str:
    """A script or a style as text; ``name`` is one of :data:`ASSETS`."""
    return asset(name) if name in _SHARED else files(__package__).joinpath(name).read_text(encoding="utf-8")


def page_html(models: Iterable[TrainedModel], limits: StudioLimits) -> str:
    """The page, with the models that it offers.

    Args:
        models: the first one is selected when the page opens.
        limits: bounds that the page checks before it sends a request.
    """
    template = files(__package__).joinpath("studio.html").read_text(encoding="utf-8")
    return template.replace("{{settings}}", script_json(_settings(models, limits)))


def _settings(models: Iterable[TrainedModel], limits: StudioLimits) -> dict[str, Any]:
    return {
        "models": [_model_settings(trained) for trained in models],
        "roots": [root.capitalize().replace("sharp", "#") for root in ROOTS],
        "scales": {kind.replace("_", " "): list(SCALES[kind]) for kind in COMMON_FIRST},
        "max_midi_bytes": limits.request.max_midi_bytes,
        "max_primer_beats": limits.max_primer_beats,
        "beats_per_minute": [MIN_BEATS_PER_MINUTE, MAX_BEATS_PER_MINUTE],
    }


def _model_settings(trained: TrainedModel) -> dict[str, Any]:
    card = trained.card
    return {
        "name": trained.name,
        "lowest": trained.pitches.lowest,
        "highest": trained.pitches.highest,
        "conditional": trained.condition_size == NUM_PITCH_CLASSES,
        "card": {name: card[name] for name in ("what", "data", "not_for") if isinstance(card.get(name), str)},
    }
