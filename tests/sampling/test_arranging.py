"""Harmonizing, accompanying, infilling and varying: a melody arrives where it should, and the rest stays."""

import warnings

import numpy as np
import pytest
import torch
from filling_models import Coins

from pianoroll_seq2seq import (
    BeatGrid,
    BernoulliHead,
    FillingLSTM,
    FrameLayout,
    Meter,
    MonophonicHead,
    Part,
    PianoRoll,
    PitchRange,
    Seq2SeqLSTM,
    TempoMap,
    TimeSignature,
    accompany,
    harmonize,
    infill,
    vary,
)
from pianoroll_seq2seq.errors import GridError, PitchRangeError, SettingsError
from pianoroll_seq2seq.pianoroll.unchecked import with_planes

PARTS = (
    Part("kit", drums=True, pitches=PitchRange(35, 36)),
    Part("soprano", 52, pitches=PitchRange(60, 71)),
    Part("bass", 43, pitches=PitchRange(40, 51)),
)
LAYOUT = FrameLayout(parts=PARTS)


def tune(*pitches: int, name: str = "tune", velocity: int | None = None) -> PianoRoll:
    """A note a beat, of all pitches."""
    active = np.zeros((4 * len(pitches), 128), dtype=bool)
    onset = np.zeros_like(active)
    for beat, pitch in enumerate(pitches):
        active[4 * beat : 4 * beat + 4, pitch] = True
        onset[4 * beat, pitch] = True
    meter = Meter([TimeSignature(0, 3, 4)])
    made = PianoRoll(active, onset, pitches=PitchRange(0, 127), tempo=TempoMap(480), name=name, meter=meter)
    return made if velocity is None else made.with_velocity(velocity)


def model() -> FillingLSTM:
    torch.manual_seed(0)
    return FillingLSTM(LAYOUT, hidden_size=8, encoder_size=4, num_copy_heads=0, head=MonophonicHead).eval()


def song(num_frames: int = 32, seed: int = 0) -> PianoRoll:
    generator = np.random.default_rng(seed)
    active = generator.random((num_frames, LAYOUT.plane_size)) < 0.2
    return PianoRoll.from_active(active, parts=PARTS, name="song")


def test_a_melody_gets_other_parts():
    """The melody is lost, changed, or in the wrong part; or its tempo and bars are."""
    melody = tune(60, 64, 67, velocity=80)
    made = harmonize(model(), melody, seed=1)
    assert made.part_names == ("kit", "soprano", "bass")
    assert made["soprano"] == melody.with_pitches(PitchRange(60, 71)).renamed("")
    assert made["soprano"].notes().velocity.tolist() == [80, 80, 80]
    assert (made.name, made.tempo, made.meter) == ("tune", melody.tempo, melody.meter)
    assert made["bass"].active.any()
    assert made.parts == PARTS
    assert made == harmonize(model(), melody, seed=1)
    below = harmonize(model(), tune(40, 43), part="bass")
    assert below["bass"].notes().pitch.tolist() == [40, 43]


def test_notes_outside_the_range_are_named():
    """A melody would be moved, or lose notes, without a word."""
    with pytest.raises(
        PitchRangeError, match=r"'tune': 1 of 2 notes are outside the range of soprano, C4 to B4 \(C5 in fr"
    ) as error:
        harmonize(model(), tune(72, 60))
    assert "melody.transpose" in str(error.value)
    with pytest.raises(PitchRangeError, match="octaves='auto'"):
        harmonize(model(), tune(72, 74))
    with pytest.raises(PitchRangeError, match="in any octave"):
        harmonize(model(), tune(60, 80), octaves="auto")
    with pytest.raises(PitchRangeError, match="outside the range of soprano"):
        harmonize(model(), tune(120), octaves=1)


def test_octaves_are_changed_on_request_and_with_a_warning():
    """The fewest octaves; and none if the melody fits."""
    with pytest.warns(
        UserWarning, match="'tune' is placed 1 octave lower, so that all of its notes .* soprano, C4 to B4"
    ):
        made = harmonize(model(), tune(72, 83), octaves="auto")
    assert made["soprano"].notes().pitch.tolist() == [60, 71]
    with pytest.warns(UserWarning, match="2 octaves higher"):
        harmonize(model(), tune(36), octaves="auto")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        harmonize(model(), tune(60), octaves="auto")
        assert harmonize(model(), tune(48), octaves=1)["soprano"].notes().pitch.tolist() == [60]
    with pytest.raises(SettingsError, match="whole number or 'auto'"):
        harmonize(model(), tune(60), octaves=0.5)


