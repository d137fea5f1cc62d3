"""Aird's airs out of music21's corpus: parsed, kept, grouped by tune."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pianoroll_seq2seq import BeatGrid, PianoRoll
from pianoroll_seq2seq.data.condition_sources import MetricPosition
from pianoroll_seq2seq.data.datasets import airds_airs as module
from pianoroll_seq2seq.data.datasets.airds_airs import COMPASS, MELODY, Air, airds_airs
from pianoroll_seq2seq.errors import SettingsError

music21 = pytest.importorskip("music21")

FEW = ("aird-0002", "aird-0004", "aird-1059", "aird-1131", "aird-1180")


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Air]:
    return airds_airs(FEW[::-1], cache_dir=tmp_path_factory.mktemp("empty"), progress=False)


def test_notes_are_those_of_the_notation(few: dict[str, Air]) -> None:
    """Notes are lost, or in the wrong octave or key. The first two bars of number 2: g2d2 d2c2|(BcdB) G2D2."""
    score = few["aird-0002"].score
    assert list(few) == list(FEW)
    assert score.notes.pitch[:10].tolist() == [79, 74, 74, 72, 71, 72, 74, 71, 67, 62]
    beats = score.notes.onset_tick[:11] / score.ticks_per_beat
    assert beats.tolist() == [0, 0.5, 1, 1.5, 2, 2.25, 2.5, 2.75, 3, 3.5, 4]
    assert [part.name for part in score.parts] == [MELODY]
    assert score.name == "aird-0002"
    air = few["aird-0004"]
    assert (air.title, air.key, air.time_signature) == ("I'll Touzle your Kurchy.", "e minor", "6/8")


def test_bars_of_a_jig_with_an_upbeat(few: dict[str, Air]) -> None:
    """A model of dances learns them from the wrong beat on."""
    rows = MetricPosition()(PianoRoll.from_score(few["aird-0004"].score, grid=BeatGrid(4), pitches=COMPASS))
    assert np.flatnonzero(rows[:, 4])[:4].tolist() == [2, 14, 26, 38]
    assert np.allclose(rows[:, 6], np.log2(6 / 8))


def test_one_note_at_a_time(few: dict[str, Air]) -> None:
    """A double stop makes the likelihood of a monophonic part infinite; or the highest note has no column."""
    texts = module._texts(music21)
    assert "[Bg]" in texts["aird-1059"]
    for air in few.values():
        notes = air.score.notes
        assert (notes.onset_tick[1:] >= notes.end_tick[:-1]).all()
        PianoRoll.from_score(air.score, pitches=COMPASS)
    assert few["aird-1131"].score.notes.pitch.max() == COMPASS.highest


def test_the_first_of_several_voices(few: dict[str, Air]) -> None:
    """The second voice is read as the rest of the first."""
    score = few["aird-1180"].score
    assert score.num_ticks == 12 * 4 * score.ticks_per_beat  # an upbeat, and twelve bars in three lines
    assert not [name for name, text in module._texts(music21).items() if "V:" in text]


def test_1180_names(tmp_path: Path) -> None:
    """An air is missing, or a slip of the pen is not found out."""
    assert len(module._texts(music21)) == 1180
    with pytest.raises(SettingsError, match=r"No air is named 'aird-1181'.*'aird-0001' to 'aird-1180'"):
        airds_airs(["aird-0001", "aird-1181"], cache_dir=tmp_path)


@pytest.fixture
def volume_of_few(monkeypatch: pytest.MonkeyPatch, few: dict[str, Air]) -> list[str]:
    """A volume of a few airs, and a list of the names that are parsed: parsing costs time."""
    parsed: list[str] = []

    def parse(name: str, text: str, m21: object) -> Air:
        parsed.append(name)
        return few[name]

    monkeypatch.setattr(module, "_texts", lambda m21: dict.fromkeys(few, ""))
    monkeypatch.setattr(module, "_parse", parse)
    return parsed


def test_parsed_once(tmp_path: Path, volume_of_few: list[str], few: dict[str, Air]) -> None:
    """Every start takes minutes; or what was kept is other music."""
    first = airds_airs(cache_dir=tmp_path, progress=False)
    again = airds_airs(cache_dir=tmp_path, progress=False)
    assert volume_of_few == list(few)
    assert again == first == few
    assert airds_airs(["aird-0004"], cache_dir=tmp_path) == {"aird-0004": few["aird-0004"]}


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-9],
        lambda text: json.dumps(json.loads(text)[:2]),
        lambda text: text.replace('"key"', '"clef"'),
    ],
)
def test_a_damaged_file_is_made_anew(
    tmp_path: Path, volume_of_few: list[str], few: dict[str, Air], damage: Callable[[str], str]
) -> None:
    """After a power cut the data set fails until somebody finds and removes the file."""
    airds_airs(cache_dir=tmp_path, progress=False)
    (path,) = tmp_path.iterdir()
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    assert airds_airs(cache_dir=tmp_path, progress=False) == few
    assert volume_of_few == list(few) * 2
