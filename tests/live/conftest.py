"""MIDI ports without devices."""

from collections.abc import Iterator

import pytest

from pianoroll_seq2seq.live.memory_backend import MEMORY, NAME, Memory


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Memory]:
    """A keyboard, a pad and a synthesizer."""
    monkeypatch.setenv("MIDO_BACKEND", NAME)
    MEMORY.clear()
    MEMORY.inputs, MEMORY.outputs = ["Keystation 49 MIDI 1", "Pad 1"], ["FLUID Synth (1)", "Pad 1"]
    yield MEMORY
    MEMORY.clear()
