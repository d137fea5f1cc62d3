"""The ``README.md`` of a shared model, with front matter for the Hugging Face Hub."""

from collections.abc import Mapping
from typing import Any

import yaml

from pianoroll_seq2seq.pitches import PitchRange

LIBRARY = "pianoroll-seq2seq"
_TAGS = ("music-generation", "symbolic-music", "midi", "piano-roll", "pytorch")
_HEADINGS = {
    "what": "What it is",
    "data": "What it learned from",
    "recipe": "How it was trained",
    "scores": "How good it is",
    "not_for": "What it is not for",
}
_FRONT_MATTER = {"name", "license", "tags"}
_UNKNOWN_LICENSE = "unknown"
"""The Hub's word for an unknown licence."""

_USE = """```python
from pianoroll_seq2seq import Draw, PianoRoll, open_model

trained = open_model("{name}")  # this folder
primer = PianoRoll.from_midi("primer.mid", grid=trained.grid, pitches=trained.pitches)
music = trained.generate(primer, num_frames=256, sampler=Draw(0.9), seed=1{more})
(primer + music).to_midi("music.mid")
```"""


def page(config: Mapping[str, Any], *, name: str) -> str:
    """A model's ``README.md``: front matter in YAML, its card, how to use it, and its facts.

    Args:
        config: the configuration of the model's folder.
        name: the model's name, if its card has none.
    """
    card = config["card"]
    head = yaml.safe_dump(_head(card), sort_keys=False, allow_unicode=True)
    shown = {key: value for key, value in card.items() if key not in _FRONT_MATTER}
    figures = {key: value for key, value in shown.items() if not isinstance(value, str | Mapping | list)}
    ordered = [key for key in _HEADINGS if key in shown] + [key for key in shown if key not in _HEADINGS]
    more = ", condition=..." if config["condition_size"] else ""
    sections = [
        *((_HEADINGS.get(key, _words(key).capitalize()), _text(shown[key])) for key in ordered if key not in figures),
        ("How to use it", _USE.format(name=name, more=more)),
        ("Facts", "\n".join([*_frames(config), *_listed(figures)])),
    ]
    text = "\n\n".join(f"## {heading}\n\n{body}" for heading, body in sections)
    return f"---\n{head}---\n\n# {card.get('name', name)}\n\n{text}\n"


def _head(card: Mapping[str, Any]) -> dict[str, Any]:
    tags = [*_TAGS, *(tag for tag in card.get("tags", ()) if tag not in _TAGS)]
    return {"library_name": LIBRARY, "license": card.get("license", _UNKNOWN_LICENSE), "tags": tags}


def _text(value: Any) -> str:
    """A part of a card: text as it is, everything else as a list."""
    if isinstance(value, Mapping):
        return "\n".join(_listed(value))
    return "\n".join(f"- {_figure(inner)}" for inner in value) if isinstance(value, list) else str(value)


def _listed(values: Mapping[str, Any]) -> list[str]:
    return [f"- {_words(key)}: {_figure(value)}" for key, value in values.items()]


def _figure(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{_words(key)} {_figure(inner)}" for key, inner in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _words(key: str) -> str:
    return key.replace("_", " ")


def _frames(config: Mapping[str, Any]) -> list[str]:
    """Facts about a model's frames, one line each."""
    layout = config["layout"]["settings"]
    grid, pitches = layout["grid"], PitchRange(**layout["pitches"]["settings"])
    settings = ", ".join(f"{key}={value}" for key, value in grid["settings"].items())
    lines = [
        f"- model: `{config['model']['class'].split(':')[-1]}`, written by {LIBRARY} {config['library_version']}",
        f"- grid: `{grid['class'].split(':')[-1]}({settings})`",
        f"- pitches: {pitches.name_of(0)} to {pitches.name_of(len(pitches) - 1)}, `{pitches}`",
    ]
    lines.append(f"- planes: {', '.join(layout['planes'])}")
    if config["condition_size"]:
        lines.append(f"- conditions: {config['condition_size']} numbers per frame")
    return lines
