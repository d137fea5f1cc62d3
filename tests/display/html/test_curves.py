"""The loss curves of pages: which run is which, and which loss."""

import re

import pytest

from pianoroll_seq2seq import History
from pianoroll_seq2seq.display.html import curve_name, curves_figure, curves_image
from pianoroll_seq2seq.train.history import Epoch


def _history(*losses: float, validated: bool = True, first: int = 1) -> History:
    epochs = [
        Epoch(number, number, loss + 1, loss if validated else None, 0.1, 1.0)
        for number, loss in enumerate(losses, start=first)
    ]
    return History(tuple(epochs), first + min(range(len(losses)), key=losses.__getitem__))


def _styles(html: str) -> list[tuple[str, str]]:
    """The colour and the dashes of each curve."""
    lines = re.findall(r'<polyline[^>]* stroke="([^"]*)"(?: stroke-dasharray="([^"]*)")?', html)
    return [(colour, dashes) for colour, dashes in lines]


def test_runs_differ_in_colour_and_dashes() -> None:
    """Two runs look alike: in grey, to a colour-blind reader, or the two blues of a dark page."""
    styles = _styles(curves_figure({str(number): _history(2.0, 1.0, validated=False) for number in range(35)}))
    assert len(set(styles)) == 35
    assert len({dashes for _, dashes in styles[:5]}) == len({colour for colour, _ in styles[:7]}) - 2 == 5
    blues = [dashes for colour, dashes in styles[:7] if colour in ("var(--pr-curve, #0072B2)", "#56B4E9")]
    assert len(set(blues)) == 2
    oranges = [dashes for colour, dashes in styles[:7] if colour in ("#D55E00", "#E69F00")]
    assert len(set(oranges)) == 2


def test_a_name_is_beside_its_line() -> None:
    """The name of a run in the table has the line of another run."""
    html = curves_figure({"first": _history(2.0, 1.0), "second": _history(3.0, 2.0)})
    for index, name in enumerate(("first", "second")):
        line_and_name = curve_name(index, name).removeprefix('<span class="pr-name">').removesuffix("</span>")
        assert line_and_name in html


@pytest.mark.parametrize("draw", [curves_figure, curves_image])
def test_runs_without_validation_have_a_training_curve(draw: object) -> None:
    """A run without validation has no curve, or a legend for a curve that is not there."""
    assert callable(draw)
    html = draw({"": _history(3.0, 2.0, validated=False)})
    if draw is curves_figure:
        assert re.findall(r"<span>([^<]*)</span></li>", html) == ["training", "best epoch"]
        assert len(_styles(html)) == 1
    assert "Loss curves: nats per frame over 2 epochs" in html


def test_odd_histories_can_be_drawn() -> None:
    """One epoch, a diverged loss or a resumed run is an error, or a coordinate that is no number."""
    for histories in (
        {"": _history(2.0)},
        {"": _history(2.0, float("nan"), 3.0)},
        {"": _history(float("inf"), 3.0)},
        {"a": _history(2.0, 1.0, first=5), "b": _history(2.0)},
        {"": History()},
        {},
    ):
        html = curves_figure(histories)
        assert not re.search(r'(?:points|cx|cy|x|y1?)="[^"]*(?:nan|inf)', html)
