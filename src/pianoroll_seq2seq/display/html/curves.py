"""The loss curves of runs over one another: a still image for notebooks, and a figure as wide as its page.

The plot is drawn once, with its widths in percent: text and lines have one size on narrow and wide screens.
"""

import math
from collections.abc import Mapping
from html import escape

from pianoroll_seq2seq.display.html.svg_images import FONT, svg_image, ticks
from pianoroll_seq2seq.train.history import History

_COLOURS = ("var(--pr-curve, #0072B2)", "#D55E00", "#009E73", "#CC79A7", "currentColor", "#E69F00", "#56B4E9")
"""The colours of Okabe and Ito, distinguishable for colour-blind readers; in grey the curves differ by their dashes.
The blue is lighter on a dark page; an image has the one after the comma."""
_DASHES = ("", "6 3", "8 3 2 3", "2 3", "12 4")
_THICK, _THIN = 2.5, 1.2
_HEIGHT = 232
_TOP, _BOTTOM, _LEFT = 28, 38, 48
"""The room around the plot for its labels."""
_LEGEND_ROW = 18
_MAX_STEPS = 8
_EXTENT = 1000  # of the drawing in which the curves have their points


def curves_image(histories: Mapping[str, History]) -> str:
    """The loss curves as an image: validation thick, training thin; a dot marks the best epoch.

    Args:
        histories: the runs by name; one run may have the name "".
    """
    legend = _legend(histories)
    below = _TOP + _HEIGHT + _BOTTOM
    size = f'x="{_LEFT}" y="{_TOP}" width="86%" height="{_HEIGHT}"'  # room for the labels from 350 pixels
    parts = [f'<svg {size} overflow="visible">{_plot(histories)}</svg>']
    for row, (swatch, label) in enumerate(legend):
        y = below + _LEGEND_ROW * row
        parts.append(f'<g transform="translate({_LEFT} {y + 2})">{swatch}</g>')
        parts.append(f'<text x="{_LEFT + 44}" y="{y + 12}" fill="currentColor">{escape(label)}</text>')
    return svg_image(below + _LEGEND_ROW * len(legend) + 4, _label(histories), parts, stretches=True)


def curves_figure(histories: Mapping[str, History]) -> str:
    """The same as elements of a page, in the colours of its text and ground; page.css has their style."""
    items = "".join(
        f'<li class="pr-name">{_swatch_svg(swatch)}<span>{escape(label)}</span></li>'
        for swatch, label in _legend(histories)
    )
    label = escape(_label(histories))
    drawing = f'<svg width="100%" height="{_HEIGHT}" overflow="visible" fill="none" {FONT}>{_plot(histories)}</svg>'
    return f'<div class="pr-curves" role="img" aria-label="{label}">{drawing}</div><ul class="pr-legend">{items}</ul>'


def curve_name(index: int, name: str) -> str:
    """The name of a run beside a line in the colour and the dashes of its curves, for other places of the page.

    Args:
        index: the place of the run among those of the figure.
        name: its name.
    """
    swatch = _swatch_svg(_swatch(_stroke(index, _THICK)))
    return f'<span class="pr-name">{swatch}<span>{escape(name)}</span></span>'


