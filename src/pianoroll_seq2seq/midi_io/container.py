"""The container of a MIDI file: header, chunks and wrappers, and where they are cut short."""

from typing import NamedTuple

from pianoroll_seq2seq._internal.file_kinds import kind_of
from pianoroll_seq2seq.errors import MidiError
from pianoroll_seq2seq.tempo import TempoMap

_HEADER = b"MThd"
_TRACK = b"MTrk"
_HEADER_SEARCH_BYTES = 4096  # in which a header is searched, if the file does not begin with it
_RIFF_CHUNKS = 12  # the first byte of the chunks of a RIFF file
_SMPTE = 0x8000
_SMPTE_FRAMES = (24, 25, 29, 30)
_NTSC_FRAMES = 29  # means 30000/1001 frames a second


class Container(NamedTuple):
    """An opened file.

    Attributes:
        division: ticks per beat, or an SMPTE time code (0x8000 and up).
        spans: the first byte of each track's content and the byte after its last, in order.
        damage: what is wrong with the chunks, if anything.
        plain: whether the container follows the standard exactly, so that any reader accepts the file as it is.
    """

    division: int
    spans: list[tuple[int, int]]
    damage: str | None
    plain: bool

    def tracks(self, data: bytes) -> list[bytes]:
        """The content of each track chunk, in order."""
        return [data[start:end] for start, end in self.spans]

    def tempo(self, changes: list[tuple[int, int]]) -> TempoMap:
        """The tempo map of a file with this division and these tempo changes.

        An SMPTE division gives the ticks per second, and tempi are ignored. A "beat" is then a second:
        ``frames * ticks`` ticks at 60 BPM; 29 means 30000/1001 frames, so its "beat" is 1.001 seconds.
        """
        if self.division < _SMPTE:
            return TempoMap(self.division, changes)
        frames, ticks = 256 - (self.division >> 8), self.division & 0xFF
        if frames == _NTSC_FRAMES:
            return TempoMap(30 * ticks, [(0, 1_001_000)])
        return TempoMap(frames * ticks, [(0, 1_000_000)])


def open_container(data: bytes, label: str, *, salvage: bool) -> Container:
    """Finds the header and the tracks.

    Accepts RIFF wrappers (.rmi), headers longer than six bytes, chunks of other kinds and bytes after the last
    track. With ``salvage`` also bytes before the header, truncated files and wrong counts of tracks.

    Raises:
        MidiError: not MIDI, no header, a division of 0, a file of independent patterns (type 2).
    """
    start = _header_at(data, label, salvage)
    if len(data) < start + 14:
        raise MidiError(f"{label}: cut short inside its header ({len(data)} of 14 bytes). Copy or download it again.")
    length = int.from_bytes(data[start + 4 : start + 8], "big")
    kind, expected, division = (int.from_bytes(data[start + at : start + at + 2], "big") for at in (8, 10, 12))
    damage = None
    if length < 6:
        damage = f"its header claims {length} bytes, expected 6"
        length = 6
    elif kind > 2:
        damage = f"its type is {kind}, expected 0, 1 or 2"
    _check_division(division, label)
    spans: list[tuple[int, int]] = []
    position = start + 8 + length
    other_chunks = 0
    while len(spans) < expected and position + 8 <= len(data):
        name, size = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "big")
        position += 8
        if name != _TRACK:
            other_chunks += 1
        else:
            spans.append((position, min(position + size, len(data))))
            if position + size > len(data):
                damage = damage or f"cut short; track {len(spans) - 1} has {len(data) - position} of {size} bytes"
        position += size
    if len(spans) < expected:
        damage = damage or f"cut short; it has {len(spans)} of the {expected} tracks that its header announces"
    if kind == 2 and len(spans) > 1:
        raise MidiError(
            f"{label}: type 2, {len(spans)} patterns that are not played together. Save each pattern as a file of "
            f"its own."
        )
    plain = start == 0 and length == 6 and other_chunks == 0 and division < _SMPTE and damage is None
    return Container(division, spans, damage, plain)


def _header_at(data: bytes, label: str, salvage: bool) -> int:
    if data.startswith(_HEADER):
        return 0
    if not data:
        raise MidiError(f"{label}: the file is empty (0 bytes). Copy or download it again.")
    start = -1
    if data.startswith(b"RIFF") and data[8:12] == b"RMID":
        start = _riff_content(data)
        if start < 0 or not data.startswith(_HEADER, start):
            start = _search_header(data)  # its chunks have wrong sizes
        if start < 0:
            raise MidiError(
                f"{label}: a RIFF file without MIDI data; expected a chunk 'data' that starts with {_HEADER!r}. "
                f"Copy or download it again."
            )
    elif salvage:
        start = _search_header(data)
    if start < 0:
        kind = kind_of(data[:64])
        found = f"it is {kind}" if kind else f"it starts with {data[:4]!r}, expected {_HEADER!r}"
        fix = " Use read_musicxml or PianoRoll.from_musicxml." if kind and "MusicXML" in kind else ""
        raise MidiError(f"{label}: not a MIDI file; {found}.{fix}")
    return start


def _riff_content(data: bytes) -> int:
    """The first byte of the content of a RIFF file's chunk ``data``; -1 if there is none.

    Chunks of other names may come before it, such as a list of titles or a set of sounds.
    """
    position = _RIFF_CHUNKS
    while position + 8 <= len(data):
        if data.startswith(b"data", position):
            return position + 8
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        position += 8 + size + size % 2  # a chunk of odd size is followed by an empty byte
    return -1


def _search_header(data: bytes) -> int:
    """The first header near the beginning of a file: one of the usual length, else anything that looks like one."""
    start = data.find(_HEADER + b"\0\0\0\6", 0, _HEADER_SEARCH_BYTES)
    return start if start >= 0 else data.find(_HEADER, 0, _HEADER_SEARCH_BYTES)


def _check_division(division: int, label: str) -> None:
    frames, ticks = 256 - (division >> 8), division & 0xFF
    if not (0 < division < _SMPTE or (frames in _SMPTE_FRAMES and ticks > 0)):
        raise MidiError(
            f"{label}: its time division is {division:#06x}, expected 1..32767 ticks per beat or SMPTE at 24, 25, 29 "
            f"or 30 frames. Export it again with ticks per quarter note."
        )
