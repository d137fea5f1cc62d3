"""Trains a model of Bach's chorales for four voices, as the one that is shipped: ``open_model("bach-chorales")``.

    pip install "pianoroll-seq2seq[datasets,metrics,plot]"
    python examples/train_bach_chorales.py --output runs/bach    # a quarter of an hour on one core

The chorales come with music21 (public domain). All harmonizations of a hymn tune are in one part of the split. The
epoch is chosen on the validation chorales; the test chorales are scored once. ``bach-chorales.safetensors`` in the
output folder is the model with its card. ``music/`` holds continuations of test chorales, and pieces that begin from
silence. The same command resumes an interrupted training.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from recipes.monophonic import monophonic
from recipes.recipe import Recipe, Trained, train

from pianoroll_seq2seq import (
    BeatGrid,
    PianoRoll,
    PitchRange,
    SlidingWindows,
    compare_sets,
    evaluate,
    generate,
    likelihood,
)
from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq.checkpoint import save
from pianoroll_seq2seq.data.condition_sources import JoinedConditions, MetricPosition, PhraseEnds, phrase_end_frames
from pianoroll_seq2seq.data.datasets.bach_chorales import VOICES, bach_chorales
from pianoroll_seq2seq.data.splitting import Split, split_by_piece
from pianoroll_seq2seq.train import run_files

GRID = BeatGrid(4)
"""Sixteenths: 99.99 % of the notes begin and end on it (on eighths 97 %, and a third of the chorales)."""
PITCHES = {
    "soprano": PitchRange(52, 86),
    "alto": PitchRange(48, 79),
    "tenor": PitchRange(43, 74),
    "bass": PitchRange(31, 69),
}
"""Of each part: five semitones more than the voices of all chorales need, in either direction."""
SOURCE = JoinedConditions((MetricPosition(), PhraseEnds()))
"""What a model can know of a chorale beside its notes."""
LONGEST_REST = 16
"""Frames. In a few chorales instruments play between the lines, while all voices rest for longer."""
PRIMER, CONTINUATION = 64, 192
"""Frames of a primer from a test chorale and of its continuation: 4 and 12 bars of four beats."""
NAME = "bach-chorales"


def recipe(rolls: Sequence[PianoRoll]) -> Recipe:
    """Whole chorales; the head decides one voice after another, with onsets."""
    return monophonic(rolls, order=None, onsets=True)


class Chorales(NamedTuple):
    """The chorales that the model learns from and is tested on.

    Args:
        split: training, validation and test chorales: rolls of soprano, alto, tenor and bass.
        phrase_ends: the frames before which the lines of each hymn end, by the name of the chorale. Chorales of which
            they are unknown are left out.
    """

    split: Split
    phrase_ends: Mapping[str, np.ndarray]

    def condition(self, roll: PianoRoll) -> np.ndarray:
        """What ``SOURCE`` says of a whole chorale: where its frames are in the bar, and where phrases end."""
        return SOURCE(roll, self.phrase_ends.get(roll.name))


def chorales(names: Sequence[str] | None = None) -> Chorales:
    """The chorales for four voices without instruments between the lines, split by hymn tune; all by default."""
    pieces = bach_chorales(names)
    parts = {voice.lower(): voice for voice in VOICES}
    rolls = [
        PianoRoll.from_score(piece.score, grid=GRID, pitches=PITCHES, parts=parts, velocity=False)
        for piece in pieces.values()
        if len(piece.score.parts) == len(VOICES)
    ]
    sung = [roll for roll in rolls if longest_rest(roll) <= LONGEST_REST]
    ends = {
        roll.name: phrase_end_frames(roll, ticks=pieces[roll.name].phrase_ends)
        for roll in sung
        if pieces[roll.name].phrase_ends
    }
    split = split_by_piece(sung, valid=0.1, test=0.1, seed=0, group=lambda roll: pieces[roll.name].tune)
    return Chorales(split, ends)


def longest_rest(roll: PianoRoll) -> int:
    """The largest number of consecutive frames in which no voice sounds."""
    sounding = np.flatnonzero(roll.active.any(axis=1))
    return int(np.diff(sounding, prepend=-1, append=len(roll)).max()) - 1


def scores(trained: Trained, recipe: Recipe, split: Split) -> dict[str, Any]:
    """Exact nats per frame of whole chorales, and of windows compared with copying the last frame."""
    valid, test = (
        likelihood(trained.model, rolls, input_frames=recipe.input_frames, target_frames=recipe.target_frames)
        for rolls in (split.valid, split.test)
    )
    windows = SlidingWindows(split.test, input_frames=PRIMER, target_frames=PRIMER, hop=PRIMER, short="pad")
    compared = evaluate(trained.model, windows)
    print(f"test: {test}\nwindows of the test chorales\n{compared}", flush=True)
    return {
        "valid_nats": valid.nats,
        "test_nats": test.nats,
        "test_nats_after_first": test.nats_after_first,
        "windows_nats": compared.model.all.nats,
        "windows_nats_copying_the_last_frame": compared.copy_last.all.nats,
    }


def music(trained: Trained, rolls: Sequence[PianoRoll], folder: Path, *, seed: int) -> dict[str, Any]:
    """Continues chorales, writes them as MIDI, and compares them with the originals; and begins a few from silence."""
    pieces = [roll for roll in rolls if len(roll) >= PRIMER + CONTINUATION]
    written = generate(
        trained.model, [roll[:PRIMER] for roll in pieces], num_frames=CONTINUATION, seed=seed, progress=True
    )
    silence = PianoRoll.silent(PRIMER, grid=GRID, parts=rolls[0].parts)
    started = generate(trained.model, [silence] * 4, num_frames=PRIMER + CONTINUATION, seed=seed, progress=True)
    for piece, continuation in zip(pieces, written, strict=True):
        (piece[:PRIMER] + continuation).to_midi(folder / f"{piece.name}.mid", overwrite=True)
    for number, roll in enumerate(started):
        roll.to_midi(folder / f"from-silence-{number}.mid", overwrite=True)
    comparison = compare_sets(written, [roll[PRIMER : PRIMER + CONTINUATION] for roll in pieces], frames_per_bar=16)
    print(comparison, flush=True)
    return comparison.to_json()


def card(trained: Trained, figures: Mapping[str, Any], comparison: Mapping[str, Any], split: Split) -> dict[str, Any]:
    """Facts about the model for its users."""
    return {
        "name": NAME,
        "what": "Continues or begins music for four voices in the style of Bach's chorales, in sixteenths.",
        "data": "J. S. Bach's chorales as music21's corpus has them (public domain): "
        f"{len(split.train)} to train, {len(split.valid)} to validate, {len(split.test)} to test, split by hymn tune.",
        "recipe": "examples/train_bach_chorales.py",
        "parameters": trained.num_parameters,
        "best_epoch": trained.history.best_epoch,
        "scores": dict(figures),
        "music": {
            name: {"generated": row["generated_mean"], "data": row["data_mean"]}
            for name, row in comparison["metrics"].items()
        },
        "not_for": "Music in other styles or metres than chorales, dynamics, or tempo. "
        "Its music has not been checked against the rules of counterpoint.",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("runs/bach"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    split = chorales().split
    chosen = recipe(split.train)
    folder = arguments.output / f"seed-{arguments.seed}"
    trained = train(chosen, split.train, split.valid, seed=arguments.seed, checkpoint_dir=folder)
    figures = scores(trained, chosen, split)
    comparison = music(trained, split.test, arguments.output / "music", seed=arguments.seed)
    details = {"card": card(trained, figures, comparison, split)}
    path = save(trained.model, folder / f"{NAME}.safetensors", details=details, overwrite=True)
    with writing(folder / run_files.SCORES, overwrite=True) as temporary:
        temporary.write_text(json.dumps({**figures, "music": comparison}, indent=2) + "\n", encoding="utf-8")
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
