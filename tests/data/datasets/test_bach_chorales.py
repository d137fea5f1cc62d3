"""Bach's chorales out of music21's corpus: parsed, kept, grouped by tune."""

import json
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pianoroll_seq2seq import NoteTable, PianoRoll, Score, TempoMap, split_by_piece
from pianoroll_seq2seq.data.condition_sources import phrase_end_frames
from pianoroll_seq2seq.data.datasets import bach_chorales as module
from pianoroll_seq2seq.data.datasets.bach_chorales import COMPASS, VOICES, Chorale, bach_chorales
from pianoroll_seq2seq.data.datasets.tune_groups import tune_groups
from pianoroll_seq2seq.errors import MissingExtraError, SettingsError
from pianoroll_seq2seq.parts import Part

music21 = pytest.importorskip("music21")

FEW = ("bwv269", "bwv153.1", "bwv339")


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Chorale]:
    return bach_chorales(FEW, cache_dir=tmp_path_factory.mktemp("empty"), progress=False)


@pytest.mark.parametrize("name", FEW)
def test_notes_are_those_of_the_voices(few: dict[str, Chorale], name: str) -> None:
    """A note is lost, tied notes are repeated, or the music begins with a rest. Against music21's own ties."""
    stream = music21.corpus.parse(f"bach/{name}", forceSource=True)
    expected = []
    for index, part in enumerate(stream.parts):
        for note in part.stripTies().flatten().notes:
            start = Fraction(note.offset)
            expected.append((start, start + Fraction(note.quarterLength), note.pitch.midi, index))
    first = min(note[0] for note in expected)
    assert (first > 0) == (name == "bwv339")  # it begins with a rest
    table, ticks = few[name].score.notes, few[name].score.ticks_per_beat
    found = zip(table.onset_tick.tolist(), table.end_tick.tolist(), table.pitch, table.part, strict=True)
    assert sorted(
        (Fraction(on, ticks), Fraction(end, ticks), int(pitch), int(part)) for on, end, pitch, part in found
    ) == (sorted((start - first, end - first, pitch, part) for start, end, pitch, part in expected))
    assert tuple(part.name for part in few[name].score.parts) == VOICES


def test_labels(few: dict[str, Chorale]) -> None:
    """The key or the metre of a condition is wrong."""
    labels = {name: (piece.title, piece.key, piece.time_signature) for name, piece in few.items()}
    assert labels["bwv269"] == ("Aus meines Herzens Grunde", "G major", "3/4")
    assert labels["bwv153.1"][1:] == ("e minor", "4/4")
    assert all(name == piece.name == piece.score.name for name, piece in few.items())


def test_scores_have_their_signatures(few: dict[str, Chorale]) -> None:
    """Bars begin in the wrong place: after an upbeat, or where the rest before the first note was cut off."""
    meters = {name: piece.score.meter for name, piece in few.items()}
    assert {str(one) for one in meters["bwv269"].time_signatures} == {"3/4"}
    assert [str(one) for one in meters["bwv269"].key_signatures] == ["G major"]
    for name in FEW:
        stream = music21.corpus.parse(f"bach/{name}", forceSource=True).parts[0]
        first = stream.flatten().notes.first().offset
        expected = [Fraction(bar.offset - first) for bar in stream.getElementsByClass("Measure") if bar.offset > first]
        bars = few[name].score.bar_ticks()
        found = [Fraction(int(tick), few[name].score.ticks_per_beat) for tick in bars if tick]
        assert found == expected


def test_phrases_end_with_the_notes_under_fermatas(few: dict[str, Chorale], tmp_path: Path) -> None:
    """A model of chorales does not know where a line of the hymn ends; or it ends where a tied or long note begins."""
    beats = {
        name: [tick / piece.score.ticks_per_beat for tick in piece.phrase_ends]
        for name, piece in (few | bach_chorales(["bwv10.7"], cache_dir=tmp_path, progress=False)).items()
    }
    assert beats["bwv269"] == [12, 21, 30, 42, 54, 63]
    assert beats["bwv153.1"] == [8, 16, 24, 32, 40]
    assert beats["bwv339"] == [9, 19, 29, 39, 51]  # it begins with a rest of one beat
    assert beats["bwv10.7"] == [20, 36, 56, 88]  # the last fermata is over the second of two tied notes
    for name, ends in beats.items():
        assert ends == sorted(set(ends)), name
    roll = PianoRoll.from_score(few["bwv269"].score, pitches=COMPASS)
    assert phrase_end_frames(roll, ticks=few["bwv269"].phrase_ends).tolist()[-1] == len(roll)


