"""What a file is, by its first bytes: for messages about files that are something else than expected."""

_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"MThd", "a MIDI file"),
    (b"ID3", "MP3 sound"),
    (b"\xff\xfb", "MP3 sound"),
    (b"\xff\xf3", "MP3 sound"),
    (b"RIFF....WAVE", "WAV sound"),
    (b"RIFF....RMID", "a MIDI file"),
    (b"fLaC", "FLAC sound"),
    (b"OggS", "OGG sound"),
    (b"....ftyp", "MP4 or M4A sound"),
    (b"PK\x03\x04", "a ZIP archive, such as compressed MusicXML"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"<?xml", "XML, such as MusicXML"),
    (b"<!DOCTYPE html", "a web page"),
    (b"<html", "a web page"),
    (b"\x89PNG", "a PNG picture"),
    (b"%PDF", "a PDF document"),
    (b"version https://git-lfs", "a pointer of Git LFS; fetch the file itself with: git lfs pull"),
)
_ANY = ord(".")


def kind_of(beginning: bytes) -> str | None:
    """The kind of a file with these first bytes, in words, or None if they are not known.

    Example:
        >>> kind_of(b"ID3"), kind_of(b"RIFFsizeWAVE"), kind_of(b"")
        ('MP3 sound', 'WAV sound', None)
    """
    for pattern, kind in _KINDS:
        fits = (wanted in (_ANY, got) for wanted, got in zip(pattern, beginning, strict=False))
        if len(beginning) >= len(pattern) and all(fits):
            return kind
    return None
