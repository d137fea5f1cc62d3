"""``evaluate``: scores a trained model on music, beside baselines."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Group, Parameter

from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.cli.options import BASIC, Count, OptionalCount, ReadingOptions, Whole

if TYPE_CHECKING:
    from pianoroll_seq2seq.cli.scoring import Evaluated


@Parameter(name="*", group=Group("Scoring", sort_key=10))
@dataclass(frozen=True)
class EvaluateOptions:
    """What is scored, and how."""

    model: Annotated[str, Parameter(group=BASIC, metavar="MODEL")] = "bach-chords"
    """Model that comes with the library, folder of a run, checkpoint, or hf://USER/NAME on the Hugging Face Hub."""
    outside: Literal["error", "drop"] = "error"
    """Refuse a file with notes outside the model's pitches, or drop these notes."""
    verify: bool = False
    """First read all of a corpus, and compare its frames with their hashes."""
    input_frames: OptionalCount = None
    """Frames that the model reads; as in its training by default, or 16 beats."""
    target_frames: OptionalCount = None
    """Frames that the model predicts; as in its training by default, or 16 beats."""
    short: Literal["error", "pad", "skip"] = "skip"
    """What to do with pieces shorter than a window of both."""
    condition: Literal["none", "scale"] = "none"
    """Give the model the scale of each piece."""
    continuations: Annotated[Whole, Parameter(group=BASIC)] = 16
    """Pieces whose beginnings the model continues, to compare its music with theirs; 0 for none."""
    seed: Whole = 0
    """Seed of the continuations."""
    classes: Annotated[list[str] | None, Parameter(metavar="CLASS...")] = None
    """Import paths of your own model and head classes, such as my_module.MyModel."""
    threads: Count = 1
    """CPU threads."""


def evaluate(
    data: Annotated[str, Parameter(name="DATA")],
    /,
    *,
    options: EvaluateOptions = EvaluateOptions(),
    reading: ReadingOptions = ReadingOptions(),
) -> "Evaluated":
    """Scores a trained model on music, beside copying the previous frame and copying the last input frame.

    Windows give nats per frame, precision, recall and F1. Whole pieces give the exact likelihood. Continuations are
    compared with the rest of the pieces (extra metrics).

    Args:
        data: A folder of MIDI or MusicXML files, a corpus on the model's grid, or a data set that train knows.
        options: what is scored.
        reading: what counts as a note.
    """
    from pianoroll_seq2seq.cli.scoring import score

    return score(data, options, reading)


COMMAND = Command(
    evaluate,
    examples="""
    pianoroll-seq2seq evaluate my_midi --model runs/mine
    pianoroll-seq2seq evaluate my_midi --outside drop --json > scores.json
    pianoroll-seq2seq evaluate bach-chorales --continuations 0
    """,
)