def test_fermatas_of_another_voice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A soprano without fermatas has no phrases; or an inner voice that ends earlier adds one of its own."""
    parse = music21.corpus.parse

    def without_fermatas(name: str, *, forceSource: bool) -> object:
        stream = parse(name, forceSource=forceSource)
        for part in list(stream.parts)[: count[0]]:
            for note in part.recurse().notesAndRests:
                note.expressions = []
        return stream

    monkeypatch.setattr("music21.corpus.parse", without_fermatas)
    found = []
    for voices in (0, 1, 4):
        count = [voices]
        piece = module._parse("bwv271", "", music21)
        found.append([tick / piece.score.ticks_per_beat for tick in piece.phrase_ends])
    assert found == [[8, 16, 24, 32, 40, 48]] * 2 + [[]]


def test_order_is_that_of_the_edition(few: dict[str, Chorale]) -> None:
    """Results depend on the order in which a user names the pieces."""
    assert list(few) == list(FEW)
    assert list(bach_chorales(FEW[::-1], cache_dir="nowhere", progress=False)) == list(few)
    assert not Path("nowhere").exists()


def test_350_names() -> None:
    """A chorale is missing, or occurs twice."""
    titles = module._titles(music21)
    assert len(titles) == 350
    assert next(iter(titles)) == "bwv269"
    assert len(music21.corpus.chorales.ChoraleListRKBWV().byRiemenschneider) == 371


@pytest.mark.parametrize(("name", "voices"), [("bwv112.5", VOICES), ("bwv277", VOICES), ("bwv41.6", VOICES)])
def test_instruments_are_left_out(tmp_path: Path, name: str, voices: tuple[str, ...]) -> None:
    """Horns, drums and doubled basses pass for voices; voices of another source are nameless."""
    score = bach_chorales([name], cache_dir=tmp_path, progress=False)[name].score
    assert tuple(part.name for part in score.parts) == voices
    heights = [score.notes.pitch[score.notes.part == part].mean() for part in range(len(voices))]
    assert heights == sorted(heights, reverse=True)
    PianoRoll.from_score(score, pitches=COMPASS)


def test_notes_without_length_are_left_out(tmp_path: Path) -> None:
    """A grace note takes a whole frame."""
    stream = music21.corpus.parse("bach/bwv315", forceSource=True)
    assert sum(note.duration.isGrace for note in stream.recurse().notes) == 1
    notes = bach_chorales(["bwv315"], cache_dir=tmp_path, progress=False)["bwv315"].score.notes
    assert (notes.end_tick > notes.onset_tick).all()


def test_unknown_names(tmp_path: Path) -> None:
    """A slip of the pen is searched for in all of music21's corpus."""
    with pytest.raises(SettingsError, match=r"No chorale is named 'bwv1', 'k545'.*gives all 350"):
        bach_chorales(["k545", "bwv269", "bwv1"], cache_dir=tmp_path, progress=False)


def test_without_music21_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without music21, no error says how to install it."""
    monkeypatch.setitem(sys.modules, "music21", None)
    with pytest.raises(MissingExtraError, match=r"'music21'.*pip install 'pianoroll-seq2seq\[datasets\]'"):
        bach_chorales(cache_dir=tmp_path)


# ------------------------------------------------------------------------------------------------ keeping


@pytest.fixture
def edition_of_three(monkeypatch: pytest.MonkeyPatch, few: dict[str, Chorale]) -> list[str]:
    """An edition of three chorales, and a list of the names that are parsed: parsing costs time."""
    parsed: list[str] = []

    def parse(name: str, title: str, m21: object) -> Chorale:
        parsed.append(name)
        return few[name]

    monkeypatch.setattr(module, "_titles", lambda m21: {name: piece.title for name, piece in few.items()})
    monkeypatch.setattr(module, "_parse", parse)
    return parsed


def test_parsed_once(tmp_path: Path, edition_of_three: list[str], few: dict[str, Chorale]) -> None:
    """Every start takes a minute; or what was kept is other music."""
    first = bach_chorales(cache_dir=tmp_path / "a", progress=False)
    assert edition_of_three == list(few)
    again = bach_chorales(cache_dir=str(tmp_path / "a"), progress=False)
    assert edition_of_three == list(few)
    assert again == first == few
    assert list(again) == list(few)
    assert bach_chorales(["bwv153.1"], cache_dir=tmp_path / "a") == {"bwv153.1": few["bwv153.1"]}
    assert edition_of_three == list(few)
    assert len(list((tmp_path / "a").iterdir())) == 1


def test_a_few_are_not_kept_as_all(tmp_path: Path, edition_of_three: list[str], few: dict[str, Chorale]) -> None:
    """After a look at one chorale the data set has one piece."""
    bach_chorales(["bwv269"], cache_dir=tmp_path, progress=False)
    assert bach_chorales(cache_dir=tmp_path, progress=False) == few


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-99],
        lambda text: "",
        lambda text: "null",
        lambda text: json.dumps(json.loads(text)[:2]),
        lambda text: json.dumps([{**piece, "phrase_ends": [-1]} for piece in json.loads(text)]),
        lambda text: text.replace('"notes": [[', '"notes": [[], [', 1),
        lambda text: text.replace('"key"', '"clef"'),
        lambda text: text.replace("[90, 90", "[900, 90"),
    ],
)
def test_a_damaged_file_is_made_anew(
    tmp_path: Path, edition_of_three: list[str], few: dict[str, Chorale], damage: Callable[[str], str]
) -> None:
    """After a power cut the data set fails until somebody finds and removes the file; or pieces are missing."""
    bach_chorales(cache_dir=tmp_path, progress=False)
    (path,) = tmp_path.iterdir()
    whole = path.read_text(encoding="utf-8")
    path.write_text(damage(whole), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != whole
    assert bach_chorales(cache_dir=tmp_path, progress=False) == few
    assert path.read_text(encoding="utf-8") == whole


def test_a_folder_that_cannot_be_written(tmp_path: Path, edition_of_three: list[str], few: dict[str, Chorale]) -> None:
    """On a computer with a read-only home the data set cannot be used at all."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.warns(UserWarning, match="could not be cached in .* pass another cache_dir"):
        assert bach_chorales(cache_dir=tmp_path / "file", progress=False) == few


