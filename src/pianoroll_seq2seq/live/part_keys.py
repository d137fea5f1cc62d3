"""The player's keys as frames of a model: the part that they play."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.live.keys import KeyFrame
from pianoroll_seq2seq.parts import Part, listed
from pianoroll_seq2seq.pretrained.trained_model import TrainedModel


@dataclass(frozen=True)
class PartKeys:
    """The part of a model that the player plays.

    Args:
        trained: the model.
        part: the part.
        highest: whether only the highest of several notes at once is read, since the part has one note at a time.
    """

    trained: TrainedModel
    part: Part
    highest: bool

    @classmethod
    def of(cls, trained: TrainedModel, name: str | None) -> "PartKeys":
        """The part of a name; by default the first one that is no drums.

        Raises:
            SettingsError: the model has no such part.
        """
        parts = trained.parts
        found = [part for part in parts if part.name == name or (name is None and not part.drums)]
        if name is not None and not found:
            names = listed((part.name for part in parts), quoted=True)
            raise SettingsError(f"The model {trained.name} has no part {name!r}. Its parts are [{names}].")
        part = found[0] if found else parts[0]
        return cls(trained, part, _has_one_note(trained, part))

    def is_read(self, pitch: int) -> bool:
        """Whether the part has a pitch."""
        return self.part.pitches.lowest <= pitch <= self.part.pitches.highest

    def frame(self, keys: KeyFrame) -> np.ndarray:
        """The player's frame in the model's layout, (frame_size,), with the other parts silent.

        Notes outside the pitches of the part are left out.
        """
        layout = self.trained.layout
        frame = np.zeros(layout.frame_size, np.uint8 if layout.has_velocity else bool)
        pitches = [pitch for pitch in keys.sounding if self.is_read(pitch)]
        for pitch in pitches[-1:] if self.highest else pitches:
            column = pitch - self.part.pitches.lowest
            frame[layout.columns("active", self.part.name)][column] = 1
            if pitch in keys.onsets and layout.has_onsets:
                frame[layout.columns("onset", self.part.name)][column] = 1
            if pitch in keys.onsets and layout.has_velocity:
                frame[layout.columns("velocity", self.part.name)][column] = keys.sounding[pitch]
        return frame


def _has_one_note(trained: TrainedModel, part: Part) -> bool:
    """Whether a part of the model has one note at a time."""
    find: Any = getattr(getattr(trained.model, "head", None), "chords", None)
    if find is None or len(part.pitches) < 2:
        return False
    layout = trained.layout
    chord = torch.zeros(1, layout.frame_size)
    begin = layout.columns("active", part.name).start
    chord[:, begin : begin + 2] = 1
    chords: dict[str, torch.Tensor] = find(chord)
    return part.name in chords and bool(chords[part.name].any())
