"""``fill``: writes what is not given of a piece, with a trained model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from pianoroll_seq2seq.cli.class_options import find_classes
from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.cli.fill_options import GivenOptions, PieceOptions
from pianoroll_seq2seq.cli.generate_options import FILES, FileOptions, SamplingOptions
from pianoroll_seq2seq.cli.generated import Generated, condition_of, numbered, open_trained, sampler_of, write_piece
from pianoroll_seq2seq.cli.music_files import ENDINGS, check_outputs
from pianoroll_seq2seq.cli.options import BASIC, Count
from pianoroll_seq2seq.errors import SettingsError

if TYPE_CHECKING:
    from pianoroll_seq2seq.given import Given
    from pianoroll_seq2seq.pianoroll import PianoRoll
    from pianoroll_seq2seq.pretrained.trained_model import TrainedModel


def fill(
    source: Annotated[Path, Parameter(name="SOURCE")],
    /,
    *,
    output: Annotated[list[Path], Parameter(group=BASIC)],
    model: Annotated[str, Parameter(group=BASIC, metavar="MODEL")] = "bach-voices",
    what: GivenOptions = GivenOptions(),
    piece: PieceOptions = PieceOptions(),
    sampling: SamplingOptions = SamplingOptions(),
    files: FileOptions = FileOptions(),
    classes: Annotated[list[str] | None, Parameter(group=FILES, metavar="CLASS...")] = None,
    threads: Annotated[Count, Parameter(group=FILES)] = 1,
) -> Generated:
    """Harmonizes a melody, accompanies parts, or writes some bars anew. What is given of the piece stays as it is.

    Args:
        source: A MIDI or MusicXML file: the piece, or with --harmonize a melody.
        output: Files to write: MIDI, MusicXML, sound or a picture, by their endings.
        model: Model that comes with the library, folder of a run, checkpoint, hf://USER/NAME on the Hugging Face Hub,
            or address of one in Azure Storage.
        what: what is given, and what is written.
        piece: how the piece is read.
        sampling: how frames are chosen.
        files: how the files are written.
        classes: Import paths of your own model and head classes, such as my_module.MyModel.
        threads: CPU threads.
    """
    paths_of_pieces = numbered(output, sampling.count)
    check_outputs([path for paths in paths_of_pieces for path in paths], overwrite=files.overwrite)
    given = what.expression()
    import torch

    from pianoroll_seq2seq.evaluation.music_metrics import mean_metrics
    from pianoroll_seq2seq.models.contract import require_filling
    from pianoroll_seq2seq.sampling import fill as fill_pieces

    torch.set_num_threads(threads)
    trained, epoch = open_trained(model, find_classes(classes or ()))
    filling = require_filling(trained.model)
    roll, given = _read(source, trained, what, piece, given)
    condition = condition_of(sampling, trained)
    filled = fill_pieces(
        filling,
        [roll] * sampling.count,
        given,
        sampler=sampler_of(sampling, trained),
        seed=sampling.seed,
        condition=None if condition is None else [condition] * sampling.count,
        layout=trained.layout,
        progress=True,
    )
    written = [write_piece(one, one, paths, files) for paths, one in zip(paths_of_pieces, filled, strict=True)]
    return Generated(trained.name, sampling.seed, tuple(written), mean_metrics(filled), epoch)


def _read(
    source: Path, trained: "TrainedModel", what: GivenOptions, piece: PieceOptions, given: "Given | None"
) -> tuple["PianoRoll", "Given"]:
    """The piece, and what of it is given.

    Raises:
        SettingsError: a part that the model does not have, or a given part without notes.
    """
    from pianoroll_seq2seq.given import Given
    from pianoroll_seq2seq.sampling.melodies import melody_part, with_melody

    if given is None:
        part, layout = melody_part(trained.model, trained.layout, piece.part)
        melody = piece.read_melody(source, layout)
        roll = with_melody(trained.model, melody, part, layout, octaves=piece.octaves, chords=piece.chords)
        return roll, Given.parts(part.name)
    _check_names(what, trained)
    roll = piece.read(source, trained.layout, what)
    mask = given.mask(roll)
    empty = [
        name
        for index, name in enumerate(roll.part_names)
        if mask[:, index].all() and not roll.active[:, roll.columns(name)].any()
    ]
    if empty and len(empty) == mask.all(axis=0).sum():
        raise SettingsError(
            f"{source} has no notes in the parts that are given: {', '.join(empty)}. Check the names of its tracks, or "
            f"add --harmonize for a file with one melody."
        )
    return roll, given


def _check_names(what: GivenOptions, trained: "TrainedModel") -> None:
    """Refuses parts that the model does not have, before the piece is read."""
    names = [part.name for part in trained.parts]
    for option in ("given", "parts"):
        for name in (getattr(what, option) or "").split(","):
            if getattr(what, option) is not None and name.strip() not in names:
                raise SettingsError(
                    f"--{option}: the model {trained.name} has no part {name.strip()!r}. Its parts are "
                    f"{', '.join(map(repr, names))}."
                )


COMMAND = Command(
    fill,
    examples=f"""
    pianoroll-seq2seq fill melody.mid --harmonize --output chorale.mid chorale.wav chorale.musicxml
    pianoroll-seq2seq fill piece.mid --given soprano,bass --output piece-2.mid
    pianoroll-seq2seq fill piece.mid --bars 5-8 --seed 7 --count 4 --output take.mid
    pianoroll-seq2seq fill piece.mid --bars 5-8 --parts tenor --output take.mid
    (endings: {", ".join(ENDINGS)})
    """,
    keeps_result=True,
)
