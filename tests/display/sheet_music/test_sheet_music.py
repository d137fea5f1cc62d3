"""Engraved pages, and their files."""

import re
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from musicxml_music import SCORES

from pianoroll_seq2seq import Part, PianoRoll, PitchRange, SheetMusic, read_midi, to_sheet_music
from pianoroll_seq2seq.errors import MissingExtraError, OverwriteError, SettingsError

SVG = "{http://www.w3.org/2000/svg}"


def voices(beats: int = 8) -> PianoRoll:
    """Two voices in sixteenths."""
    active = np.arange(4 * beats)[:, None] // 4 % 8 == np.arange(8)
    rolls = {"soprano": PianoRoll.from_active(active, pitches=PitchRange(72, 79), name="a canon")}
    rolls["bass"] = PianoRoll.from_active(active[::-1], pitches=PitchRange(40, 47), name="a canon")
    return PianoRoll.stack(rolls)


def elements(page: str, kind: str) -> list[ElementTree.Element]:
    """What Verovio draws of a kind, such as notes."""
    found = ElementTree.fromstring(page).iter(f"{SVG}g")
    return [element for element in found if kind in element.get("class", "").split()]


def texts(page: str) -> str:
    return " ".join(" ".join(text.itertext()) for text in ElementTree.fromstring(page).iter(f"{SVG}text"))


def pdf_pages(data: bytes) -> int:
    """The number of pages of a PDF file whose objects are compressed."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, flags=re.DOTALL)
    objects = [data]
    for stream in streams:
        try:
            objects.append(zlib.decompress(stream))
        except zlib.error:  # a font
            continue
    return sum(len(re.findall(rb"/Type\s*/Page\b", one)) for one in objects)


def test_a_page_has_the_notes_parts_and_tempo() -> None:
    """The page is empty, or has a part of another name."""
    sheet = voices().to_sheet_music()
    assert repr(sheet) == "SheetMusic('a canon', 1 page)"
    assert len(elements(sheet.pages[0], "note")) == 16
    assert len(elements(sheet.pages[0], "staff")) % 2 == 0
    found = re.sub(r"\s+", " ", texts(sheet.pages[0]))
    assert "soprano" in found
    assert "bass" in found
    assert "\u2669 = 120" in found, "a note that fonts have"
    assert not re.search("[\ue000-\uf8ff]", sheet.pages[0]), "nothing that only Verovio's own font has"


@pytest.mark.parametrize("name", SCORES)
def test_any_score_can_be_engraved(name: str) -> None:
    """A score that MusicXML can hold has no page."""
    sheet = to_sheet_music(SCORES[name])
    notes = SCORES[name].notes
    begun = set(zip(notes.onset_tick.tolist(), notes.pitch.tolist(), strict=True))
    assert sum(len(elements(page, "note")) for page in sheet.pages) >= len(begun) > 0


def test_silence_can_be_engraved() -> None:
    """A piece that a user has just begun cannot be shown."""
    (page,) = PianoRoll.silent(16, parts=[Part("soprano", 52), Part("kit", drums=True)]).to_sheet_music().pages
    assert len(elements(page, "mRest")) == 2


def test_a_real_piano_part_has_two_staves(pop909_dir: Path) -> None:
    """Three parts of a song, whose piano needs a treble and a bass clef, are on three staves."""
    first, *others = to_sheet_music(read_midi(pop909_dir / "001.mid")).pages
    assert len(elements(elements_of_first(first, "measure"), "staff")) == 4
    assert others, "a song is longer than a page"


def elements_of_first(page: str, kind: str) -> str:
    return ElementTree.tostring(elements(page, kind)[0], encoding="unicode")


def test_pages_are_white_and_the_same_every_time() -> None:
    """Black notes on the black background of an editor; or a file that changes although the music does not."""
    first, second = voices().to_sheet_music(), voices().to_sheet_music()
    assert first == second
    root = ElementTree.fromstring(first.pages[0])
    assert root.get("viewBox") == "0 0 794 1123", "A4"
    assert root[0].attrib == {"width": "100%", "height": "100%", "style": "fill:white;stroke:none"}
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", first.pages[0]), "no network"


def test_one_page_is_as_tall_as_the_music() -> None:
    """A page on screen ends in the middle of the music, or is mostly empty."""
    long = voices(400)
    assert len(long.to_sheet_music().pages) > 1
    (page,) = long.to_sheet_music(one_page=True).pages
    assert len(elements(page, "note")) == 800
    _, _, width, height = map(int, ElementTree.fromstring(page).get("viewBox", "").split())
    assert height > 2 * width
    (page,) = voices(4).to_sheet_music(one_page=True).pages
    assert int(ElementTree.fromstring(page).get("viewBox", "").split()[-1]) < 400


def test_other_threads_engrave_too() -> None:
    """A server, which works in threads, gets no pages: Verovio finds its fonts in one thread alone."""
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda roll: roll.to_sheet_music(), [voices(), voices()]))
    assert made == [voices().to_sheet_music()] * 2


def test_files(tmp_path: Path) -> None:
    """A page is missing, lies over another, or a file that a user keeps is gone."""
    sheet = SheetMusic(voices().to_sheet_music().pages * 3, "thrice")
    made = sheet.save(tmp_path / "deep" / "song.svg")
    assert [path.name for path in made] == ["song.svg", "song-2.svg", "song-3.svg"]
    assert [path.read_text(encoding="utf-8") for path in made] == list(sheet.pages)
    made[0].unlink()
    made[1].write_text("mine")
    with pytest.raises(OverwriteError, match=r"song-2\.svg exists already"):
        sheet.save(made[0])
    assert not made[0].exists(), "all pages or none"
    assert made[1].read_text() == "mine"
    assert sheet.save(made[0], overwrite=True) == made
    (pdf,) = sheet.save(tmp_path / "song.PDF")
    assert pdf.read_bytes().startswith(b"%PDF")
    assert pdf_pages(pdf.read_bytes()) == 3
    with pytest.raises(SettingsError, match=r"must end in \.svg or \.pdf"):
        sheet.save(tmp_path / "song.png")


def test_a_notebook_shows_the_pages() -> None:
    """The cell shows text instead of music, or all hundred pages."""
    pages = voices().to_sheet_music().pages
    html = SheetMusic(pages * 2, 'a "song" <b>')._repr_html_()
    assert html.count("<img") == 2
    assert 'alt="Page 2 of a &quot;song&quot; &lt;b&gt;"' in html
    assert "pages;" not in html
    html = SheetMusic(pages * 11)._repr_html_()
    assert html.count("<img") == 10
    assert "The first 10 of 11 pages" in html


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user who did not install the extra gets a traceback that does not name it."""
    sheet = voices().to_sheet_music()
    monkeypatch.setitem(sys.modules, "verovio", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'pianoroll-seq2seq\[score\]'"):
        voices().to_sheet_music()
    monkeypatch.setitem(sys.modules, "cairosvg", None)
    with pytest.raises(MissingExtraError, match=r"PDF.*pianoroll-seq2seq\[score\]"):
        sheet.to_pdf()
    (tmp_path / "cairosvg.py").write_text("raise OSError('no library called cairo was found')")
    monkeypatch.delitem(sys.modules, "cairosvg")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SettingsError, match="apt install libcairo2"):
        sheet.to_pdf()
    assert sheet.save(tmp_path / "song.svg"), "SVG needs nothing more"
