"""Options for ambiguous notes."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, TypedDict

import numpy as np

from pianoroll_seq2seq.errors import SettingsError


class Policies(TypedDict, total=False):
    """Arguments of :func:`~pianoroll_seq2seq.midi_io.read_midi` that define what a note is.

    Attributes:
        pairing: an end goes to the oldest sounding note of its track, channel and pitch (``"first"``, the
            default) or to the latest (``"last"``).
        unended: a note that never ends is dropped (``"drop"``, the default, as symusic, pretty_midi and note_seq
            do) or lasts to the end of its track (``"hold"``).
        overlaps: a note that still sounds when another of its part and pitch begins keeps its end (``"keep"``, the
            default) or ends there (``"cut"``), as the string of a piano does.
        zero_length: notes that end on the tick on which they begin are kept (``"keep"``, the default: they get one
            frame of a roll) or dropped (``"drop"``).
        sustain: whether a note that ends while the sustain pedal of its channel is down (control 64 at 64 or more)
            continues until the pedal rises, its pitch begins again on the channel, or all sound of the channel ends;
            if none of this comes, to the last event of the file. The pedal may be in another track.
    """

    pairing: Literal["first", "last"]
    unended: Literal["drop", "hold"]
    overlaps: Literal["keep", "cut"]
    zero_length: Literal["keep", "drop"]
    sustain: bool


_CHOICES: dict[str, tuple[object, ...]] = {
    "pairing": ("first", "last"),
    "unended": ("drop", "hold"),
    "overlaps": ("keep", "cut"),
    "zero_length": ("keep", "drop"),
    "sustain": (False, True),
}


def check_policies(policies: Policies) -> None:
    """Validates the policies.

    Raises:
        SettingsError: an unknown policy or value.
    """
    for name, value in policies.items():
        if value not in _CHOICES.get(name, ()):
            raise SettingsError(f"{name}={value!r}: unknown value for a reading option; choose from {_CHOICES}.")


def need_careful_reader(policies: Policies) -> bool:
    """Whether these policies need events that symusic does not report."""
    return (
        policies.get("pairing", "first") != "first"
        or policies.get("unended", "drop") != "drop"
        or policies.get("sustain", False)
    )


def choose(parts: Sequence[Sequence[np.ndarray]], policies: Policies) -> list[list[np.ndarray]]:
    """Applies ``overlaps`` and ``zero_length`` to the columns onset_tick, end_tick, pitch, velocity of each part.

    All parts are handled at once: a file may have 65,535 of them.
    """
    cut, drop = policies.get("overlaps", "keep") == "cut", policies.get("zero_length", "keep") == "drop"
    if not (cut or drop) or not parts:
        return [list(columns) for columns in parts]
    part = np.repeat(np.arange(len(parts)), [len(columns[0]) for columns in parts])
    columns = [part, *map(np.concatenate, zip(*parts, strict=True))]
    if cut:
        part, onset, end, pitch, _ = columns
        order = np.lexsort((end, onset, pitch, part))
        part, onset, end, pitch, velocity = (column[order] for column in columns)
        followed = np.zeros(len(part), dtype=bool)
        followed[:-1] = (pitch[1:] == pitch[:-1]) & (part[1:] == part[:-1])
        after = np.append(onset[1:], 0)
        twin = followed & (after == onset)  # of two notes with one onset, the longer one stays
        end = np.where(followed, np.minimum(end, after), end)
        columns = [column[~twin] for column in (part, onset, end, pitch, velocity)]
    if drop:
        lasting = columns[2] > columns[1]
        columns = [column[lasting] for column in columns]
    bounds = np.searchsorted(columns[0], np.arange(len(parts) + 1)).tolist()
    return [[column[begin:end] for column in columns[1:]] for begin, end in pairwise(bounds)]
