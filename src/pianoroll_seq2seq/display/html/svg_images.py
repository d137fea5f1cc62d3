"""Still SVG images: a piano roll, and loss curves. They need no package, no script and no style.

Each is an ``<img>`` that contains its SVG, since untrusted notebooks keep images but remove inline SVG. It has dark ink
on white ground, to be read on light and dark pages: an image cannot know which one is around it. On a page that follows
the theme of the system, it can do so too.
"""

import base64
import math
from collections.abc import Mapping, Sequence
from html import escape

from pianoroll_seq2seq.display.html.player_data import PlayerData
from pianoroll_seq2seq.display.palette import CONTINUATION_COLOUR, PRIMER_COLOUR
from pianoroll_seq2seq.train.history import History

# The colours of Okabe and Ito, distinguishable for colour-blind readers; in grey the lines differ by their dashes.
_CURVES = (("#0072B2", ""), ("#D55E00", "6 3"), ("#009E73", "8 3 2 3"), ("#CC79A7", "2 3"), ("currentColor", "10 3"))

_WIDTH, _LEFT, _RIGHT, _BOTTOM = 900, 44, 12, 34
_ROLL_TOP, _ROLL_HEIGHT = 8, 220
_CURVES_HEIGHT, _CURVES_TOP = 260, 28
_MAX_LEGEND = 16
_FONT = 'font-family="system-ui, sans-serif" font-size="12"'
_LIGHT = "svg{color:#1c1e21;background:#fff}"
_DARK = "@media(prefers-color-scheme:dark){svg{color:#e8e8e8;background:#16181c}}"


def roll_image(data: PlayerData) -> str:
    """The whole piece: time to the right, pitch upwards; softer notes are paler.

    The primer is blue and the continuation orange, or each of several parts has its colour.
    """
    rows = data["highest"] - data["lowest"] + 1
    across = (_WIDTH - _LEFT - _RIGHT) / max(data["seconds"], 1e-3)
    down = _ROLL_HEIGHT / rows

    def bar(note: Sequence[float]) -> str:
        x, y = _LEFT + note[0] * across, _ROLL_TOP + (data["highest"] - note[2] + 0.5) * down
        return f"M{x:.1f} {y:.1f}h{max((note[1] - note[0]) * across - 0.5, 0.5):.1f}"

    parts = []
    for pitch in range(data["lowest"], data["highest"] + 1):
        if pitch % 12 == 0:
            y = _ROLL_TOP + (data["highest"] - pitch + 1) * down
            parts.append(_line(_LEFT, y, _WIDTH - _RIGHT, y))
            parts.append(_text(_LEFT - 6, y - down / 2 + 4, f"C{pitch // 12 - 1}", anchor="end"))
    for seconds in _ticks(data["seconds"]):
        x = _LEFT + seconds * across
        parts.append(_line(x, _ROLL_TOP, x, _ROLL_TOP + _ROLL_HEIGHT))
        parts.append(_text(x, _ROLL_TOP + _ROLL_HEIGHT + 16, f"{seconds:g}"))
    primer = data["primer_seconds"]
    for seconds in data["bars"]:
        x = _LEFT + seconds * across
        parts.append(_line(x, _ROLL_TOP, x, _ROLL_TOP + _ROLL_HEIGHT, opacity=0.35))
    alike: dict[tuple[str, float], list[list[float]]] = {}  # notes by colour and opacity
    for note in data["notes"]:
        own = data["parts"][int(note[4])]["colour"]
        colour = own or (PRIMER_COLOUR if note[0] < primer else CONTINUATION_COLOUR)
        alike.setdefault((colour, _opacity(note[3])), []).append(note)
    for (colour, opacity), notes in sorted(alike.items()):
        path = "".join(map(bar, notes))
        style = f'stroke="{colour}" opacity="{opacity}" stroke-width="{0.86 * down:.1f}"'
        parts.append(f'<path d="{path}" {style}/>')
    if primer:
        x = _LEFT + primer * across
        parts.append(_line(x, _ROLL_TOP, x, _ROLL_TOP + _ROLL_HEIGHT, opacity=1, dashes="4 3"))
    parts.append(_text((_LEFT + _WIDTH) / 2, _ROLL_TOP + _ROLL_HEIGHT + 31, "seconds"))
    height = _ROLL_TOP + _ROLL_HEIGHT + _BOTTOM
    named = [part for part in data["parts"] if part["colour"]]
    for index, part in enumerate(named[:_MAX_LEGEND]):
        y = height + 18 * index + 12
        parts.append(f'<path d="M{_LEFT} {y - 4}h18" stroke="{part["colour"]}" stroke-width="8"/>')
        parts.append(_text(_LEFT + 26, y, part["name"], anchor="start"))
    return _image(height + 18 * min(len(named), _MAX_LEGEND), roll_label(data), parts)


