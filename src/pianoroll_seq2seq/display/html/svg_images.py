"""Still SVG images, such as a piano roll. They need no package, no script and no style.

Each is an ``<img>`` that contains its SVG, since untrusted notebooks keep images but remove inline SVG. It has dark ink
on white ground, to be read on light and dark pages: an image cannot know which one is around it.
"""

import base64
import math
from collections.abc import Sequence
from html import escape

from pianoroll_seq2seq.display.html.player_data import PlayerData
from pianoroll_seq2seq.display.palette import CONTINUATION_COLOUR, PRIMER_COLOUR

WIDTH = 900
_LEFT, _RIGHT, _BOTTOM = 44, 12, 34
_ROLL_TOP, _ROLL_HEIGHT = 8, 220
_MAX_LEGEND = 16
FONT = 'font-family="system-ui, sans-serif" font-size="12"'
_INK = ":root{color:#1c1e21;background:#fff}"


def roll_image(data: PlayerData) -> str:
    """The whole piece: time to the right, pitch upwards; softer notes are paler.

    The primer is blue and the continuation orange, or each of several parts has its colour.
    """
    rows = data["highest"] - data["lowest"] + 1
    across = (WIDTH - _LEFT - _RIGHT) / max(data["seconds"], 1e-3)
    down = _ROLL_HEIGHT / rows

    def bar(note: Sequence[float]) -> str:
        x, y = _LEFT + note[0] * across, _ROLL_TOP + (data["highest"] - note[2] + 0.5) * down
        return f"M{x:.1f} {y:.1f}h{max((note[1] - note[0]) * across - 0.5, 0.5):.1f}"

    parts = []
    for pitch in range(data["lowest"], data["highest"] + 1):
        if pitch % 12 == 0:
            y = _ROLL_TOP + (data["highest"] - pitch + 1) * down
            parts.append(_line(_LEFT, y, WIDTH - _RIGHT, y))
            parts.append(_text(_LEFT - 6, y - down / 2 + 4, f"C{pitch // 12 - 1}", anchor="end"))
    for seconds in ticks(data["seconds"]):
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
    parts.append(_text((_LEFT + WIDTH) / 2, _ROLL_TOP + _ROLL_HEIGHT + 31, "seconds"))
    height = _ROLL_TOP + _ROLL_HEIGHT + _BOTTOM
    named = [part for part in data["parts"] if part["colour"]]
    for index, part in enumerate(named[:_MAX_LEGEND]):
        y = height + 18 * index + 12
        parts.append(f'<path d="M{_LEFT} {y - 4}h18" stroke="{part["colour"]}" stroke-width="8"/>')
        parts.append(_text(_LEFT + 26, y, part["name"], anchor="start"))
    return svg_image(height + 18 * min(len(named), _MAX_LEGEND), roll_label(data), parts)


def roll_label(data: PlayerData) -> str:
    """A description of the image for screen readers."""
    name = f"Piano roll of {data['name']}" if data["name"] else "Piano roll"
    primer = f", the first {data['primer_seconds']:.1f} are the primer" if data["primer_seconds"] else ""
    several = [part["name"] for part in data["parts"] if part["colour"]]
    parts = f", in {len(several)} parts: {', '.join(several[:_MAX_LEGEND])}" if several else ""
    return f"{name}: {len(data['notes'])} notes in {data['seconds']:.1f} seconds{primer}{parts}"


def svg_image(height: float, label: str, parts: Sequence[str], *, stretches: bool = False) -> str:
    """An SVG as an ``<img>`` of at most :data:`WIDTH`.

    Args:
        height: its height.
        label: what it shows, in words.
        parts: its elements; ``currentColor`` is the ink.
        stretches: whether the elements have widths in percent, so that a narrow image is as high as a wide one and
            its text as large. Otherwise a narrow image is a small one.
    """
    size = f'width="{"100%" if stretches else WIDTH}" height="{height:.0f}"'
    view = "" if stretches else f' viewBox="0 0 {WIDTH} {height:.0f}"'
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}{view} fill="none" {FONT}><style>{_INK}</style>'
        f"{''.join(parts)}</svg>"
    )
    source = base64.b64encode(svg.encode("utf-8", "backslashreplace")).decode()
    shown = f'{size} style="max-width: {WIDTH}px"' if stretches else 'style="max-width: 100%"'
    return f'<img alt="{escape(label)}" src="data:image/svg+xml;base64,{source}" {shown}>'


def _opacity(velocity: float) -> float:
    """One of four opacities, by velocity 0..1."""
    return round(0.4 + 0.2 * min(int(4 * velocity), 3), 1)


def _line(x1: float, y1: float, x2: float, y2: float, *, opacity: float = 0.2, dashes: str = "") -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="currentColor" opacity="{opacity}"{dashed}/>'


def _text(x: float, y: float, text: str, *, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor">{escape(text)}</text>'


def ticks(end: float, *, max_steps: int = 10) -> list[float]:
    """Round numbers from 0 to ``end``, at most ``max_steps + 1``."""
    if not end > 0:
        return [0.0]
    power = 10.0 ** math.floor(math.log10(end / max_steps))
    step = next(step * power for step in (1, 2, 5, 10) if step * power * max_steps >= end)
    return [round(index * step, 10) for index in range(int(end / step + 1e-9) + 1)]