def test_the_users_folder(
    tmp_path: Path, edition_of_three: list[str], monkeypatch: pytest.MonkeyPatch, few: dict[str, Chorale]
) -> None:
    """The file lands where nobody looks for it, or the missing extra is not named."""
    pytest.importorskip("pooch")
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / project)
    assert bach_chorales(progress=False) == few
    assert len(list((tmp_path / "pianoroll_seq2seq").glob("bach_chorales-*music21-*.json"))) == 1
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(MissingExtraError, match="'pooch'"):
        bach_chorales(progress=False)


# -------------------------------------------------------------------------------------------------- tunes


def _sung(name: str, pitches: list[int], *, title: str | None = None, ornament: bool = False) -> Chorale:
    """A melody of quarter notes over a bass; with an ornament, its notes are parted by passing eighths."""
    rows = [(480 * beat, 480 * (beat + 1), pitch, 0) for beat, pitch in enumerate(pitches)]
    if ornament:
        rows = [
            row
            for start, end, pitch, part in rows
            for row in ((start, start + 240, pitch, part), (start + 240, end, pitch + 1, part))
        ]
    rows.append((0, 480 * len(pitches), 40 + len(name), 1))
    onsets, ends, sounding, parts = (list(column) for column in zip(*rows, strict=True))
    notes = NoteTable(onsets, ends, sounding, [90] * len(rows), parts)
    score = Score(notes, TempoMap(480), (Part("Soprano"), Part("Bass")), name)
    return Chorale(name, title or name, score, "", "4/4", "")


def _melody(seed: int, beats: int = 40) -> list[int]:
    return np.random.default_rng(seed).integers(60, 80, beats).tolist()


def test_what_belongs_together() -> None:
    """The melodies of the test were learned by heart in training; or strangers are tied together."""
    tune = _melody(0)
    chorales = [
        _sung("alone", _melody(1)),
        _sung("first", tune),
        _sung("higher", [pitch + 5 for pitch in tune]),
        _sung("ornate", [pitch - 2 for pitch in tune], ornament=True),
        _sung("half", _melody(2, 20) + tune[:20]),
        _sung("another", _melody(3), title="first"),
        _sung("short", tune[:5]),
    ]
    assert tune_groups(chorales) == {
        "alone": "alone",
        "first": "first",
        "higher": "first",
        "ornate": "first",
        "half": "first",
        "another": "first",
        "short": "short",
    }


@pytest.mark.parametrize("order", [("a", "b", "bridge"), ("bridge", "b", "a"), ("b", "bridge", "a")])
def test_a_third_joins_two(order: tuple[str, ...]) -> None:
    """Of three that belong together two are dealt to different parts, depending on their order."""
    one, other = _melody(4), _melody(5)
    pieces = {"a": _sung("a", one), "b": _sung("b", other), "bridge": _sung("bridge", one[:20] + other[:20])}
    assert set(tune_groups([pieces[name] for name in order]).values()) == {order[0]}


def test_real_tunes_and_a_split(tmp_path: Path) -> None:
    """The passion chorale under two titles is in training and in test."""
    chorales = bach_chorales(["bwv244.15", "bwv269", "bwv271", "bwv153.1"], cache_dir=tmp_path, progress=False)
    assert chorales["bwv244.15"].title != chorales["bwv271"].title
    assert len({piece.tune for piece in chorales.values()}) == 3
    assert chorales["bwv244.15"].tune == chorales["bwv271"].tune
    rolls = [PianoRoll.from_score(piece.score, pitches=COMPASS) for piece in chorales.values()]
    for seed in range(8):
        split = split_by_piece(rolls, valid=0, test=0.25, seed=seed, group=lambda roll: chorales[roll.name].tune)
        trained = {chorales[roll.name].tune for roll in split.train}
        assert not trained & {chorales[roll.name].tune for roll in split.test}
