"""Channels as a player that reads all tracks at once knows them.

A channel's program, bank, pedal and drums belong to the channel, whichever track its messages are in. They follow one
another in the order of ticks, within a tick in the order of the file: by track, then as in the track. Notes are paired
per track (:mod:`~pianoroll_seq2seq.midi_io.walk`), and end earlier where a message ends all notes of their channel.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from pianoroll_seq2seq._internal import compiled as loops
from pianoroll_seq2seq.midi_io.channel_messages import (
    ALL_CHANNELS,
    BANK,
    DRUM_FLAG,
    DRUMS_BY_DEFAULT,
    MESSAGE_CHANNEL,
    MESSAGE_KIND,
    NOTES_OFF,
    PART_MODE,
    PEDAL,
    PROGRAM,
    RESET,
    RHYTHM_PART,
    SOUND_OFF,
    channel_states,
)
from pianoroll_seq2seq.midi_io.events import Events, moments, read_events
from pianoroll_seq2seq.midi_io.walk import PLACE_BITS, VOICE_CHANNEL

_ENDINGS = (SOUND_OFF, NOTES_OFF, RESET)
_DRUM_MESSAGES = (BANK, RHYTHM_PART, PART_MODE, RESET)
_DRUM_NAMES = {RHYTHM_PART: "a GS message", PART_MODE: "an XG message", BANK: "a bank of XG or GM2"}
_NEVER = np.iinfo(np.int64).max
_RANK_BITS = 40  # no file has as many notes
_PITCHES = 128


def read_channels(
    data: bytes,
    spans: Sequence[tuple[int, int]],
    *,
    last_in_first_out: bool,
    pedals: bool,
    programs: bool,
    max_parts: int | None = None,
) -> Events:
    """The events of a file, its notes as all messages of their channels make them.

    Args:
        data: the file.
        spans: see :func:`~pianoroll_seq2seq.midi_io.events.read_events`, as for ``last_in_first_out`` and ``pedals``.
        last_in_first_out: how ends are paired.
        pedals: whether to read the sustain pedals.
        programs: whether the programs of the notes are needed; if not, they may be wrong.
        max_parts: the most parts that the tracks may have by their own programs.

    Raises:
        LimitError: more parts.
    """
    events = read_events(
        data, spans, last_in_first_out=last_in_first_out, pedals=pedals, max_parts=max_parts if programs else None
    )
    if not events.kinds or not len(events.onset_tick):
        return events
    if events.has(*_ENDINGS):
        limits = _first_endings(events)
        ended = events.end_tick >= 0
        late = ended & (moments(events.end_tick, events.end_place) > limits)
        if late.any():  # their ends belong to other notes, perhaps
            events = read_events(data, spans, last_in_first_out=last_in_first_out, pedals=pedals, limits=limits)
            ended = events.end_tick >= 0
        stopped = ~ended & (limits < _NEVER)
        events = events._replace(
            end_tick=np.where(stopped, limits >> PLACE_BITS, events.end_tick),
            end_place=np.where(stopped, limits & (1 << PLACE_BITS) - 1, events.end_place),
        )
    if events.has(*_DRUM_MESSAGES) or (programs and events.has(PROGRAM) and len(spans) > 1):
        return events._replace(voice=_with_channel_states(events))
    return events


def drums_by_message(data: bytes, spans: Sequence[tuple[int, int]]) -> dict[int, str]:
    """The messages that make channels drums, or channel 10 no drums.

    Args:
        data: the file.
        spans: the first byte of each track's content and the byte after its last.

    Returns:
        Kinds of messages, by the channels (0..15) of notes whose drums they change.
    """
    events = read_channels(data, spans, last_in_first_out=False, pedals=False, programs=False)
    drums = events.voice & DRUM_FLAG > 0
    channel = events.voice >> VOICE_CHANNEL & 0x0F
    changed = set(channel[drums != (channel == DRUMS_BY_DEFAULT)].tolist())
    return {
        number: " and ".join(name for kind, name in _DRUM_NAMES.items() if (kinds == kind).any())
        for number, _, _, kinds, _ in _by_channel(events, tuple(_DRUM_NAMES))
        if number in changed
    }


def sustained(events: Events) -> np.ndarray:
    """The ends of the notes, extended by the pedals of their channels; -1 still for notes that never end.

    A note that ends while the pedal is down sounds on until the pedal rises, the pitch begins again on the channel, or
    all sound of the channel ends; if nothing of this happens, to the last event of the file.
    """
    end_tick: np.ndarray = events.end_tick.copy()
    if not events.has(PEDAL):
        return end_tick
    onset, end = moments(events.onset_tick, events.onset_place), moments(events.end_tick, events.end_place)
    file_end = int(events.ends.max(initial=0))
    for _, notes, when, kind, value in _by_channel(events, (PEDAL, SOUND_OFF, RESET)):
        is_state = kind != SOUND_OFF
        down = (kind == PEDAL) & (value > 0)
        states = np.append(False, down[is_state])
        held = notes[(events.end_tick[notes] >= 0) & states[np.searchsorted(when[is_state], end[notes])]]
        if not len(held):
            continue
        releases = when[~down]
        release = np.append(releases >> PLACE_BITS, file_end)[np.searchsorted(releases, end[held])]
        again = _next_onsets(events.pitch[notes], onset[notes], events.pitch[held], end[held])
        again = np.where(again < _NEVER, again >> PLACE_BITS, file_end)
        end_tick[held] = np.maximum(end_tick[held], np.minimum(release, again))
    return end_tick


def _next_onsets(pitch: np.ndarray, onset: np.ndarray, of_pitch: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The first onset of each pitch in ``of_pitch`` after each moment in ``after``."""
    order = np.argsort(onset, kind="stable")
    # By pitch, then by rank among the onsets: moments and pitches together would not fit in 64 bits.
    ranked = np.sort(pitch[order] << _RANK_BITS | np.arange(len(order)))
    in_time = onset[order]
    wanted = of_pitch << _RANK_BITS | np.searchsorted(in_time, after, side="right")
    found = np.append(ranked, _PITCHES << _RANK_BITS)[np.searchsorted(ranked, wanted)]
    same = found >> _RANK_BITS == of_pitch
    return np.where(same, in_time[np.where(same, found & (1 << _RANK_BITS) - 1, 0)], _NEVER)


