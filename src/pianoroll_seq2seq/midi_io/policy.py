"""Options for ambiguous notes."""

from collections.abc import Sequence
from typing import Literal, TypedDict

import numpy as np

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.midi_io.events import Events
from pianoroll_seq2seq.midi_io.walk import VOICE_CHANNEL


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
        sustain: whether a note continues while the sustain pedal of its track and channel is down (control 64 at
            64 or more at the note's end), until the pedal rises or the pitch begins again; a pedal that never
            rises holds to the end of its track.
    """

    pairing: Literal["first", "last"]
    unended: Literal["drop", "hold"]
    overlaps: Literal["keep", "cut"]
    zero_length: Literal["keep", "drop"]
    sustain: bool


_CHANNEL_BITS = 4
_TICK_BITS = 40  # no track that fits in memory lasts longer

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


def sustained(onset: np.ndarray, end: np.ndarray, pitch: np.ndarray, voice: np.ndarray, events: Events) -> np.ndarray:
    """The ends of notes, extended by the sustain pedals of their tracks and channels.

    The last event of a pedal on a tick counts.

    Args:
        onset: ticks, as ``end``.
        end: the ticks of the note-off messages.
        pitch: MIDI note numbers.
        voice: see :class:`~pianoroll_seq2seq.midi_io.events.Events`.
        events: the pedals, and the ends of the tracks.
    """
    end = end.copy()
    pedal_keys = events.pedal_track << _CHANNEL_BITS | events.pedal_channel
    in_groups = np.argsort(pedal_keys, kind="stable")  # in each group still in order of time
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
    """The extended ends of notes under one pedal; from each of ``ticks`` on it is down or not."""
    last_on_tick = np.append(ticks[1:] != ticks[:-1], True)
    ticks, down = ticks[last_on_tick], down[last_on_tick]
    rises = np.append(ticks[~down], track_end)
    onsets = np.sort(_pitch_and_tick(pitch, onset))
    before = np.searchsorted(ticks, end, side="right") - 1
    held = (before >= 0) & down[before]
    release = rises[np.searchsorted(rises[:-1], end, side="right")]
    index = np.searchsorted(onsets, _pitch_and_tick(pitch, np.maximum(onset + 1, end)))
    following = onsets[np.minimum(index, len(onsets) - 1)]
    cut = (index < len(onsets)) & (following >> _TICK_BITS == pitch)
    release = np.where(cut, np.minimum(release, following & (1 << _TICK_BITS) - 1), release)
    return np.where(held, np.maximum(end, release), end)


def _pitch_and_tick(pitch: np.ndarray, tick: np.ndarray) -> np.ndarray:
    """Pitch and tick as one number, in the order of pitches, then of ticks."""
    combined: np.ndarray = pitch << _TICK_BITS | tick
    return combined


def choose(columns: Sequence[np.ndarray], policies: Policies) -> list[np.ndarray]:
    """Applies ``overlaps`` and ``zero_length`` to the columns onset_tick, end_tick, pitch, velocity of one part."""
    onset, end, pitch, velocity = columns
    if policies.get("overlaps", "keep") == "cut" and len(onset):
        order = np.lexsort((end, onset, pitch))
        onset, end, pitch, velocity = (column[order] for column in (onset, end, pitch, velocity))
        followed = np.append(pitch[1:] == pitch[:-1], False)
        after = np.append(onset[1:], 0)
        twin = followed & (after == onset)  # of two notes with one onset, the longer one stays
        end = np.where(followed, np.minimum(end, after), end)
        onset, end, pitch, velocity = (column[~twin] for column in (onset, end, pitch, velocity))
    if policies.get("zero_length", "keep") == "drop":
        lasting = end > onset
        onset, end, pitch, velocity = (column[lasting] for column in (onset, end, pitch, velocity))
    return [onset, end, pitch, velocity]
