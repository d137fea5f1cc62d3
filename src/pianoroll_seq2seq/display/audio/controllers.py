"""The controllers of a MIDI file: what a synthesizer plays of them, over time."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from pianoroll_seq2seq.midi_io.message_list import Message
from pianoroll_seq2seq.tempo import TempoMap

PAN, EXPRESSION, RESET = 10, 11, 121
_VOLUME, _SUSTAIN_PEDAL = 7, 64
_DATA, _NRPN, _RPN = (6, 38), (98, 99), (100, 101)
_NOTES_OFF = (120, 123)
_FINE = (33, 38, 39, 42, 43)  # the lower bits of modulation, data, volume, pan and expression
_CONTROL, _BEND, _POLY_PRESSURE, _PRESSURE = 0xB0, 0xE0, 0xA0, 0xD0

_DEFAULT_VOLUME = 100
_DEFAULT_BEND_RANGE = 2.0  # semitones
_SMOOTHING_SECONDS = 0.005  # in which a value changes; a jump would click

_BY_ALL = frozenset((_VOLUME, PAN, EXPRESSION, _SUSTAIN_PEDAL, RESET, *_DATA, *_NRPN, *_RPN, *_NOTES_OFF, *_FINE))
_BY_SOUNDFONT = _BY_ALL | {0, 1, 91, 93}
_NAMES = {
    **dict.fromkeys((0, 32), "banks"),
    **dict.fromkeys((5, 65, 84), "portamento"),
    **dict.fromkeys((_POLY_PRESSURE, _PRESSURE), "aftertouch"),
    **dict(zip((1, 2, 66, 67), ("modulation", "breath", "the sostenuto pedal", "the soft pedal"), strict=True)),
    **dict(zip(range(91, 96), ("reverb", "tremolo", "chorus", "detune", "phaser"), strict=True)),
}


class Curve(NamedTuple):
    """A value that changes in steps: ``values[0]`` before the first of ``frames``, ``values[k + 1]`` from the k-th."""

    frames: Int64[np.ndarray, " steps"]
    values: Float64[np.ndarray, " values"]
    smoothing: int
    """Frames in which a value changes."""

    def over(self, start: int, count: int) -> Float64[np.ndarray, " values"]:
        """The values from a frame on, of shape (count,), or (1,) if the value does not change there."""
        first = int(np.searchsorted(self.frames, start - self.smoothing, side="right"))
        last = int(np.searchsorted(self.frames, start + count))
        if first >= last:
            return self.values[first : first + 1]
        begins = self.frames[first:last]
        ends = np.minimum(begins + self.smoothing, np.append(begins[1:], start + count + self.smoothing))
        points = np.stack([begins, ends], axis=1).reshape(-1)
        values = np.stack([self.values[first:last], self.values[first + 1 : last + 1]], axis=1).reshape(-1)
        smooth: np.ndarray = np.interp(np.arange(start, start + count), points, values)
        return smooth


class ChannelCurves(NamedTuple):
    """The sound of a channel over time; None for what never changes."""

    gain: Curve | None
    """The factor of the amplitude: volume and expression, 1 by default."""
    pan: Curve | None
    """From 0 (left) to 1 (right)."""
    bend: Curve | None
    """The factor of the frequencies."""


def channel_curves(messages: Iterable[Message], tempo: TempoMap, sample_rate: int) -> dict[int, ChannelCurves]:
    """Volume, expression, pan and pitch bend of the channels that have such messages.

    Amplitude is the square of volume and of expression, as General MIDI recommends.
    """
    by_channel: dict[int, list[Message]] = {}
    for message in messages:
        if message.kind in (_CONTROL, _BEND):
            by_channel.setdefault(message.channel, []).append(message)

    def curve(steps: list[tuple[int, float]], default: float) -> Curve | None:
        frames = np.rint(tempo.seconds(np.array([tick for tick, _ in steps])) * sample_rate).astype(np.int64)
        values = np.array([default, *(value for _, value in steps)])
        if (values == default).all():
            return None
        last = np.append(frames[1:] != frames[:-1], True)  # the last step on a frame counts
        frames, values = frames[last], np.append(default, values[1:][last])
        if frames[0] == 0:
            frames, values = frames[1:], values[1:]
        return Curve(frames, values, round(_SMOOTHING_SECONDS * sample_rate))

    curves = {}
    for channel, its in by_channel.items():
        gain, pan, bend = _steps(its)
        found = ChannelCurves(curve(gain, 1.0), curve(pan, 0.5), curve(bend, 1.0))
        if found != (None, None, None):
            curves[channel] = found
    return curves


def _steps(messages: Iterable[Message]) -> tuple[list[tuple[int, float]], ...]:
    """The ticks and new values of gain, pan and bend of a channel."""
    volume, expression, bend, bend_range = _DEFAULT_VOLUME, 127, 0.0, _DEFAULT_BEND_RANGE
    selected: list[int | None] = [None, None]  # the registered parameter; 0, 0 is the range of the pitch bend
    gains, pans, bends = [], [], []
    for tick, status, (first, *rest) in messages:
        second = rest[0] if rest else 0
        if status & 0xF0 == _BEND:
            bend = ((second << 7 | first) - 8192) / 8192
        elif first == _VOLUME:
            volume = second
        elif first in (EXPRESSION, RESET):
            expression = second if first == EXPRESSION else 127
            bend = bend if first == EXPRESSION else 0.0
        elif first == PAN:
            pans.append((tick, max(second - 1, 0) / 126))
        elif first in _RPN:
            selected[first - _RPN[0]] = second
        elif first in _NRPN:
            selected = [None, None]
        elif first in _DATA and selected == [0, 0]:
            bend_range = second + bend_range % 1 if first == _DATA[0] else bend_range // 1 + second / 100
        gains.append((tick, (volume / _DEFAULT_VOLUME) ** 2 * (expression / 127) ** 2))
        bends.append((tick, 2 ** (bend * bend_range / 12)))
    return gains, pans, bends


def without_unregistered_parameters(messages: Iterable[Message]) -> list[Message]:
    """The messages without those of unregistered parameters, which a synthesizer may take for registered ones."""
    kept, unregistered = [], [False] * 16
    for message in messages:
        if message.kind == _CONTROL:
            controller = message.data[0]
            if controller in (*_NRPN, *_RPN):
                unregistered[message.channel] = controller in _NRPN
            if controller in _NRPN or (controller in _DATA and unregistered[message.channel]):
                continue
        kept.append(message)
    return kept


def not_heard(messages: Sequence[Message], *, soundfont: bool) -> list[str]:
    """The names of the controllers that a synthesizer does not play, if a file uses them (at a value above 0)."""
    played = _BY_SOUNDFONT if soundfont else _BY_ALL
    found = set()
    for message in messages:
        if message.kind in (_POLY_PRESSURE, _PRESSURE) and message.data[-1]:
            found.add(_NAMES[message.kind])
        elif message.kind == _CONTROL and message.data[1] and message.data[0] not in played:
            found.add(_NAMES.get(message.data[0], f"controller {message.data[0]}"))
    return sorted(found)