def _first_endings(events: Events) -> np.ndarray:
    """The moment of the first message after each onset that ends all notes of its channel."""
    onset = moments(events.onset_tick, events.onset_place)
    limits = np.full(len(onset), _NEVER)
    for _, notes, when, _, _ in _by_channel(events, _ENDINGS):
        limits[notes] = np.append(when, _NEVER)[np.searchsorted(when, onset[notes])]
    return limits


def _with_channel_states(events: Events) -> np.ndarray:
    """The voices, with drums and programs as all messages of the channels make them."""
    voice = events.voice.copy()
    onset = moments(events.onset_tick, events.onset_place)
    settle = loops.compiled(channel_states) if loops.is_active() else channel_states
    for channel, notes, when, kind, value in _by_channel(events, (PROGRAM, *_DRUM_MESSAGES)):
        # Resets that follow one another are one: at the time of the first, with the mode of the last.
        begins = np.flatnonzero(np.append(True, (kind[1:] != RESET) | (kind[:-1] != RESET)))
        ends = np.append(begins[1:], len(kind)) - 1
        changes, message = when[begins], kind[begins] << MESSAGE_KIND | value[ends]
        state = np.zeros(len(changes) + 1, dtype=np.int64)
        settle(message if loops.is_active() else message.tolist(), channel, state[1:])
        state[0] = DRUM_FLAG if channel == DRUMS_BY_DEFAULT else 0
        voice[notes] = voice[notes] >> VOICE_CHANNEL << VOICE_CHANNEL | state[np.searchsorted(changes, onset[notes])]
    return voice


def _by_channel(
    events: Events, kinds: Sequence[int]
) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """The channels that have notes and messages of these kinds.

    Yields:
        The number of a channel, the indices of its notes, and the moments, kinds and values of its messages, in order.
    """
    chosen = np.zeros(16, dtype=bool)
    chosen[list(kinds)] = True
    kept = chosen[events.message >> MESSAGE_KIND]
    when, message = events.message_moment[kept], events.message[kept]
    order = np.argsort(when, kind="stable")
    when, message = when[order], message[order]
    kind, channel, value = message >> MESSAGE_KIND, message >> MESSAGE_CHANNEL & 0x1F, message & 0x7F
    channel_of_note = events.voice >> VOICE_CHANNEL & 0x0F
    for number in np.flatnonzero(np.bincount(channel_of_note, minlength=16)).tolist():
        reaching = (channel == number) | (channel == ALL_CHANNELS)
        if reaching.any():
            yield (
                number,
                np.flatnonzero(channel_of_note == number),
                when[reaching],
                kind[reaching],
                value[reaching],
            )
