"""The root element of a MusicXML file, compressed or not. Nothing in a file makes it larger than its limits."""

import io
import struct
import zipfile
import zlib
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from pianoroll_seq2seq._internal.file_kinds import kind_of
from pianoroll_seq2seq._internal.limits import Limits
from pianoroll_seq2seq._internal.names import printable
from pianoroll_seq2seq.errors import LimitError, MusicXMLError

_CONTAINER = "META-INF/container.xml"
_BYTES_PER_ELEMENT = 12  # of a file: notes take more
_MOST_DEPTH = 100
_UNPACKING_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError),
    *(ValueError, RuntimeError, NotImplementedError, KeyError),  # odd headers; encryption; unknown packing
)


def score_element(data: bytes, label: str, limits: Limits) -> Element:
    """The ``score-partwise`` or ``score-timewise`` element of a file.

    Args:
        data: the bytes of the file.
        label: the name of the file in messages.
        limits: how large the file may be when it is unpacked.

    Raises:
        MusicXMLError: not MusicXML, a file that is cut, or one that defines XML entities.
        LimitError: a file that unpacks to more than the limits.
    """
    if data[:4] == b"PK\x03\x04":
        data = _unpacked(data, label, limits)
    kind = kind_of(data)
    if kind and not kind.startswith("XML"):
        raise MusicXMLError(f"{label}: {kind}; expected MusicXML. Export the score as MusicXML.")
    root = _parsed(data, label, limits)
    if root.tag == "opus":
        raise MusicXMLError(f"{label}: an opus, which names the files of several scores. Read one of them at a time.")
    if root.tag not in ("score-partwise", "score-timewise"):
        raise MusicXMLError(
            f"{label}: XML, but not MusicXML: its first element is <{printable(root.tag, longest=40)}>. Export the "
            f"score as MusicXML."
        )
    return root


def _unpacked(data: bytes, label: str, limits: Limits) -> bytes:
    """The score in a compressed file: the one that its container names, or the first MusicXML in it."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            named = None
            if _CONTAINER in names:
                container = _parsed(_member(archive, _CONTAINER, label, limits), label, limits)
                named = next((one.get("full-path") for one in container.iter() if one.tag.endswith("rootfile")), None)
            scores = [name for name in names if name.endswith((".musicxml", ".xml")) and "META-INF" not in name]
            chosen = named if named in names else next(iter(scores), None)
            if chosen is None:
                raise MusicXMLError(f"{label}: a ZIP archive without MusicXML in it. Export the score as MusicXML.")
            return _member(archive, chosen, label, limits)
    except _UNPACKING_ERRORS as error:
        if isinstance(error, MusicXMLError | LimitError):
            raise
        raise MusicXMLError(
            f"{label}: a compressed MusicXML file that is damaged ({error}). Export it again, or copy it again."
        ) from error


def _member(archive: zipfile.ZipFile, name: str, label: str, limits: Limits) -> bytes:
    info = archive.getinfo(name)
    if info.file_size > limits.max_file_bytes:
        raise LimitError(
            f"{label}: {info.compress_size} bytes that unpack to {info.file_size}, over the limit of "
            f"{limits.max_file_bytes}. If the file is correct, pass limits=Limits(max_file_bytes=...)."
        )
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise NotImplementedError(f"packed by method {info.compress_type}, not 8 (deflate)")
    return archive.read(info)  # never more than file_size


def _parsed(data: bytes, label: str, limits: Limits) -> Element:
    """The root of an XML document."""
    tree = _BoundedTree(label, limits.max_file_bytes // _BYTES_PER_ELEMENT)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = tree.start
    parser.EndElementHandler = tree.end
    parser.CharacterDataHandler = tree.builder.data
    parser.EntityDeclHandler = tree.refuse_entity
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # LookupError, ValueError: an unknown encoding
        if isinstance(error, MusicXMLError | LimitError):
            raise
        raise MusicXMLError(
            f"{label}: not MusicXML, or a file that is cut or damaged ({error}). Export it again, or copy it again."
        ) from error
    return tree.builder.close()


class _BoundedTree:
    """Builds the elements of a document, and refuses what no score has."""

    def __init__(self, label: str, most_elements: int) -> None:
        self.builder = TreeBuilder()
        self._label = label
        self._left, self._depth = most_elements, 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._left -= 1
        self._depth += 1
        if self._left < 0:
            raise LimitError(
                f"{self._label}: more XML elements than a score of the allowed size has. If the file is correct, pass "
                f"limits=Limits(max_file_bytes=...)."
            )
        if self._depth > _MOST_DEPTH:
            raise MusicXMLError(
                f"{self._label}: XML elements inside one another more than {_MOST_DEPTH} deep, which no MusicXML has. "
                f"Use another copy."
            )
        self.builder.start(tag, attributes)

    def end(self, tag: str) -> None:
        self._depth -= 1
        self.builder.end(tag)

    def refuse_entity(self, *declaration: Any) -> None:
        raise MusicXMLError(
            f"{self._label}: it defines the XML entity {printable(str(declaration[0]), longest=40)!r}, which MusicXML "
            f"has no use for. Use another copy."
        )
