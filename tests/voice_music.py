"""Small rolls of several voices, written as lists of pitches."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pianoroll_seq2seq.grid import SIXTEENTHS, FrameGrid
from pianoroll_seq2seq.meter import Meter
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.signatures import KeySignature

COMPASS = PitchRange(24, 96)


def voices(*, grid: FrameGrid = SIXTEENTHS, key: KeySignature | None = None, **parts: Sequence[int]) -> PianoRoll:
    """A roll from the MIDI pitch of each part in each frame, 0 for a rest. A pitch that stays is one note."""
    rolls = {}
    for name, pitches in parts.items():
        plane = np.array(pitches)[:, None] == np.arange(COMPASS.lowest, COMPASS.highest + 1)
        rolls[name] = PianoRoll.from_active(plane, grid=grid, parts=[Part(name, pitches=COMPASS)])
    roll = PianoRoll.stack(rolls)
    return replace(roll, meter=Meter(key_signatures=[key])) if key else roll


def in_beats(*pitches: int) -> list[int]:
    """Pitches that last a beat each, in sixteenths."""
    return [pitch for pitch in pitches for _ in range(4)]


def chorale(num_bars: int, seed: int) -> list[list[int]]:
    """The pitches of four voices in sixteenths, (frames, voices), with a new one on each beat."""
    steps = np.random.default_rng(seed).integers(-3, 4, size=(4 * num_bars, 4))
    return np.repeat(steps + np.array([72, 67, 60, 50]), 4, axis=0).tolist()
