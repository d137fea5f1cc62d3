"""``evaluate``: how well a trained model predicts and plays, beside the baselines and the music itself."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal, Unpack, cast

from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.rasterize import Reading

if TYPE_CHECKING:
    from jsonargparse import Namespace

    from pianoroll_seq2seq.cli.scoring import Evaluated


@dataclass(frozen=True)
class Asked:
    """What is scored.

    Args:
        data: a folder of MIDI files, a corpus made by ingest on the model's grid, or one of the sets that train knows.
        model: a model that comes with the library, the folder of a run, or a checkpoint.
        outside: whether a file with notes outside the model's pitches is refused, or those notes are dropped.
        input_frames: frames that the model hears; those of its training by default, or 16 beats.
        target_frames: frames that it predicts; those of its training by default, or 16 beats.
        condition: what the model is told of each piece: nothing, or its scale.
        continuations: how many pieces to continue, so that what the model plays is held beside them; 0 for none.
        seed: of the continuations.
        classes: import paths of your own models and heads that the model is made of, such as my_module.MyModel.
        threads: of the CPU.
    """

    data: str
    model: str = "bach-chorales"
    outside: Literal["error", "drop"] = "error"
    input_frames: int | None = None
    target_frames: int | None = None
    condition: Literal["nothing", "scale"] = "nothing"
    continuations: int = 16
    seed: int = 0
    classes: list[str] | None = None
    threads: int = 1


def evaluate(asked: Asked, reading: Reading) -> "Evaluated":
    """Scores a trained model on music, beside copying the frame before and copying the last input frame.

    Windows give nats per frame, precision, recall and F1; whole pieces the exact likelihood; and what the model plays
    is held beside how the pieces go on (extra metrics).

    Args:
        asked: what is scored.
        reading: what counts as a note.
    """
    from pianoroll_seq2seq.cli.scoring import score

    return score(asked, reading)


def _call(made: "Namespace", _text: str) -> "Evaluated":
    given = vars(made)
    asked = Asked(**{field.name: given.pop(field.name) for field in fields(Asked)})
    return evaluate(asked, cast(Reading, given))


def _reading(**reading: Unpack[Reading]) -> None:
    """What counts as a note, in MIDI files."""


COMMAND = Command(
    evaluate,
    examples="""
    pianoroll-seq2seq evaluate my_midi
    pianoroll-seq2seq evaluate corpora/mine --model runs/mine --json > scores.json
    pianoroll-seq2seq evaluate bach-chorales --continuations 0
    """,
    groups=(Asked, _reading),
    call=_call,
    own_classes=True,
)
