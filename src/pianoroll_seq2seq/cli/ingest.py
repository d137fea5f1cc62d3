"""``ingest``: turns a folder of MIDI and MusicXML files into a corpus."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.cli.left_out import left_out_lines
from pianoroll_seq2seq.cli.options import Count, GridOptions, PitchOptions, ReadingOptions

if TYPE_CHECKING:
    from pianoroll_seq2seq.data.corpus import Corpus


@dataclass(frozen=True)
class Ingested:
    """A corpus, with the files that were refused."""

    corpus: "Corpus"

    def to_json(self) -> dict[str, Any]:
        """The folder, its size, and why files were refused."""
        corpus = self.corpus
        return {
            "corpus": str(corpus.folder),
            "pieces": len(corpus),
            "distinct": len(set(corpus.roll_hashes)),
            "num_frames": int(corpus.packed().num_frames.sum()),
            "grid": {"class": type(corpus.grid).__name__, **corpus.grid.settings()},
            "pitches": [corpus.pitches.lowest, corpus.pitches.highest],
            "parts": [part.name for part in corpus.parts],
            "velocity": corpus.has_velocity,
            "refused": dict(corpus.failures),
        }

    def __str__(self) -> str:
        """The same as text."""
        facts = self.to_json()
        refused: dict[str, str] = facts["refused"]
        columns = f"parts {', '.join(facts['parts'])}" if len(facts["parts"]) > 1 else str(self.corpus.pitches)
        lines = [
            f"{facts['corpus']}: {facts['pieces']} pieces ({facts['distinct']} distinct), {facts['num_frames']} frames "
            f"of {self.corpus.grid}, {columns}, {'with' if facts['velocity'] else 'without'} velocities",
            *(left_out_lines(refused, facts["pieces"]) or ["no file left out"]),
        ]
        return "\n".join(lines)


def ingest(
    folder: Annotated[Path, Parameter(name="FOLDER")],
    output: Annotated[Path, Parameter(name="OUTPUT")],
    /,
    *,
    grid: GridOptions = GridOptions(),
    pitches: PitchOptions = PitchOptions(),
    reading: ReadingOptions = ReadingOptions(),
    velocity: bool = True,
    files_per_shard: Count = 512,
    verify: bool = False,
) -> Ingested:
    """Turns a folder of MIDI and MusicXML files into a corpus, which trains without reading the files again.

    A file that cannot be used does not stop the others. The same command resumes an interrupted one.

    Args:
        folder: Folder with MIDI and MusicXML files, at any depth.
        output: New folder for the corpus.
        grid: the grid of frames; sixteenths by default.
        pitches: the pitches to keep; those of a piano by default.
        reading: what counts as a note.
        velocity: Keep the velocities of the notes, a byte a note.
        files_per_shard: Files in a shard, the unit of work.
        verify: Read the finished corpus, and compare its frames with their hashes.

    Raises:
        MidiNotFoundError: no such folder, or no such file in it.
        CorpusError: ``output`` holds something else, or a damaged corpus.
    """
    from pianoroll_seq2seq.data.corpus import build_corpus
    from pianoroll_seq2seq.grid import SIXTEENTHS
    from pianoroll_seq2seq.pitches import PIANO

    corpus = build_corpus(
        folder,
        output,
        grid=grid.grid() or SIXTEENTHS,
        pitches=pitches.pitch_range() or PIANO,
        outside=pitches.outside,
        files_per_shard=files_per_shard,
        velocity=velocity,
        **reading.given(),
    )
    if verify:
        corpus.verify(progress=True)
    return Ingested(corpus)


COMMAND = Command(
    ingest,
    examples="""
    pianoroll-seq2seq ingest my_midi corpora/mine
    pianoroll-seq2seq ingest my_midi corpora/thirty-seconds --frames-per-beat 8 --sustain
    pianoroll-seq2seq ingest my_midi corpora/parts --parts MELODY,BRIDGE,PIANO
    pianoroll-seq2seq ingest my_midi corpora/20ms --frame-seconds 0.02 --pitches 33 81 --outside drop
    """,
    keeps_result=True,
)
