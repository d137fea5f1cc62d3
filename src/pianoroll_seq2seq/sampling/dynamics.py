"""Velocities for music that has none."""

from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from pianoroll_seq2seq._internal.progress import tqdm
from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.models.contract import SequenceModel, choose_layout, device_of, dtype_of
from pianoroll_seq2seq.models.heads.precision import check_temperature
from pianoroll_seq2seq.models.heads.random_numbers import RowGenerators
from pianoroll_seq2seq.models.modes import Evaluation
from pianoroll_seq2seq.pianoroll import PianoRoll


@runtime_checkable
class VelocityDistribution(Protocol):
    """A distribution over frames of notes and velocities, such as that of ``VelocityHead``."""

    def sample_velocities(self, notes: Tensor, *, generator: torch.Generator) -> Tensor:
        """Frames (..., frame_size) of given notes (..., note_size), with a sample of their velocities."""
        ...


def add_dynamics(
    model: SequenceModel, roll: PianoRoll, *, temperature: float = 1.0, seed: int = 0, progress: bool = False
) -> PianoRoll:
    """The same notes with velocities as a model would play them.

    The model reads the notes frame by frame, and samples a velocity for each note that begins, given all notes and
    velocities before it and those below it in its frame. Velocities that the roll has are replaced.

    Args:
        model: a model of velocities: its layout has a velocity plane.
        roll: the music, on the grid and with the parts of the model's layout.
        temperature: of the distributions over velocities; below 1 more even, above 1 bolder.
        seed: the seed of the velocities.
        progress: whether to show a progress bar.

    Returns:
        The roll with a velocity plane. A note that sounds in the first frame without an onset has none.

    Raises:
        SettingsError: a model without velocities, or a temperature that is not above 0.
        GridError, PitchRangeError: a roll on another grid, or of other parts or pitches.
        ShapeError: a roll without frames.
        ModelInUseError: ``fit`` trains the model in another thread.

    Example:
        >>> from pianoroll_seq2seq import FrameLayout, PitchRange, Seq2SeqLSTM
        >>> scale = PianoRoll.from_active(np.eye(12, dtype=bool), pitches=PitchRange(60, 71))
        >>> model = Seq2SeqLSTM(FrameLayout.of(scale, velocity=True), hidden_size=8)
        >>> played = add_dynamics(model, scale, seed=1)
        >>> played.notes().pitch.tolist() == scale.notes().pitch.tolist(), played.velocity.dtype
        (True, dtype('uint8'))
    """
    layout = choose_layout(model, None)
    if layout is None or not layout.has_velocity:
        raise SettingsError(
            "add_dynamics needs a model of velocities. Train one on windows with a velocity plane: "
            "SlidingWindows(rolls, layout=FrameLayout.of(rolls[0], velocity=True))."
        )
    if not len(roll):
        raise ShapeError(f"{roll.name or 'The roll'} has no frames.")
    check_temperature(temperature)
    of_notes = replace(layout, planes=("active", "onset"))
    notes = torch.from_numpy(of_notes.to_float(roll.to_frames(of_notes))).unsqueeze(1)
    notes = notes.to(device_of(model), dtype_of(model))
    columns = layout.columns("velocity")
    generators = RowGenerators(seed, 1, device_of(model))
    frames: list[Tensor] = []
    with Evaluation(model), torch.inference_mode():
        distribution, state = model.start(notes.new_zeros(1, 1, layout.frame_size))
        for given in tqdm(notes, "velocities", disable=not progress):
            if frames:
                distribution, state = model.advance(frames[-1], state)
            played = distribution.tempered(temperature)
            if not isinstance(played, VelocityDistribution):
                raise SettingsError(
                    f"add_dynamics needs a head that samples velocities of given notes, such as VelocityHead; got a "
                    f"model whose distributions are {type(played).__name__}."
                )
            frames.append(played.sample_velocities(given, generator=generators))
    written = layout.from_float(torch.cat(frames).float().cpu().numpy())[:, columns]
    onset = roll.note_starts()
    return replace(roll, onset=onset, velocity=np.where(onset, written, np.uint8(0)))
