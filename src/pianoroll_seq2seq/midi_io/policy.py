"""What becomes of notes that leave a choice: the policies a caller may bend."""

from collections.abc import Sequence
from typing import Literal, TypedDict

import numpy as np

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.midi_io.events import Events
from pianoroll_seq2seq.midi_io.walk import VOICE_CHANNEL


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


_CHANNEL_BITS = 4
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


def sustained(onset: np.ndarray, end: np.ndarray, pitch: np.ndarray, voice: np.ndarray, events: Events) -> np.ndarray:
    """The ends of notes, made later by the sustain pedals of their tracks and channels.

    A pedal's state at a tick is what its last event on that tick says.

    Args:
        onset: ticks, as ``end``.
        end: where the keys were let go.
        pitch: MIDI note numbers.
        voice: see :class:`~pianoroll_seq2seq.midi_io.events.Events`.
        events: what holds the pedals and where tracks end.
    """
    end = end.copy()
    pedal_keys = events.pedal_track << _CHANNEL_BITS | events.pedal_channel
    in_groups = np.argsort(pedal_keys, kind="stable")  # and in each still in time
    pedal_keys, pedal_ticks = pedal_keys[in_groups], events.pedal_tick[in_groups]
    pedal_down = events.pedal_down[in_groups] > 0
    order = np.argsort(voice >> VOICE_CHANNEL, kind="stable")
    keys, starts, counts = np.unique(pedal_keys, return_index=True, return_counts=True)
    note_keys = (voice >> VOICE_CHANNEL)[order]
    firsts, lasts = (np.searchsorted(note_keys, keys, side=side) for side in ("left", "right"))
    for track, first, last, start, count in zip(keys >> _CHANNEL_BITS, firsts, lasts, starts, counts, strict=True):
        if last > first:
            played, pedal = order[first:last], slice(start, start + count)
            end[played] = _held(
                onset[played],
                end[played],
                pitch[played],
                ticks=pedal_ticks[pedal],
                down=pedal_down[pedal],
                track_end=int(events.ends[track]),
            )
    return end


def _held(
    onset: np.ndarray, end: np.ndarray, pitch: np.ndarray, *, ticks: np.ndarray, down: np.ndarray, track_end: int
) -> np.ndarray:
    """The ends of notes under one pedal, which is ``down`` or not from each of the ``ticks`` on."""
    last_on_tick = np.append(ticks[1:] != ticks[:-1], True)
    ticks, down = ticks[last_on_tick], down[last_on_tick]
    rises = np.append(ticks[~down], track_end)
    strikes = np.sort(_place(pitch, onset))
    before = np.searchsorted(ticks, end, side="right") - 1
    held = (before >= 0) & down[before]
    release = rises[np.searchsorted(rises[:-1], end, side="right")]
    struck = np.searchsorted(strikes, _place(pitch, np.maximum(onset + 1, end)))
    again = strikes[np.minimum(struck, len(strikes) - 1)]
    cut = (struck < len(strikes)) & (again >> _TICK_BITS == pitch)
    release = np.where(cut, np.minimum(release, again & (1 << _TICK_BITS) - 1), release)
    return np.where(held, np.maximum(end, release), end)


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
