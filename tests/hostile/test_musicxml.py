"""MusicXML that is damaged or made to harm: only the library's errors, in bounded time and memory."""

import io
import random
import re
import tracemalloc
import warnings
import zipfile

import pytest
from musicxml_music import SCORES

from pianoroll_seq2seq import Limits, PianoRoll, Score, read_musicxml
from pianoroll_seq2seq.errors import LimitError, MidiError, MusicXMLError, PianoRollSeq2SeqError
from pianoroll_seq2seq.musicxml import to_musicxml_bytes

_NOTE = "<note><pitch><step>C</step><octave>4</octave></pitch><duration>1</duration></note>"


def _file(bar: str, *, head: str = "") -> bytes:
    part = f"<part id='P1'><measure number='7'>{bar}</measure></part>"
    listed = "<part-list><score-part id='P1'><part-name>tune</part-name></score-part></part-list>"
    return f"{head}<score-partwise>{listed}{part}</score-partwise>".encode()


def _packed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


_WHOLE = to_musicxml_bytes(SCORES["voices"])
_PACKED = _packed({"META-INF/container.xml": b"<container/>", "score.xml": _WHOLE})
_LAUGHS = "<!DOCTYPE x [<!ENTITY a 'lol'><!ENTITY b '&a;&a;&a;'>]>"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "cut or damaged"),
        (_WHOLE[: len(_WHOLE) // 2], "not MusicXML, or a file that is cut"),
        (_PACKED[: len(_PACKED) // 2], "compressed MusicXML file that is damaged"),
        (b"<!DOCTYPE html><html></html>", "a web page; expected MusicXML"),
        (b"<?xml version='1.0'?><html/>", r"its first element is <html>"),
        (b"MThd\0\0\0\6\0\0\0\0\1\xe0", "a MIDI file; expected MusicXML"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<opus/>", "an opus, which names the files of several scores"),
        (b"<a>" * 200 + b"</a>" * 200, "more than 100 deep"),
        (b"<?xml version='1.0' encoding='klingon'?><score-partwise/>", "unknown encoding|cut or damaged"),
        (_file(_NOTE, head=_LAUGHS), "defines the XML entity 'a'"),
        (_file(_NOTE, head=_LAUGHS).decode().encode("utf-16"), "defines the XML entity 'a'"),
        (_file(_NOTE, head="<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>"), "defines the XML entity"),
        (_packed({"a.png": b""}), "a ZIP archive without MusicXML"),
        (_packed({"score.xml": _WHOLE}, zipfile.ZIP_LZMA), "packed by method 14"),
        (_file("<attributes><divisions>0</divisions></attributes>"), r"part 'tune', bar 7: divisions must be above 0"),
        (_file("<attributes><divisions>-1</divisions></attributes>"), "divisions must be above 0"),
        (_file(_NOTE.replace(">1<", ">-1<")), "a duration must not be negative"),
        (_file(_NOTE.replace(">1<", ">1e999999<")), r"<duration> must be a number below 10\^12, got '1e999999'"),
        (_file(_NOTE.replace(">1<", ">" + "9" * 10_000 + "<")), r"must be a number below 10\^12"),
        (_file(_NOTE.replace("<duration>1</duration>", "")), "<duration> must be a number .* got nothing"),
        (_file(_NOTE.replace(">C<", ">H<")), "a step of A to G, got 'H'"),
        (_file(_NOTE.replace(">4<", ">99<")), r"pitch in 0\.\.127"),
        (_file(_NOTE.replace(">1<", ">999999999999<") * 3), "onset_tick"),
        (_file("<sound tempo='0.00001'/>" + _NOTE), "microseconds per beat"),
        (_file("<sound tempo='loud'/>" + _NOTE), "tempo must be a number"),
        (_file("<sound dynamics='nan'/>" + _NOTE), "dynamics must be a number"),
        (_file("<backup><duration>x</duration></backup>"), "must be a number"),
        (_file("<attributes><key><fifths>many</fifths></key></attributes>"), "<fifths> must be a number"),
    ],
)
def test_damaged_and_wrong_files_are_refused(data, message):
    """The message says what it is and names the part and the bar, if it came so far."""
    with pytest.raises(MidiError, match=message) as raised:
        read_musicxml(data)
    assert str(raised.value).startswith("<bytes>: ")


@pytest.mark.parametrize(
    "data",
    [
        _packed({"score.xml": b"<score-partwise>" + b" " * (3 * 2**20)}),
        _packed({"score.xml": b"<score-partwise>" + b"<a/>" * 200_000}),
        b"<score-partwise>" + b"<a/>" * 200_000,
        _packed({f"{number}": b"" for number in range(2_000)} | {"score.xml": b"<a>" * 300_000}),
    ],
    ids=["bomb", "packed elements", "elements", "members"],
)
def test_bombs_cost_little(data):
    """A small file must not take the memory of the machine, or its time: here at most a few dozen times its limit."""
    tracemalloc.start()
    try:
        with pytest.raises(PianoRollSeq2SeqError):
            read_musicxml(data, limits=Limits(max_file_bytes=2**20))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40 * 2**20


def test_a_size_that_is_a_lie():
    """The header of a ZIP archive may promise a small file; what is unpacked is no more than it promises."""
    bomb = bytearray(_packed({"score.xml": b"<score-partwise>" + b" " * 2**20}))
    size = (2**20 + 16).to_bytes(4, "little")
    assert bomb.count(size) == 2
    with pytest.raises(MusicXMLError, match="damaged"):
        read_musicxml(bytes(bomb.replace(size, (100).to_bytes(4, "little"))))


def test_many_different_denominators_do_not_take_for_ever():
    """Their common multiple has thousands of digits; ticks are fine enough, and a warning counts the notes."""
    bar = "".join(
        f"<attributes><divisions>{count}.{count}</divisions></attributes>{_NOTE}" for count in range(1, 2_000)
    )
    with pytest.warns(UserWarning, match="moved to the nearest of 10080 ticks"):
        assert len(read_musicxml(_file(bar)).notes) == 1_999


def test_names_with_control_characters_in_messages():
    """A file must not write to the terminal of whoever reads its error."""
    listed = "<score-part id='P1'><part-name>&#x9b;31m\u202e</part-name></score-part>"
    data = _file("<note/>").replace(b"<score-part id='P1'><part-name>tune</part-name></score-part>", listed.encode())
    with pytest.raises(MusicXMLError) as raised:
        read_musicxml(data)
    assert "\x9b" not in str(raised.value)
    assert "\u202e" not in str(raised.value)


def _mutant(data: bytes, chance: random.Random) -> bytes:
    """A few bytes changed, removed or copied elsewhere; or one number changed, so that it stays XML."""
    if chance.random() < 0.6 and data[:2] != b"PK":
        numbers = list(re.finditer(rb"(?<=>)\d+(?=<)", data))
        found = chance.choice(numbers)
        other = chance.choice([b"0", b"-3", b"7", b"1.5", b"999999999", b"300", b"", b"x", chance.choice(numbers)[0]])
        return data[: found.start()] + other + data[found.end() :]
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at, length = chance.randrange(len(changed)), chance.randint(1, 40)
        kind = chance.randrange(4)
        if kind == 0:
            changed[at] = chance.randrange(256)
        elif kind == 1:
            del changed[at : at + length]
        elif kind == 2:
            source = chance.randrange(len(changed))
            changed[at:at] = changed[source : source + length]
        else:
            changed[at : at + 1] = chance.choice([b"9", b"-", b"0", b"<", b"e9", b".", b"\xff", b"999999999"])
        changed = changed or bytearray(b" ")
    return bytes(changed)


@pytest.mark.parametrize("count", [150, pytest.param(6_000, marks=pytest.mark.slow)])
def test_mutants_are_scores_or_errors_of_the_library(count):
    """Any file: a score, or one of the library's errors, never a traceback from within, and soon."""
    chance = random.Random(0)
    sources = [to_musicxml_bytes(SCORES[name]) for name in ("plain", "changes", "drums", "triplets", "no length")]
    sources.append(_PACKED)
    outcomes = {True: 0, False: 0}
    for index in range(count):
        data = _mutant(sources[index % len(sources)], chance)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                read = read_musicxml(data)
                assert isinstance(read, Score)
                if len(read.notes):
                    PianoRoll.from_musicxml(data, outside="drop", unpitched="drop", limits=Limits(max_cells=10**6))
                outcomes[True] += 1
            except PianoRollSeq2SeqError:
                outcomes[False] += 1
    assert min(outcomes.values()) > count // 20


def test_limits_can_be_raised():
    """For scores that are as large as they should be."""
    data = b"<score-partwise>" + b" " * (9 * 2**20) + _file(_NOTE).removeprefix(b"<score-partwise>")
    with pytest.raises(LimitError, match="max_file_bytes"):
        read_musicxml(data)
    assert len(read_musicxml(data, limits=Limits(max_file_bytes=2**25)).notes) == 1
