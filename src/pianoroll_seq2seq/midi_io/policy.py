"""What becomes of notes that leave a choice: the policies a caller may bend."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Literal, TypedDict

import numpy as np

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.midi_io.events import TrackEvents


class Policies(TypedDict, total=False):
    """Arguments of :func:`~pianoroll_seq2seq.midi_io.read_midi` that say what counts as a note.

    Attributes:
        pairing: an end goes to the oldest sounding note of its track, channel and pitch (``"first"``, the
            default) or to the latest (``"last"``).
        unended: a note that never ends is dropped (``"drop"``, the default, as symusic, pretty_midi and note_seq
            do) or lasts to the end of its track (``"hold"``).
        overlaps: a note struck again on the same part and pitch before it ends stays as it is (``"keep"``, the
            default) or ends there (``"cut"``), as the string of a piano does.
        zero_length: notes that end on the tick on which they begin count (``"keep"``, the default: they get one
            frame of a roll) or not (``"drop"``).
        sustain: whether a note goes on while the sustain pedal of its track and channel is down (control 64 at
            64 or more at the note's end), until the pedal rises or the pitch is struck again; a pedal that never
            rises holds to the end of its track.
    """

    pairing: Literal["first", "last"]
    unended: Literal["drop", "hold"]
    overlaps: Literal["keep", "cut"]
    zero_length: Literal["keep", "drop"]
    sustain: bool


_TICK_BITS = 40  # a track of bytes that fit memory does not last longer

_CHOICES: dict[str, tuple[object, ...]] = {
    "pairing": ("first", "last"),
    "unended": ("drop", "hold"),
    "overlaps": ("keep", "cut"),
    "zero_length": ("keep", "drop"),
    "sustain": (False, True),
}


def check_policies(policies: Policies) -> None:
    """Refuses what is not a policy.

    Raises:
        SettingsError: an unknown policy or value.
    """
    for name, value in policies.items():
        if value not in _CHOICES.get(name, ()):
            raise SettingsError(f"{name}={value!r} is no policy of reading; choose from {_CHOICES}.")


def need_careful_reader(policies: Policies) -> bool:
    """Whether symusic cannot tell what these policies ask for."""
    return (
        policies.get("pairing", "first") != "first"
        or policies.get("unended", "drop") != "drop"
        or policies.get("sustain", False)
    )


def sustained(events: TrackEvents, voices: dict[tuple[int, int], list[np.ndarray]]) -> None:
    """Lengthens the notes of a track, in place, by its sustain pedals.

    The pedal's state at a tick is what its last event on that tick says.

    Args:
        events: the track.
        voices: onset_tick, end_tick, pitch and velocity of its notes by (channel, program).
    """
    for channel, pedal in events.pedals.items():
        played = [columns for (on, _), columns in voices.items() if on == channel]
        if not played:
            continue
        state = dict(pedal)  # the last on a tick wins
        ticks = np.array(sorted(state), dtype=np.int64)
        down = np.array([state[tick] for tick in ticks.tolist()])
        rises = np.append(ticks[~down], events.end_tick)
        strikes = np.sort(np.concatenate([_place(pitch, onset) for onset, _, pitch, _ in played]))
        for columns in played:
            onset, end, pitch, _ = columns
            last = np.searchsorted(ticks, end, side="right") - 1
            held = (last >= 0) & down[last]
            release = rises[np.searchsorted(rises[:-1], end, side="right")]
            struck = np.searchsorted(strikes, _place(pitch, np.maximum(onset + 1, end)))
            again = strikes[np.minimum(struck, len(strikes) - 1)]
            cut = (struck < len(strikes)) & (again >> _TICK_BITS == pitch)
            release = np.where(cut, np.minimum(release, again & (1 << _TICK_BITS) - 1), release)
            columns[1] = np.where(held, np.maximum(end, release), end)


def _place(pitch: np.ndarray, tick: np.ndarray) -> np.ndarray:
    """Pitch and tick as one number, in the order of pitches, then of ticks."""
    place: np.ndarray = pitch << _TICK_BITS | tick
    return place


def choose(columns: Sequence[np.ndarray], policies: Policies) -> list[np.ndarray]:
    """Applies ``overlaps`` and ``zero_length`` to the columns onset_tick, end_tick, pitch, velocity of one part."""
    onset, end, pitch, velocity = columns
    if policies.get("overlaps", "keep") == "cut" and len(onset):
        order = np.lexsort((end, onset, pitch))
        onset, end, pitch, velocity = (column[order] for column in (onset, end, pitch, velocity))
        followed = np.append(pitch[1:] == pitch[:-1], False)
        after = np.append(onset[1:], 0)
        twin = followed & (after == onset)  # of two struck at once, the longer stays
        end = np.where(followed, np.minimum(end, after), end)
        onset, end, pitch, velocity = (column[~twin] for column in (onset, end, pitch, velocity))
    if policies.get("zero_length", "keep") == "drop":
        lasting = end > onset
        onset, end, pitch, velocity = (column[lasting] for column in (onset, end, pitch, velocity))
    return [onset, end, pitch, velocity]


def rows_to_columns(rows: Iterable[tuple[int, int, int, int]]) -> list[np.ndarray]:
    """Rows of notes as four int64 columns."""
    return list(np.fromiter(chain.from_iterable(rows), dtype=np.int64).reshape(-1, 4).T)
