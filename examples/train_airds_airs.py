"""Trains a model that writes dance tunes, as the shipped one: ``open_model("airds-airs")``.

    pip install "pianoroll-seq2seq[datasets,metrics,plot]"
    python examples/train_airds_airs.py --output runs/airs    # twenty minutes on one core

The tunes are James Aird's *Selection of Scotch, English, Irish and Foreign Airs*, Glasgow 1782 to 1803, which come with
music21 (public domain). Variants of a tune are in one part of the split. The epoch is chosen on the validation tunes;
the test tunes are scored once. ``airds-airs.safetensors`` in the output folder is the model with its card. ``music/``
holds continuations and variations of test tunes, and tunes that begin from silence. The same command resumes an
interrupted training.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from recipes.filling import filling
from recipes.recipe import Recipe, Trained, train
from torch import nn

from pianoroll_seq2seq import (
    BeatGrid,
    FillTasks,
    Given,
    PianoRoll,
    PitchRange,
    SequenceModel,
    compare_sets,
    fill,
    generate,
    likelihood,
)
from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq.checkpoint import load, save
from pianoroll_seq2seq.data.condition_sources import MetricPosition
from pianoroll_seq2seq.data.datasets.airds_airs import airds_airs
from pianoroll_seq2seq.data.splitting import Split, split_by_piece
from pianoroll_seq2seq.evaluation.memorization import memorized_share
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.train import run_files

GRID = BeatGrid(4)
"""Sixteenths: 99.3 % of the notes begin and end on it, and all of nine tunes in ten."""
PITCHES = PitchRange(53, 91)
"""Two semitones more than all tunes need, in either direction."""
TASKS = FillTasks(continuing=0.5, harmonizing=0.0, infilling=0.5, both=0.0, stretch_frames=(4, 64))
"""What is given in training. The shortest stretch is a beat, as in a variation."""
STEPS = 1500
SCORED = {"of_two_bars": Given.outside(bars=(5, 6)), "of_four_bars": Given.outside(bars=(5, 8))}
"""What is given when two or four bars are scored."""
PRIMER, CONTINUATION = 64, 128
"""Frames of a primer from a test tune and of its continuation: 4 and 8 bars of four beats."""
MEMORIZED = (16, 32)
"""Frames of the passages that are looked for in training tunes: 4 and 8 beats."""
NAME = "airds-airs"


def recipe(split: Split, *, steps: int = STEPS, hidden_size: int = 160) -> Recipe:
    """Whole tunes, of which a model learns to continue and to infill; with onsets."""
    return filling(
        split.train,
        order=None,
        onsets=True,
        tasks=TASKS,
        condition_source=MetricPosition(),
        hidden_size=hidden_size,
        num_copy_heads=4,
        max_frames_per_batch=2048,
        steps=steps,
    )


def tunes(names: Sequence[str] | None = None) -> Split:
    """The tunes whose notes are all on the grid, split by tune; all by default."""
    airs = airds_airs(names)
    rolls = [
        PianoRoll.from_score(air.score, grid=GRID, pitches=PITCHES, velocity=False)
        for air in airs.values()
        if is_on_grid(air.score)
    ]
    return split_by_piece(rolls, valid=0.1, test=0.1, seed=0, group=lambda roll: airs[roll.name].tune)


def is_on_grid(score: Score) -> bool:
    """Whether all notes begin and end on the grid."""
    frame_ticks = score.ticks_per_beat // GRID.frames_per_beat
    return not any((ticks % frame_ticks).any() for ticks in (score.notes.onset_tick, score.notes.end_tick))
