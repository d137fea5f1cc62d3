"""What is known of a model: its card, and the ``README.md`` of a shared one with front matter for the Hub."""

import json
import textwrap
from collections.abc import Collection, Mapping
from typing import Any

import yaml
from msgspec import Struct

from pianoroll_seq2seq._internal.documents import convert
from pianoroll_seq2seq._internal.names import printable
from pianoroll_seq2seq.errors import CheckpointError
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
from pianoroll_seq2seq import Draw, open_model

trained = open_model({address}){comment}
primer = trained.read_primer("primer.mid")
music = trained.generate(primer, num_frames=256, sampler=Draw(0.9), seed=1{more})
(primer + music).to_midi("music.mid")
```"""


def page(config: Mapping[str, Any], *, name: str, address: str | None = None) -> str:
    """A model's ``README.md``: front matter in YAML, its card, how to use it, and its facts.

    Args:
        config: the configuration of the model's folder.
        name: the model's name, if its card has none.
        address: what ``open_model`` opens; the folder of this name by default.
    """
    card = config["card"]
    head = yaml.safe_dump(_head(card), sort_keys=False, allow_unicode=True)
    texts, figures = _parts(card, hidden=_FRONT_MATTER)
    more = ", condition=..." if config["condition_size"] else ""
    quoted = json.dumps(address or name, ensure_ascii=False)  # a folder's name may have quotation marks
    use = _USE.format(address=quoted, comment="" if address else "  # this folder", more=more)
    sections = [
        *texts.items(),
        ("How to use it", use),
        ("Facts", "\n".join([*_frames(config), *_listed(figures)])),
    ]
    text = "\n\n".join(f"## {heading}\n\n{body}" for heading, body in sections)
    return f"---\n{head}---\n\n# {printable(card.get('name', name))}\n\n{text}\n"


class Card(dict[str, Any]):
    """Facts about a model by their names: a dict that prints as text, and as a page in a notebook.

    Example:
        >>> print(Card(what="Continues melodies.", scores={"test_nats": 1.65}))
        What it is: Continues melodies.
        How good it is
          - test nats: 1.65
    """

    def __repr__(self) -> str:
        """The facts as text, a line or a list for each."""
        texts, figures = _parts(self, hidden={"name"})
        lines = [str(self["name"])] if "name" in self else []
        for heading, text in texts.items():
            if text.startswith("- "):
                lines += [heading, *(_wrapped(line, "  ", "    ") for line in text.splitlines())]
            else:
                lines.append(_wrapped(f"{heading}: {text}", "", "  "))
        lines += [f"{_words(key).capitalize()}: {_figure(value)}" for key, value in figures.items()]
        return printable("\n".join(lines), keep="\n")

    __str__ = __repr__

    def _repr_markdown_(self) -> str:
        texts, figures = _parts(self, hidden={"name"})
        facts = {"Facts": "\n".join(_listed(figures))} if figures else {}
        page = "\n\n".join(f"**{heading}**\n\n{text}" for heading, text in (texts | facts).items())
        # The card of a stranger has no tags, and no pictures, which would be fetched from anywhere.
        return printable(page, keep="\n").replace("<", "&lt;").replace("![", r"!\[")


class _FrontMatter(Struct, frozen=True):
    """The facts of a card that have a type."""

    name: str | None = None
    license: str | None = None
    tags: list[str] = []


def check_card(card: object, label: str) -> Card:
    """A card from a file, or of the user's. ``label`` says where it is from.

    Raises:
        CheckpointError: no mapping, a name or a licence that is no text, or tags that are no list of texts.
    """
    convert(card, _FrontMatter, f"{label}: the card", CheckpointError)
    assert isinstance(card, Mapping)  # otherwise it is refused
    return Card(card)


def _parts(card: Mapping[str, Any], *, hidden: Collection[str]) -> tuple[dict[str, str], dict[str, Any]]:
    """The texts and lists of a card in Markdown by their headings, and its single figures by their names."""
    shown = {key: value for key, value in card.items() if key not in hidden}
    figures = {key: value for key, value in shown.items() if not isinstance(value, str | Mapping | list)}
    ordered = [key for key in _HEADINGS if key in shown] + [key for key in shown if key not in _HEADINGS]
    texts = {_HEADINGS.get(key, _words(key).capitalize()): _text(shown[key]) for key in ordered if key not in figures}
    return texts, figures


def _wrapped(text: str, first: str, others: str) -> str:
    return textwrap.fill(
        text, 88, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )


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
    return f"{value:.4g}" if isinstance(value, float) else printable(str(value))


def _words(key: str) -> str:
    return printable(key).replace("_", " ")


def _parts_of_frames(layout: Mapping[str, Any]) -> list[str]:
    """The pitches of the only part, or a line for each part, in Markdown."""
    if "pitches" in layout:
        return [f"- pitches: {_pitches(layout)}"]
    lines = []
    for part in layout["parts"]:
        settings = part["settings"]
        kind = "drums" if settings["drums"] else f"program {settings['program']}"
        name = printable(settings["name"]).replace("`", "'")
        lines.append(f"- part{f' `{name}`' if name else ''}: {kind}, {_pitches(settings)}")
    return lines


def _pitches(settings: Mapping[str, Any]) -> str:
    pitches = PitchRange(**settings["pitches"]["settings"])
    return f"{pitches.name_of(0)} to {pitches.name_of(len(pitches) - 1)}, `{pitches}`"


def _frames(config: Mapping[str, Any]) -> list[str]:
    """Facts about a model's frames, one line each."""
    layout = config["layout"]["settings"]
    grid = layout["grid"]
    settings = ", ".join(f"{key}={value}" for key, value in grid["settings"].items())
    lines = [
        f"- model: `{config['model']['class'].split(':')[-1]}`, written by {LIBRARY} {config['library_version']}",
        f"- grid: `{grid['class'].split(':')[-1]}({settings})`",
        *_parts_of_frames(layout),
    ]
    lines.append(f"- planes: {', '.join(layout['planes'])}")
    if config["condition_size"]:
        lines.append(f"- conditions: {config['condition_size']} numbers per frame")
    return lines
