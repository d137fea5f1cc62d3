"""``fill``: writes what is not given of a piece, with a trained model."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from pianoroll_seq2seq.cli.class_options import find_classes
from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.cli.fill_options import GivenOptions, PieceOptions
from pianoroll_seq2seq.cli.generate_options import FILES, FileOptions, SamplingOptions
from pianoroll_seq2seq.cli.generated import Generated, conditions_of, numbered, open_trained, sampler_of, write_piece
from pianoroll_seq2seq.cli.music_files import ENDINGS, check_outputs
from pianoroll_seq2seq.cli.options import BASIC, Count
from pianoroll_seq2seq.cli.recording import RECORDS, RecordOptions
from pianoroll_seq2seq.cli.train import TRACKER
from pianoroll_seq2seq.errors import SettingsError

if TYPE_CHECKING:
    from pianoroll_seq2seq.given import Given
    from pianoroll_seq2seq.pianoroll import PianoRoll
    from pianoroll_seq2seq.pretrained.trained_model import TrainedModel
    from pianoroll_seq2seq.trackers.base import Value


def fill(
    source: Annotated[Path, Parameter(name="SOURCE")],
    /,
    *,
    output: Annotated[list[Path], Parameter(group=BASIC)],
    model: Annotated[str, Parameter(group=BASIC, metavar="MODEL")] = "bach-chorales",
    what: GivenOptions = GivenOptions(),
    piece: PieceOptions = PieceOptions(),
    sampling: SamplingOptions = SamplingOptions(),
    files: FileOptions = FileOptions(),
    records: RecordOptions = RecordOptions(),
    tracker: Annotated[str | None, Parameter(group=RECORDS, metavar="CLASS")] = None,
    classes: Annotated[list[str] | None, Parameter(group=FILES, metavar="CLASS...")] = None,
    threads: Annotated[Count, Parameter(group=FILES)] = 1,
    **arguments: Any,
) -> Generated:
    """Harmonizes a melody, accompanies parts, writes some bars anew, or varies them. What is given stays as it is.

    Args:
        source: A MIDI or MusicXML file: the piece, or with --harmonize a melody.
        output: Files to write: MIDI, MusicXML, sheet music, sound or a picture, by their endings.
        model: Model that comes with the library, folder of a run, checkpoint, hf://USER/NAME on the Hugging Face Hub,
            or address of one in Azure Storage.
        what: what is given, and what is written.
        piece: how the piece is read.
        sampling: how frames are chosen.
        files: how the files are written.
        records: what is kept beside the files.
        tracker: Class of a tracker that logs the metrics and the files, such as MLflowTracker.
        classes: Import paths of your own model and head classes, such as my_module.MyModel.
        threads: CPU threads.
        **arguments: the arguments of the tracker.
    """
    paths_of_pieces = numbered(output, sampling.count)
    paths = [path for paths in paths_of_pieces for path in paths]
    check_outputs(paths, overwrite=files.overwrite)
    what.expression()  # refuses options that say nothing, before anything is opened
    import torch

    from pianoroll_seq2seq.evaluation.music_metrics import mean_metrics

    torch.set_num_threads(threads)
    with records.open(paths, TRACKER.choose(tracker, arguments), overwrite=files.overwrite) as recorder:
        trained, epoch = open_trained(model, find_classes(classes or ()))
        filled = _fill(source, trained, what, piece, sampling)
        written = [write_piece(one, one, names, files) for names, one in zip(paths_of_pieces, filled, strict=True)]
        generated = Generated(trained.name, sampling.seed, tuple(written), mean_metrics(filled), epoch)
        params: dict[str, Value] = {"model": generated.model, "pieces": len(written)}
        recorder.record(generated, {**params, "seed": sampling.seed, "temperature": sampling.temperature})
    return generated


def _fill(
    source: Path, trained: "TrainedModel", what: GivenOptions, piece: PieceOptions, sampling: SamplingOptions
) -> "Sequence[PianoRoll]":
    """The filled pieces."""
    from pianoroll_seq2seq.models.contract import require_filling
    from pianoroll_seq2seq.sampling import fill as fill_pieces

    filling = require_filling(trained.model)
    what = _with_names_of(what, trained)
    roll, given = _read(source, trained, what, piece)
    givens = [given] * sampling.count
    if what.vary is not None:
        givens = [what.variation(roll, sampling.seed + take) for take in range(sampling.count)]
    return fill_pieces(
        filling,
        [roll] * sampling.count,
        givens,
        sampler=sampler_of(sampling, trained),
        seed=sampling.seed,
        condition=conditions_of(sampling, trained, roll),
        layout=trained.layout,
        progress=True,
    )


def check_fill(
    source: Path,
    model: str,
    what: GivenOptions,
    piece: PieceOptions,
    sampling: SamplingOptions,
    *,
    classes: Sequence[type] = (),
) -> None:
    """Checks that a model of this machine can be opened and takes the piece and the options, without filling.

    Raises:
        CheckpointError: no such model.
        SettingsError: options that do not fit it.
        MidiError: a piece that cannot be read.
    """
    from pianoroll_seq2seq.models.contract import require_filling

    what.expression()
    trained, _ = open_trained(model, classes)
    require_filling(trained.model)
    roll, _ = _read(source, trained, _with_names_of(what, trained), piece)
    sampler_of(sampling, trained)
    conditions_of(sampling, trained, roll)


def _read(
    source: Path, trained: "TrainedModel", what: GivenOptions, piece: PieceOptions
) -> tuple["PianoRoll", "Given"]:
    """The piece, and what of it is given; for a variation, of one with the seed 0.

    Raises:
        SettingsError: bars that the piece does not have, a part that the model lacks, or a given part without notes.
    """
    from pianoroll_seq2seq.given import Given
    from pianoroll_seq2seq.sampling.melodies import melody_part, with_melody

    given = what.expression()
    if what.harmonize:
        part, layout = melody_part(trained.model, trained.layout, piece.part)
        melody = piece.read_melody(source, layout)
        roll = with_melody(trained.model, melody, part, layout, octaves=piece.octaves, chords=piece.chords)
        return roll, Given.parts(part.name)
    roll = piece.read(source, trained.layout, what)
    if given is None:  # a variation, of which each take has its own
        given = what.variation(roll, seed=0)
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


def _with_names_of(what: GivenOptions, trained: "TrainedModel") -> GivenOptions:
    """The options with the names of parts as the model has them; capitals count only if they tell parts apart.

    Raises:
        SettingsError: a part that the model does not have; nothing has been read yet.
    """
    names = [part.name for part in trained.parts]
    of_any_case = {name.casefold(): name for name in names}
    of_any_case = of_any_case if len(of_any_case) == len(names) else {}
    found: dict[str, str] = {}
    for option in ("given", "parts"):
        text: str | None = getattr(what, option)
        if text is None:
            continue
        words = [name.strip() for name in text.split(",")]
        known = [name if name in names else of_any_case.get(name.casefold()) for name in words]
        for name, one in zip(words, known, strict=True):
            if one is None:
                raise SettingsError(
                    f"--{option}: the model {trained.name} has no part {name!r}. Its parts are "
                    f"{', '.join(map(repr, names))}."
                )
        found[option] = ",".join(one for one in known if one is not None)
    return replace(what, given=found.get("given"), parts=found.get("parts"))


COMMAND = Command(
    fill,
    examples=f"""
    pianoroll-seq2seq fill melody.mid --harmonize --output chorale.mid chorale.wav chorale.musicxml
    pianoroll-seq2seq fill piece.mid --given soprano,bass --output piece-2.mid
    pianoroll-seq2seq fill piece.mid --bars 5-8 --seed 7 --count 4 --output take.mid
    pianoroll-seq2seq fill piece.mid --bars 5-8 --parts tenor --output take.mid
    pianoroll-seq2seq fill piece.mid --vary 5-8 --strength 0.3 --count 4 --output variation.mid
    (endings: {", ".join(ENDINGS)})
    """,
    class_options=(TRACKER,),
    keeps_result=True,
)
