"""A second reference: plays a MIDI file's events in order, as a synthesizer gets them, and writes down what sounds.

It takes mido's messages of all tracks at once, by tick, then by track, then as in the track, and keeps what a
synthesizer keeps for each of its sixteen channels. It shares no code and no data with the readers.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import mido
from hypothesis import strategies as st


class Sounded(NamedTuple):
    """A note that has sounded."""

    track: int
    channel: int
    program: int
    drums: bool
    onset: int
    end: int
    pitch: int
    velocity: int


@dataclass
class _Key:
    """A key that was pressed, and what it sounds with."""

    track: int
    channel: int
    program: int
    drums: bool
    onset: int
    pitch: int
    velocity: int

    def sounded(self, end: int) -> Sounded:
        return Sounded(self.track, self.channel, self.program, self.drums, self.onset, end, self.pitch, self.velocity)


@dataclass
class _Channel:
    number: int
    program: int = 0
    bank: int = 0
    is_drums: bool = False
    without_bank: bool = False  # whether it is drums when no bank decides
    pedal: bool = False
    pressed: list[_Key] = field(default_factory=list)
    ringing: list[_Key] = field(default_factory=list)  # released, but held by the pedal

    def __post_init__(self) -> None:
        self.is_drums = self.without_bank = self.number == 9


class Synthesizer:
    """Plays messages one by one; ``sounded`` has the notes that ended."""

    def __init__(self, *, sustain: bool, pairing: str) -> None:
        self.sustain = sustain
        self.oldest_first = pairing == "first"
        self.standard = "GM"
        self.channels = [_Channel(number) for number in range(16)]
        self.sounded: list[Sounded] = []

    def play(self, tick: int, track: int, message: mido.Message) -> None:
        if message.type == "sysex":
            self._exclusive(tick, message.data)
            return
        if message.is_meta or message.type not in ("note_on", "note_off", "control_change", "program_change"):
            return
        channel = self.channels[message.channel]
        if message.type == "note_on" and message.velocity > 0:
            for key in [key for key in channel.ringing if key.pitch == message.note]:
                self._silence(tick, channel.ringing, key)
            channel.pressed.append(
                _Key(
                    track,
                    channel.number,
                    channel.program,
                    channel.is_drums,
                    tick,
                    message.note,
                    message.velocity,
                )
            )
        elif message.type in ("note_on", "note_off"):
            keys = [key for key in channel.pressed if key.track == track and key.pitch == message.note]
            if keys:
                self._release(tick, channel, keys[0 if self.oldest_first else -1])
        elif message.type == "program_change":
            channel.program = message.program
            self._bank_takes_effect(channel)
        else:
            self._control(tick, channel, message.control, message.value)

    def stop(self, tick: int) -> None:
        """The end of the file: what the pedals hold ends; keys that are still pressed are in ``channels``."""
        for channel in self.channels:
            for key in list(channel.ringing):
                self._silence(tick, channel.ringing, key)

    def _control(self, tick: int, channel: _Channel, control: int, value: int) -> None:
        if control == 0:
            channel.bank = value
        elif control in (64, 121):
            channel.pedal = control == 64 and value >= 64
            if not channel.pedal:
                for key in list(channel.ringing):
                    self._silence(tick, channel.ringing, key)
        elif control == 120:
            self._cut(tick, channel)
        elif control in (123, 124, 125, 126, 127):
            for key in list(channel.pressed):
                self._release(tick, channel, key)

    def _release(self, tick: int, channel: _Channel, key: _Key) -> None:
        if channel.pedal and self.sustain:
            channel.pressed = [other for other in channel.pressed if other is not key]
            channel.ringing.append(key)
        else:
            self._silence(tick, channel.pressed, key)

    def _silence(self, tick: int, keys: list[_Key], key: _Key) -> None:
        keys[:] = [other for other in keys if other is not key]
        self.sounded.append(key.sounded(tick))

    def _cut(self, tick: int, channel: _Channel) -> None:
        for keys in (channel.pressed, channel.ringing):
            for key in list(keys):
                self._silence(tick, keys, key)

    def _bank_takes_effect(self, channel: _Channel) -> None:
        if self.standard == "GS":
            return
        if channel.bank in (120, 126, 127):
            channel.is_drums = True
        elif channel.bank == 121 or self.standard == "XG":
            channel.is_drums = False
        else:
            channel.is_drums = channel.without_bank

    def _set_part(self, number: int, drums: bool) -> _Channel:
        channel = self.channels[number]
        channel.is_drums = channel.without_bank = drums
        return channel

    def _exclusive(self, tick: int, data: tuple[int, ...]) -> None:
        match data:
            case (0x7E, _, 0x09, 0x01 | 0x03, *_):
                self._reset(tick, "GM")
            case (0x41, _, 0x42, 0x12, 0x40 | 0x00, 0x00, 0x7F, _, *_):
                self._reset(tick, "GS")
            case (0x43, device, 0x4C, 0x00, 0x00, 0x7E | 0x7F, _, *_) if device // 16 == 1:
                self._reset(tick, "XG")
            case (0x41, _, 0x42, 0x12, 0x40, part, 0x15, value, *_) if part // 16 == 1:
                # The parts of GS: 10 1 2 3 4 5 6 7 8 9 11 12 13 14 15 16, counted from 1.
                order = [10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16]
                self._set_part(order[part % 16] - 1, value != 0)
            case (0x43, device, 0x4C, 0x08, part, 0x07, value, *_) if device // 16 == 1 and part < 16:
                self._set_part(part, value != 0).bank = 127 if value else 0

    def _reset(self, tick: int, standard: str) -> None:
        self.standard = standard
        for channel in self.channels:
            self._cut(tick, channel)
        self.channels = [_Channel(number) for number in range(16)]
        if standard == "XG":
            self.channels[9].bank = 127


def played(file: mido.MidiFile, *, sustain: bool = False, pairing: str = "first", unended: str = "drop"):
    """The notes that sound when a file is played, sorted."""
    events, ends = [], []
    for number, track in enumerate(file.tracks):
        tick = 0
        for message in track:
            tick += message.time
            events.append((tick, number, message))
            if message.type == "end_of_track":
                break
        ends.append(tick)
    synthesizer = Synthesizer(sustain=sustain, pairing=pairing)
    for tick, number, message in sorted(events, key=lambda event: event[:2]):
        synthesizer.play(tick, number, message)
    synthesizer.stop(max(ends, default=0))
    left = [key for channel in synthesizer.channels for key in channel.pressed]
    if unended == "hold":
        synthesizer.sounded += [key.sounded(max(ends[key.track], key.onset)) for key in left]
    return sorted(synthesizer.sounded)


def sounded(score) -> list[Sounded]:
    """The notes of a score that was read, sorted."""
    notes = score.notes
    columns = (notes.part, notes.onset_tick, notes.end_tick, notes.pitch, notes.velocity)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    parts = score.parts
    return sorted(
        Sounded(parts[part].track, parts[part].channel, parts[part].program, parts[part].drums, *row)
        for part, *row in rows
    )


# ------------------------------------------------------------------------------------------------- what it plays

GM_ON, GM2_ON = (0x7E, 0x7F, 0x09, 0x01), (0x7E, 0x7F, 0x09, 0x03)
GS_RESET = (0x41, 0x10, 0x42, 0x12, 0x40, 0x00, 0x7F, 0x00, 0x41)
XG_ON, XG_ALL_RESET = (0x43, 0x10, 0x4C, 0x00, 0x00, 0x7E, 0x00), (0x43, 0x15, 0x4C, 0x00, 0x00, 0x7F, 0x00)


def gs_rhythm_part(block: int, value: int) -> tuple[int, ...]:
    address = (0x40, 0x10 | block, 0x15, value)
    return (0x41, 0x10, 0x42, 0x12, *address, -sum(address) % 128)


def xg_part_mode(part: int, value: int) -> tuple[int, ...]:
    return (0x43, 0x10, 0x4C, 0x08, part, 0x07, value)


CHANNELS = (0, 9, 10)
_EXCLUSIVES = (
    *(GM_ON, GM2_ON, GS_RESET, XG_ON, XG_ALL_RESET, (0x7E, 0x7F, 0x09, 0x02), (0x41, 0x10, 0x42, 0x12, 0x40), (), (5,)),
    *(gs_rhythm_part(block, value) for block in (0, 1, 10) for value in (0, 1, 2)),
    *(xg_part_mode(part, value) for part in (0, 9, 10) for value in (0, 1, 3)),
)
_CONTROLS = (
    *((64, value) for value in (0, 63, 64, 127)),
    *((control, 0) for control in (120, 121, 122, 123, 124, 125, 126, 127)),
    *((0, bank) for bank in (0, 1, 64, 120, 121, 126, 127)),
    *((7, 100), (32, 127), (66, 127)),
)


@st.composite
def _message(draw) -> mido.Message:
    time, channel = draw(st.sampled_from((0, 0, 0, 1, 7))), draw(st.sampled_from(CHANNELS))
    kind = draw(st.sampled_from(("on", "on", "on", "off", "off", "control", "control", "program", "sysex", "other")))
    note = draw(st.sampled_from((60, 61)))
    match kind:
        case "on":
            return mido.Message("note_on", time=time, channel=channel, note=note, velocity=draw(st.integers(0, 127)))
        case "off":
            return mido.Message("note_off", time=time, channel=channel, note=note)
        case "control":
            control, value = draw(st.sampled_from(_CONTROLS))
            return mido.Message("control_change", time=time, channel=channel, control=control, value=value)
        case "program":
            return mido.Message("program_change", time=time, channel=channel, program=draw(st.sampled_from((0, 5, 6))))
        case "sysex":
            return mido.Message("sysex", time=time, data=draw(st.sampled_from(_EXCLUSIVES)))
        case _:
            return draw(
                st.sampled_from(
                    (
                        mido.MetaMessage("text", text="la", time=time),
                        mido.Message("aftertouch", channel=channel, value=64, time=time),
                        mido.Message("polytouch", channel=channel, note=note, value=9, time=time),
                        mido.Message("pitchwheel", channel=channel, pitch=9, time=time),
                    )
                )
            )


@st.composite
def files_of_channels(draw) -> mido.MidiFile:
    """Files whose tracks share channels: programs, banks, pedals, resets and endings of notes, many on one tick."""
    tracks = draw(st.lists(st.lists(_message(), min_size=1, max_size=24), min_size=1, max_size=3))
    file = mido.MidiFile(type=0 if len(tracks) == 1 else 1)
    file.tracks.extend(mido.MidiTrack(track) for track in tracks)
    return file
