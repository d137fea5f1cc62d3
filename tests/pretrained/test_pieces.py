"""Files as pieces to fill and as melodies, and what a trained model makes of them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pianoroll_seq2seq import (
    BeatGrid,
    Draw,
    FillingLSTM,
    FrameLayout,
    Given,
    Meter,
    MonophonicHead,
    Part,
    PianoRoll,
    PitchRange,
    TimeSignature,
    TrainedModel,
    accompany,
    fill,
    harmonize,
    infill,
    vary,
)
from pianoroll_seq2seq.errors import MidiError, NoNotesError, PitchRangeError, SettingsError
from pianoroll_seq2seq.pianoroll.unchecked import with_planes
from pianoroll_seq2seq.pretrained.pieces import read_melody, read_piece

PARTS = (
    Part("soprano", pitches=PitchRange(60, 71)),
    Part("bass", pitches=PitchRange(40, 51)),
    Part("kit", drums=True, pitches=PitchRange(35, 36)),
)
LAYOUT = FrameLayout(parts=PARTS)
VOICES = FrameLayout(parts=PARTS[:2])


def voice(*pitches: int) -> PianoRoll:
    active = np.zeros((4 * len(pitches), 128), dtype=bool)
    onset = active.copy()
    for beat, pitch in enumerate(pitches):
        active[4 * beat : 4 * beat + 4, pitch] = onset[4 * beat, pitch] = True
    return PianoRoll(active, onset, pitches=PitchRange(0, 127)).with_velocity(60)


def drums(num_frames: int) -> PianoRoll:
    made = PianoRoll.silent(num_frames, parts=PARTS[2:])
    active = made.active.copy()
    active[::4, 0] = True
    return PianoRoll(active, active, parts=PARTS[2:]).with_velocity(90)


def write(path: Path, **voices: PianoRoll) -> Path:
    return PianoRoll.stack(voices).to_midi(path)


@pytest.fixture(scope="module")
def trained() -> TrainedModel:
    torch.manual_seed(0)
    model = FillingLSTM(VOICES, hidden_size=8, encoder_size=4, num_copy_heads=0, head=MonophonicHead).eval()
    return TrainedModel(model, VOICES, name="small")


def test_a_piece_has_all_parts_of_the_model(tmp_path: Path) -> None:
    """Parts are mixed up, cut, or lost."""
    path = write(tmp_path / "a.mid", Bass=voice(40, 41), soprano=voice(60, 61), kit=drums(8))
    roll = read_piece(path, LAYOUT)
    assert roll.part_names == ("soprano", "bass", "kit")
    assert roll.name == "a"
    assert roll["soprano"].notes().pitch.tolist() == [60, 61]
    assert roll["bass"].notes().pitch.tolist() == [40, 41]
    assert roll["kit"].active.any()
    in_order = write(tmp_path / "b.mid", one=voice(60), two=voice(40))
    assert read_piece(in_order, VOICES)["bass"].notes().pitch.tolist() == [40]
    xml = roll[["soprano", "bass"]].to_musicxml(tmp_path / "c.musicxml")
    assert read_piece(xml, VOICES)["bass"].notes().pitch.tolist() == [40, 41]


def test_missing_parts_are_silent_on_request(tmp_path: Path) -> None:
    """What the model shall write is asked of the file."""
    alone = write(tmp_path / "a.mid", BASS=voice(40, 41))
    with pytest.raises(MidiError, match="it needs tracks named soprano, bass"):
        read_piece(alone, VOICES)
    roll = read_piece(alone, VOICES, missing="silent")
    assert roll["bass"].notes().pitch.tolist() == [40, 41]
    assert not roll["soprano"].active.any()
    assert roll.part_names == ("soprano", "bass")
    tune = write(tmp_path / "b.mid", tune=voice(41))
    with pytest.raises(MidiError, match="it needs tracks"):
        read_piece(tune, VOICES, missing="silent")
    assert read_piece(tune, VOICES, missing="silent", alone="bass")["bass"].notes().pitch.tolist() == [41]


def test_notes_outside_are_refused_or_left_out(tmp_path: Path) -> None:
    """Given music comes back without some of its notes, and nobody says so."""
    path = write(tmp_path / "a.mid", soprano=voice(60, 80), bass=voice(40, 40))
    with pytest.raises(PitchRangeError, match="80"):
        read_piece(path, VOICES)
    with pytest.warns(UserWarning, match=r"1 of \d notes are outside the model's pitches, soprano .*are left out"):
        piece = read_piece(path, VOICES, outside="drop")
    assert piece["soprano"].notes().pitch.tolist() == [60]


def test_a_melody_is_the_only_track_or_the_named_one(tmp_path: Path) -> None:
    """The accompaniment of a file is harmonized, or its drums."""
    one = write(tmp_path / "a.mid", lead=voice(90, 20), kit=drums(8))
    melody = read_melody(one, LAYOUT)
    assert melody.notes().pitch.tolist() == [20, 90]  # of any pitch: harmonize says what does not fit
    assert len(melody.parts) == 1
    named = write(tmp_path / "b.mid", piano=voice(50, 51), Soprano=voice(60, 61))
    assert read_melody(named, LAYOUT).notes().pitch.tolist() == [60, 61]
    assert read_melody(named, LAYOUT, track="piano").notes().pitch.tolist() == [50, 51]
    with pytest.raises(MidiError, match=r"2 tracks have notes, 'piano', 'Soprano', .* named 'bass'.*track='piano'"):
        read_melody(named, LAYOUT, part="bass")
    with pytest.raises(SettingsError, match="no part 'alto'"):
        read_melody(named, LAYOUT, part="alto")
    only_drums = write(tmp_path / "c.mid", kit=drums(8))
    with pytest.raises(NoNotesError, match="no melody"):
        read_melody(only_drums, LAYOUT)


def test_the_meter_of_a_file_counts_its_bars(tmp_path: Path, trained: TrainedModel) -> None:
    """Bar 2 of a waltz with an upbeat is another one."""
    roll = read_piece(write(tmp_path / "a.mid", soprano=voice(*[60] * 10), bass=voice(*[40] * 10)), VOICES)
    meter = Meter([TimeSignature(0, 1, 4), TimeSignature(roll.tempo.ticks_per_beat, 3, 4)])
    path = with_planes(roll, roll._planes, meter=meter).to_midi(tmp_path / "waltz.mid")
    made = trained.infill(path, bars=2, seed=1)
    same = (made.active == roll.active).all(axis=1)
    assert same[:16].all()
    assert not same[16:28].all()
    assert same[28:].all()


def test_methods_are_the_functions_with_the_models_layout(tmp_path: Path, trained: TrainedModel) -> None:
    """A method passes an option to another argument, or drops it."""
    path = write(tmp_path / "a.mid", soprano=voice(*[60, 64] * 4), bass=voice(*[40, 45] * 4))
    roll, model = read_piece(path, VOICES), trained.model
    options = {"seed": 4, "sampler": Draw(0.7)}
    given = Given.parts("bass")
    for source in (roll, path):
        assert trained.fill(source, given, **options) == fill(model, roll, given, **options)
        assert trained.infill(source, (1, 1), parts="bass", **options) == infill(
            model, roll, 1, parts="bass", **options
        )
        assert trained.vary(source, 2, keep=0.3, **options) == vary(model, roll, 2, keep=0.3, **options)
        assert trained.accompany(source, parts="bass", **options) == accompany(model, roll, parts="bass", **options)
    tune = voice(60, 62)
    file = write(tmp_path / "tune.mid", tune=voice(60, 62))
    expected = harmonize(model, tune, **options)
    assert trained.harmonize(tune, **options) == expected
    assert trained.harmonize(str(file), **options) == expected
    assert trained.harmonize(voice(72), octaves=-1)["soprano"].notes().pitch.tolist() == [60]
    assert trained.harmonize(voice(41), part="bass", chords="highest")["bass"].notes().pitch.tolist() == [41]
    alone = write(tmp_path / "bass.mid", bass=voice(40, 41))
    assert trained.accompany(alone, seed=1)["soprano"].active.any()


def test_a_piece_on_another_grid_is_read_on_the_models(tmp_path: Path) -> None:
    """A file has no grid, so it must not be refused for one."""
    path = write(tmp_path / "a.mid", soprano=voice(60, 61), bass=voice(40, 41))
    assert len(read_piece(path, FrameLayout(BeatGrid(2), parts=PARTS[:2]))) == 4
