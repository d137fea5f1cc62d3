"""Wrong notes in the frames that a model reads in training, so that it learns to continue after its own mistakes."""

import torch
from torch import Tensor

from pianoroll_seq2seq.models.layers.dropout import bernoulli_mask
from pianoroll_seq2seq.models.note_columns import NoteColumns

_HIGHEST_VELOCITY = 127
_MISSING, _ADDED = 0.25, 0.01
"""In a frame with wrong notes: probability that a note is missing, and that another pitch is added."""


def flip_notes(frames: Tensor, flipped: Tensor, columns: NoteColumns) -> Tensor:
    """Frames of which some notes are missing and others are added, consistently over the planes.

    A note that is removed has no onset and no velocity. A pitch that is added is held or begins a note, as likely as
    not, with any velocity.

    Args:
        frames: (batch, frames, frame_size).
        flipped: which cells of the active plane change, (batch, frames, plane_size).
        columns: the columns of the note planes. Those after them are velocities.
    """
    active = (frames[..., : columns.plane_size] > 0) ^ flipped
    if not columns.has_onsets:
        return active.to(frames.dtype)
    coin = bernoulli_mask(flipped.shape, 0.5, frames.device)
    return _planes(frames, active, torch.where(flipped, coin, _onsets(frames, columns)), columns)


def flip_onsets(frames: Tensor, flipped: Tensor, columns: NoteColumns) -> Tensor:
    """Frames of which some held pitches begin a note, and some notes are held instead: see :func:`flip_notes`."""
    active = frames[..., : columns.plane_size] > 0
    return _planes(frames, active, _onsets(frames, columns) ^ flipped, columns)


def _onsets(frames: Tensor, columns: NoteColumns) -> Tensor:
    return frames[..., columns.plane_size : columns.frame_size] > 0


def _planes(frames: Tensor, active: Tensor, onset: Tensor, columns: NoteColumns) -> Tensor:
    """Frames from their planes: an onset only where a pitch is active, and a velocity only at an onset."""
    onset = onset & active
    planes = [active.to(frames.dtype), onset.to(frames.dtype)]
    velocity = frames[..., columns.frame_size :]
    if velocity.shape[-1]:
        drawn = torch.randint(1, _HIGHEST_VELOCITY + 1, velocity.shape, device=frames.device) / _HIGHEST_VELOCITY
        known = torch.where(velocity > 0, velocity, drawn.to(frames.dtype))
        planes.append(torch.where(onset, known, 0.0))
    return torch.cat(planes, dim=-1)


def add_input_noise(frames: Tensor, p: float, columns: NoteColumns, *, training: bool) -> Tensor:
    """Flips each pitch of frames, and with an onset plane each onset, with probability ``p``, in training only."""
    if not training or not p:
        return frames
    shape = torch.Size([*frames.shape[:-1], columns.plane_size])
    noisy = flip_notes(frames, bernoulli_mask(shape, p, frames.device), columns)
    return flip_onsets(noisy, bernoulli_mask(shape, p, frames.device), columns) if columns.has_onsets else noisy


def add_wrong_notes(frames: Tensor, p: float, columns: NoteColumns) -> Tensor:
    """Frames (batch, frames, frame_size), each with wrong notes with probability ``p``."""
    wrong = bernoulli_mask(frames.shape[:2], p, frames.device).unsqueeze(2)
    active = frames[..., : columns.plane_size] > 0
    missing, added = (bernoulli_mask(active.shape, part, frames.device) for part in (_MISSING, _ADDED))
    return flip_notes(frames, wrong & torch.where(active, missing, added), columns)
