"""The studio's page: its assets, and the settings that its scripts read when it opens."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

from pianoroll_seq2seq.data.datasets.scale_chords import COMMON_FIRST, ROOTS, SCALES
from pianoroll_seq2seq.display.audio.soundfont import is_available
from pianoroll_seq2seq.display.html import asset, script_json
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pretrained.trained_model import TrainedModel
from pianoroll_seq2seq.studio.limits import StudioLimits
from pianoroll_seq2seq.studio.pieces import MAX_BEATS_PER_MINUTE, MIN_BEATS_PER_MINUTE
from pianoroll_seq2seq.studio.tasks import abilities, reads_scale

_SHARED = ("page.css",)
_OWN = ("studio.js", "studio.css")
ASSETS = (*_SHARED, *_OWN)
"""The scripts and styles of the page, by name."""
_MISSING = "{}, which is not installed. Run: pip install 'pianoroll-seq2seq[{}]'"


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
        "beats_per_minute": [MIN_BEATS_PER_MINUTE, MAX_BEATS_PER_MINUTE],
        "temperature": [limits.request.min_temperature, limits.request.max_temperature],
        "max_takes": limits.max_takes,
        "max_beats": limits.max_beats,
        "max_seconds": limits.max_piece_seconds,
        "max_notes": limits.request.max_primer_notes,
        "max_file_bytes": limits.request.max_midi_bytes,
        "scores": None if find_spec("verovio") else _MISSING.format("Notation needs verovio", "score"),
        "samples": None if is_available() else _MISSING.format("Recorded instruments need a SoundFont", "audio"),
    }


def _model_settings(trained: TrainedModel) -> dict[str, Any]:
    card = trained.card
    return {
        "name": trained.name,
        "lowest": trained.pitches.lowest,
        "highest": trained.pitches.highest,
        "conditional": reads_scale(trained),
        "parts": None if len(trained.parts) == 1 else [_part_settings(part) for part in trained.parts],
        "is_drums": len(trained.parts) == 1 and trained.parts[0].drums,
        "frames_per_beat": getattr(trained.grid, "frames_per_beat", None),
        "tasks": abilities(trained),
        "card": {name: card[name] for name in ("what", "data", "not_for") if isinstance(card.get(name), str)},
    }


def _part_settings(part: Part) -> dict[str, Any]:
    return {
        "name": part.name,
        "program": part.program,
        "is_drums": part.drums,
        "lowest": part.pitches.lowest,
        "highest": part.pitches.highest,
    }
