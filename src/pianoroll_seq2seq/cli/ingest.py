"""``ingest``: a folder of MIDI files becomes a corpus."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Unpack

from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.corpus import Corpus, build_corpus
from pianoroll_seq2seq.grid import SIXTEENTHS, BeatGrid, SecondsGrid
from pianoroll_seq2seq.pitches import PIANO, PitchRange
from pianoroll_seq2seq.rasterize import Reading

_SHOWN = 20


@dataclass(frozen=True)
class Ingested:
    """A corpus that was built, and what was left out of it.

    Args:
        corpus: the corpus.
    """

    corpus: Corpus

    def to_json(self) -> dict[str, Any]:
        """Where it lies, how much it holds, and why files were refused."""
        corpus = self.corpus
        return {
            "corpus": str(corpus.folder),
            "pieces": len(corpus),
            "distinct": len(set(corpus.roll_hashes)),
            "frames": int(corpus.packed().frames.sum()),
            "grid": {"class": type(corpus.grid).__name__, **corpus.grid.settings()},
            "pitches": [corpus.pitches.lowest, corpus.pitches.highest],
            "refused": dict(corpus.failures),
        }

    def __str__(self) -> str:
        """The same, for people."""
        facts = self.to_json()
        refused: dict[str, str] = facts["refused"]
        lines = [
            f"{facts['corpus']}: {facts['pieces']} pieces ({facts['distinct']} distinct), {facts['frames']} frames of "
            f"{self.corpus.grid}, {self.corpus.pitches}",
            f"{len(refused)} files refused" + (":" if refused else ""),
            *(f"  {reason_of(path, reason)}" for path, reason in list(refused.items())[:_SHOWN]),
        ]
        if len(refused) > _SHOWN:
            lines.append(f"  and {len(refused) - _SHOWN} more; all of them: --json")
        return "\n".join(lines)


def reason_of(path: str, reason: str) -> str:
    """Why a file was refused, with its path once."""
    return reason if path in reason else f"{path}: {reason}"


def ingest(
    folder: Path,
    output: Path,
    *,
    grid: BeatGrid | SecondsGrid = SIXTEENTHS,
    pitches: PitchRange = PIANO,
    outside: Literal["error", "drop"] = "error",
    files_per_shard: int = 512,
    **reading: Unpack[Reading],
) -> Ingested:
    """Turns a folder of MIDI files into a corpus, which windows are cut from without being read again.

    A file that cannot be used does not stop the others. What was interrupted goes on when the same command is given
    again.

    Args:
        folder: where the MIDI files lie, at any depth.
        output: a new folder for the corpus.
        grid: where the frames lie in time: frames_per_beat, or frame_seconds.
        pitches: the MIDI pitches to keep, lowest and highest.
        outside: whether a file with notes outside the pitches is refused, or those notes are dropped.
        files_per_shard: files in a shard, the unit of work.
        **reading: what counts as a note.

    Raises:
        MidiNotFoundError: no such folder, or no MIDI file in it.
        CorpusError: something else lies in ``output``.
    """
    corpus = build_corpus(
        folder, output, grid=grid, pitches=pitches, outside=outside, files_per_shard=files_per_shard, **reading
    )
    return Ingested(corpus)


COMMAND = Command(
    ingest,
    examples="""
    pianoroll-seq2seq ingest my_midi corpora/mine
    pianoroll-seq2seq ingest my_midi corpora/melodies --track MELODY --grid.frames_per_beat 8 --outside drop
    pianoroll-seq2seq ingest my_midi corpora/20ms --grid.frame_seconds 0.02 --pitches.lowest 33 --pitches.highest 81
    """,
)