def test_a_melody_of_chords():
    """A model of one note at a time would read one of the notes, whichever."""
    low, high = tune(60, 64), tune(62, 62)
    chords = PianoRoll(low.active | high.active, low.onset | high.onset, pitches=PitchRange(0, 127))
    with pytest.raises(
        SettingsError, match=r"several notes at once in 8 frames, the first one in frame 0 \(beat 1\).*chords='highest'"
    ):
        harmonize(model(), chords)
    made = harmonize(model(), chords, chords="highest")
    assert made["soprano"].notes().pitch.tolist() == [62, 64]
    polyphonic = FillingLSTM(LAYOUT, hidden_size=8, encoder_size=4, num_copy_heads=0, head=BernoulliHead).eval()
    assert harmonize(polyphonic, chords)["soprano"].active.sum() == 16
    with pytest.raises(SettingsError, match="'error' or 'highest'"):
        harmonize(model(), tune(60), chords="lowest")


def test_melodies_that_do_not_fit():
    """An error names what the model has, and what to pass."""
    with pytest.raises(GridError, match=r"BeatGrid\(frames_per_beat=4\)"):
        harmonize(model(), PianoRoll.silent(4, grid=BeatGrid(8)))
    with pytest.raises(
        SettingsError, match=r"'song' has the parts kit, soprano, bass. Pass one of them, as roll\['kit'\]"
    ):
        harmonize(model(), song())
    with pytest.raises(SettingsError, match=r"no part 'alto'. Its parts are \['kit', 'soprano', 'bass'\]"):
        harmonize(model(), tune(60), part="alto")
    with pytest.raises(SettingsError, match="only continues"):
        harmonize(Seq2SeqLSTM(LAYOUT, hidden_size=8), tune(60))
    one = FrameLayout(pitches=PitchRange(60, 71))
    with pytest.raises(SettingsError, match="one part"):
        harmonize(Coins(one), tune(60))


def test_accompanying_writes_silent_or_named_parts():
    """Parts that were there are rewritten, or silent ones stay silent."""
    roll = song()
    made = accompany(Coins(LAYOUT), roll, parts=["bass", "kit"])
    assert made["soprano"] == roll["soprano"]
    assert made["bass"] != roll["bass"]
    alone = accompany(Coins(LAYOUT), roll[["bass", "soprano"]])
    assert alone.part_names == ("kit", "soprano", "bass")
    assert alone[["soprano", "bass"]] == roll[["soprano", "bass"]]
    assert alone["kit"].active.any()
    narrow = roll["soprano"].with_pitches(PitchRange(0, 127))
    named = with_planes(narrow, narrow._planes, (Part("soprano", pitches=PitchRange(0, 127)),))
    assert accompany(Coins(LAYOUT), named, seed=1)["soprano"] == roll["soprano"]
    with pytest.raises(SettingsError, match=r"All parts have notes.*parts=\('bass',\)"):
        accompany(Coins(LAYOUT), roll)
    with pytest.raises(SettingsError, match="no part 'alto'"):
        accompany(Coins(LAYOUT), roll, parts="alto")


def test_infilling_writes_bars():
    """The wrong bars, or the wrong parts of them."""
    roll = song(48)
    made = infill(Coins(LAYOUT), roll, (2, 2), seed=1)
    assert made[:16] == roll[:16]
    assert made[32:] == roll[32:]
    assert made[16:32] != roll[16:32]
    only = infill(Coins(LAYOUT), roll, 2, parts="bass", seed=1)
    assert only[["kit", "soprano"]] == roll[["kit", "soprano"]]
    assert only["bass"] != roll["bass"]
    with pytest.raises(SettingsError, match="'song' has 3 bars"):
        infill(Coins(LAYOUT), roll, (2, 4))


def test_varying_keeps_some_beats():
    """A variation that keeps nothing, or everything, or halves of beats."""
    roll = song(64)
    made = vary(Coins(LAYOUT), roll, (2, 4), parts=("soprano", "bass"), seed=3)
    assert made[:16] == roll[:16]
    assert made["kit"] == roll["kit"]
    same = (made.active == roll.active)[16:].reshape(12, 4, -1)
    beats = [same[:, :, roll.columns(name)].all(axis=(1, 2)) for name in ("soprano", "bass")]
    assert all(2 < kept.sum() < 11 for kept in beats)
    assert not np.array_equal(*beats)
    assert vary(Coins(LAYOUT), roll, seed=3) == vary(Coins(LAYOUT), roll, seed=3)
    assert vary(Coins(LAYOUT), roll, seed=3) != vary(Coins(LAYOUT), roll, seed=4)
    assert vary(Coins(LAYOUT), roll, keep=0, seed=3) == infill(Coins(LAYOUT), roll, (1, 4), seed=3)
    with pytest.raises(SettingsError, match="keep must be"):
        vary(Coins(LAYOUT), roll, keep=1)


def test_models_that_only_continue_are_refused_by_all():
    """``infill`` of the last bars would be a continuation that does not end where the piece does."""
    last = Seq2SeqLSTM(LAYOUT, hidden_size=8)
    for call in (
        lambda: infill(last, song(), 2),
        lambda: vary(last, song()),
        lambda: accompany(last, song(), parts="kit"),
    ):
        with pytest.raises(SettingsError, match="only continues"):
            call()