def roll_label(data: PlayerData) -> str:
    """A description of the image for screen readers."""
    name = f"Piano roll of {data['name']}" if data["name"] else "Piano roll"
    primer = f", the first {data['primer_seconds']:.1f} are the primer" if data["primer_seconds"] else ""
    several = [part["name"] for part in data["parts"] if part["colour"]]
    parts = f", in {len(several)} parts: {', '.join(several[:_MAX_LEGEND])}" if several else ""
    return f"{name}: {len(data['notes'])} notes in {data['seconds']:.1f} seconds{primer}{parts}"


def curves_image(histories: Mapping[str, History], *, system_theme: bool = False) -> str:
    """The loss curves of runs by name: validation thick, training thin; a dot marks the best epoch.

    Args:
        histories: the runs by name.
        system_theme: whether the image is light or dark as the system is, for a page that is so too.
    """
    losses = [loss for history in histories.values() for loss in (*history.train_losses, *history.valid_losses)]
    epochs = [epoch.epoch for history in histories.values() for epoch in history.epochs]
    first, last = min(epochs, default=1), max(epochs, default=1)
    top = 1.05 * max((loss for loss in losses if math.isfinite(loss)), default=1.0) or 1.0
    height = _CURVES_HEIGHT - _CURVES_TOP

    def point(epoch: int, loss: float) -> tuple[float, float]:
        share = (epoch - first) / (last - first) if last > first else 0.5
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT), _CURVES_TOP + height * (1 - loss / top)

    parts = [_text(0, 14, "loss (nats per frame)", anchor="start")]
    for loss in _ticks(top):
        y = point(first, loss)[1]
        parts += [_line(_LEFT, y, _WIDTH - _RIGHT, y), _text(_LEFT - 6, y + 4, f"{loss:g}", anchor="end")]
    for epoch in sorted({max(round(tick), 1) for tick in _ticks(last)}):
        if first <= epoch <= last:
            parts.append(_text(point(epoch, 0)[0], _CURVES_HEIGHT + 16, str(epoch)))
    parts.append(_text((_LEFT + _WIDTH) / 2, _CURVES_HEIGHT + 31, "epoch"))
    legend = []
    for index, (name, history) in enumerate(histories.items()):
        colour, dashes = _CURVES[index % len(_CURVES)]
        validated = bool(history.epochs) and len(history.valid_losses) == len(history.epochs)
        prefix = f"{name}: " if name else ""
        curves = [("training", history.train_losses, 1.2 if validated else 2.5)]
        curves += [("validation", history.valid_losses, 2.5)] if validated else []
        for what, values, width in curves:
            style = f'stroke="{colour}" stroke-width="{width}" stroke-dasharray="{dashes}"'
            dots = [point(epoch.epoch, loss) for epoch, loss in zip(history.epochs, values, strict=True)]
            parts.append(f'<polyline points="{_points(dots)}" {style}/>')
            legend.append((style, prefix + what))
        if history.best_epoch is not None:
            x, y = point(history.best_epoch, curves[-1][1][history.best_epoch - history.epochs[0].epoch])
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}"/>')
    bottom = _CURVES_HEIGHT + _BOTTOM
    for row, (style, label) in enumerate(legend):
        y = bottom + 18 * row + 12
        parts.append(f'<path d="M{_LEFT} {y - 4}h36" {style}/>')
        parts.append(_text(_LEFT + 44, y, label, anchor="start"))
    runs = f" of {len(histories)} runs" if len(histories) > 1 else ""
    label = f"Loss curves{runs}: nats per frame over {last} epochs"
    return _image(bottom + 18 * len(legend) + 4, label, parts, style=_LIGHT + _DARK if system_theme else _LIGHT)


def _image(height: float, label: str, parts: Sequence[str], *, style: str = _LIGHT) -> str:
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height:.0f}" '
        f'viewBox="0 0 {_WIDTH} {height:.0f}" fill="none" {_FONT}><style>{style}</style>{"".join(parts)}</svg>'
    )
    source = base64.b64encode(svg.encode("utf-8", "backslashreplace")).decode()
    return f'<img alt="{escape(label)}" src="data:image/svg+xml;base64,{source}" style="max-width: 100%">'


def _opacity(velocity: float) -> float:
    """One of four opacities, by velocity 0..1."""
    return round(0.4 + 0.2 * min(int(4 * velocity), 3), 1)


def _line(x1: float, y1: float, x2: float, y2: float, *, opacity: float = 0.2, dashes: str = "") -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="currentColor" opacity="{opacity}"{dashed}/>'


def _text(x: float, y: float, text: str, *, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor">{escape(text)}</text>'


def _points(dots: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in dots if math.isfinite(y))


def _ticks(end: float, *, max_steps: int = 10) -> list[float]:
    """Round numbers from 0 to ``end``, at most ``max_steps + 1``."""
    if not end > 0:
        return [0.0]
    power = 10.0 ** math.floor(math.log10(end / max_steps))
    step = next(step * power for step in (1, 2, 5, 10) if step * power * max_steps >= end)
    return [round(index * step, 10) for index in range(int(end / step + 1e-9) + 1)]