def _plot(histories: Mapping[str, History]) -> str:
    losses = [loss for history in histories.values() for loss in (*history.train_losses, *history.valid_losses)]
    epochs = [epoch.epoch for history in histories.values() for epoch in history.epochs]
    first, last = min(epochs, default=1), max(epochs, default=1)
    top = 1.05 * max((loss for loss in losses if math.isfinite(loss)), default=1.0) or 1.0

    def across(epoch: int) -> float:
        return (epoch - first) / (last - first) if last > first else 0.5

    parts = [f'<text x="{12 - _LEFT}" y="-14" fill="currentColor">loss (nats per frame)</text>']
    for loss in ticks(top):
        y = _HEIGHT * (1 - loss / top)
        parts.append(f'<line x2="100%" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" opacity="0.2"/>')
        parts.append(f'<text x="-6" y="{y + 4:.1f}" text-anchor="end" fill="currentColor">{loss:g}</text>')
    marked = sorted({max(round(tick), 1) for tick in ticks(last, max_steps=_MAX_STEPS)})
    parts += [_text_below(across(epoch), 16, str(epoch)) for epoch in marked if first <= epoch <= last]
    parts.append(_text_below(0.5, 32, "epoch"))
    curves, dots = [], []
    for index, history in enumerate(histories.values()):
        lines = [(history.train_losses, _THIN), (history.valid_losses, _THICK)]
        for values, width in lines if _is_validated(history) else [(history.train_losses, _THICK)]:
            losses_at = zip(history.epochs, values, strict=True)
            points = " ".join(
                f"{_EXTENT * across(epoch.epoch):.1f},{_EXTENT * (1 - loss / top):.1f}"
                for epoch, loss in losses_at
                if math.isfinite(loss)
            )
            curves.append(f'<polyline points="{points}" {_stroke(index, width)} vector-effect="non-scaling-stroke"/>')
        if history.best_epoch is not None:
            monitored = history.valid_losses if _is_validated(history) else history.train_losses
            y = _HEIGHT * (1 - monitored[history.best_epoch - history.epochs[0].epoch] / top)
            x = 100 * across(history.best_epoch)
            dots.append(f'<circle cx="{x:.2f}%" cy="{y:.1f}" r="4.5" fill="{_COLOURS[index % len(_COLOURS)]}"/>')
    box = f'width="100%" height="{_HEIGHT}" viewBox="0 0 {_EXTENT} {_EXTENT}"'
    drawing = f'<svg {box} preserveAspectRatio="none" overflow="visible">{"".join(curves)}</svg>'
    return "".join([*parts, drawing, *dots])


def _legend(histories: Mapping[str, History]) -> list[tuple[str, str]]:
    """The lines of the legend, and what they stand for: a run each, then what is thick and what is thin."""
    legend = [(_swatch(_stroke(index, _THICK)), name) for index, name in enumerate(histories) if name]
    colour = 'stroke="currentColor"' if legend else _stroke(0, None)
    validated = any(map(_is_validated, histories.values()))
    kinds = (("validation", _THICK), ("training", _THIN)) if validated else (("training", _THICK),)
    legend += [(_swatch(f'{colour} stroke-width="{width}"'), kind) for kind, width in kinds]
    if any(history.best_epoch is not None for history in histories.values()):
        fill = "currentColor" if len(legend) > len(kinds) else _COLOURS[0]
        legend.append((f'<circle cx="18" cy="6" r="4.5" fill="{fill}"/>', "best epoch"))
    return legend


def _label(histories: Mapping[str, History]) -> str:
    last = max((epoch.epoch for history in histories.values() for epoch in history.epochs), default=1)
    runs = f" of {len(histories)} runs" if len(histories) > 1 else ""
    return f"Loss curves{runs}: nats per frame over {last} epochs"


def _is_validated(history: History) -> bool:
    return bool(history.epochs) and len(history.valid_losses) == len(history.epochs)


def _stroke(index: int, width: float | None) -> str:
    """Seven colours and five dashes, so that 35 runs differ."""
    dashes = _DASHES[index % len(_DASHES)]
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'stroke="{_COLOURS[index % len(_COLOURS)]}"{dashed}' + (f' stroke-width="{width}"' if width else "")


def _swatch(stroke: str) -> str:
    return f'<path d="M0 6h36" {stroke}/>'


def _swatch_svg(swatch: str) -> str:
    return f'<svg class="pr-swatch" width="36" height="12" fill="none" aria-hidden="true">{swatch}</svg>'


def _text_below(share: float, y: float, text: str) -> str:
    """Text under the plot, at a share of its width."""
    x, y = 100 * share, _HEIGHT + y
    return f'<text x="{x:.2f}%" y="{y}" text-anchor="middle" fill="currentColor">{text}</text>'
