"""Reports, opened as files in a browser."""

import json
import wave
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from chromium import opened_page, overflowing, painted_notes
from layouts import active_windows
from playwright.sync_api import Page, expect

from pianoroll_seq2seq import (
    BeatGrid,
    Evaluation,
    FrameLayout,
    History,
    PianoRoll,
    Piece,
    PitchRange,
    Seq2SeqLSTM,
    SlidingWindows,
    describe_model,
    evaluate,
    fit,
    report_run,
    summarize_music,
    write_report,
)
from pianoroll_seq2seq.errors import CheckpointError, MidiError, OverwriteError, SettingsError
from pianoroll_seq2seq.train.history import Epoch

pytestmark = pytest.mark.usefixtures("one_thread")


def _roll(name: str = "upwards", *, frames: int = 32) -> PianoRoll:
    active = np.arange(frames)[:, None] % 25 == np.arange(25)
    return PianoRoll.from_active(active, grid=BeatGrid(2), pitches=PitchRange(60, 84), name=name)


HISTORY = History((Epoch(1, 8, 3.0, 2.5, 0.01, 1.0), Epoch(2, 16, 2.0, 2.25, 0.01, 1.0)), 2, "epochs")


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    windows = active_windows([_roll()], input_frames=8, target_frames=8, hop=8)
    return evaluate(Seq2SeqLSTM(25, hidden_size=4), windows)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, evaluation: Evaluation) -> Path:
    """The folder of a run with all there can be."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    windows = active_windows([_roll()], input_frames=8, target_frames=8, hop=4)
    fit(Seq2SeqLSTM(25, hidden_size=4), windows, epochs=2, batch_size=8, checkpoint_dir=folder, progress=False)
    _roll().to_midi(folder / "generated.mid")
    _roll()[:8].to_midi(folder / "primer.mid")
    for number in range(3):
        _roll().transpose(0)[number:].to_midi(folder / f"sample_{number}.mid")
    (folder / "scores.json").write_text(json.dumps({"test": evaluation.to_json(), "continuation": {"notes": 24}}))
    (folder / "run.json").write_text(json.dumps({"preset": "a preset"}))
    return folder


@pytest.fixture
def opened(tmp_path: Path, evaluation: Evaluation) -> Iterator[tuple[Page, Path]]:
    """A page with everything on it, in a browser, and the folder it is in."""
    report = write_report(
        tmp_path / "report.html",
        title="A run",
        pieces=[Piece(_roll("with a primer"), 8), _roll("without")],
        evaluation=evaluation,
        history=HISTORY,
        trained_on={"Model": describe_model(Seq2SeqLSTM(25, hidden_size=4))},
    )
    with opened_page() as page:
        page.goto(report.as_uri())
        yield page, tmp_path


def test_it_shows_all_arguments(opened: tuple[Page, Path], evaluation: Evaluation) -> None:
    """Readers, also with a screen reader, do not find the scores, the curves or the settings."""
    page, _ = opened
    assert page.title() == "A run"
    assert page.get_by_role("heading", level=1).all_inner_texts() == ["A run"]
    sections = ["Music", "Scores", "Loss curves", "What was trained"]
    assert page.get_by_role("heading", level=2).all_inner_texts() == sections
    row = page.get_by_role("row", name="copy last").get_by_role("cell").first
    assert row.inner_text() == f"{evaluation.copy_last.all.nats:.3f}"
    assert page.get_by_role("img", name="Loss curves: nats per frame over 2 epochs").is_visible()
    page.get_by_text("2 epochs, the best after epoch 2").click()
    assert page.get_by_role("row", name="2 (best)").is_visible()
    facts = page.locator(".pr-facts")
    assert facts.get_by_role("row", name="class").inner_text().split() == ["class", "Seq2SeqLSTM"]
    parameters = sum(p.numel() for p in Seq2SeqLSTM(25, hidden_size=4).parameters())
    assert facts.get_by_role("row", name="parameters").get_by_role("cell").inner_text() == f"{parameters:,}"
    assert "BernoulliHead(" in facts.inner_text()


def test_it_plays_marks_the_primer_and_gives_files(opened: tuple[Page, Path]) -> None:
    """The page is silent, hides where the model took over, or gives files that cannot be read."""
    page, folder = opened
    group = page.get_by_role("group", name="with a primer")
    group.get_by_role("button", name="Play").click()
    expect(group.get_by_role("slider", name="Position")).to_have_attribute("aria-valuetext", "0:01 of 0:08")
    shown = painted_notes(page, "with a primer")
    assert [note["primer"] for note in shown] == [True] * 8 + [False] * 24
    with page.expect_download() as download:
        group.get_by_role("link", name="MIDI").click()
    assert download.value.suggested_filename == "with_a_primer.mid"
    download.value.save_as(folder / "saved.mid")
    assert PianoRoll.from_midi(folder / "saved.mid", grid=BeatGrid(2), pitches=PitchRange(60, 84)) == _roll()
    with page.expect_download() as download:
        group.get_by_role("link", name="WAV").click()
    assert download.value.suggested_filename == "with_a_primer.wav"
    download.value.save_as(folder / "saved.wav")
    with wave.open(str(folder / "saved.wav")) as file:
        assert (file.getnchannels(), file.getframerate()) == (1, 24_000)
        assert file.getnframes() == 24_000 * (8 + 2)  # the last note rings out


def test_names_are_only_names(tmp_path: Path, evaluation: Evaluation) -> None:
    """A piece or setting with a mark-up for a name runs code where the page is opened."""
    name = "</script><img src=x onerror=\"throw 'hurt'\"><b>&amp;"
    report = write_report(
        tmp_path / "report.html",
        title=name,
        pieces=[Piece(_roll(), name=name)],
        evaluation={name: evaluation},
        history={name: HISTORY, "other": HISTORY},
        trained_on={name: {name: name, "list": [name], "mapping": {name: name}}},
        wav=False,
    )
    with opened_page() as page:  # fails on any error or request
        page.goto(report.as_uri())
        assert page.title() == name
        assert page.get_by_role("group", name=name).is_visible()
        assert page.locator("img[src=x], main b").count() == 0
        assert page.get_by_role("heading", name=name).count() == 4
        assert (
            page.get_by_role("link", name="MIDI").get_attribute("download")
            == "script_img_src_x_onerror_throw_hurt_b_amp.mid"
        )


def test_a_page_of_nothing_but_a_title(tmp_path: Path) -> None:
    """Parts that are not there leave empty headings, or fail."""
    report = write_report(tmp_path / "folder" / "report.html", title="Nothing yet", history=History())
    assert "<h2>" not in report.read_text(encoding="utf-8")
    with pytest.raises(OverwriteError):
        write_report(report, title="Another")
    assert "Another" in write_report(report, title="Another", overwrite=True).read_text(encoding="utf-8")


def test_equal_runs_have_equal_pages(tmp_path: Path) -> None:
    """A page in version control changes when nothing has changed."""
    first, second = (
        write_report(tmp_path / f"{n}.html", title="Run", pieces=[_roll()], history=HISTORY, wav=False) for n in (1, 2)
    )
    assert first.read_bytes() == second.read_bytes()


def test_the_page_of_a_run(run: Path) -> None:
    """Files of a run are missing on its page, or the wrong notes are drawn as the primer."""
    report = report_run(run, wav=False)
    assert report == run / "report.html"
    with opened_page() as page:
        page.goto(report.as_uri())
        assert page.title() == "first"
        assert page.get_by_role("heading", level=3).all_inner_texts() == [
            *("generated", "sample_0", "sample_1", "sample_2"),
            *("Data", "Model", "Training", "Settings of the run", "Continuation"),
        ]
        assert sum(note["primer"] for note in painted_notes(page)) == 8
        text = page.locator("main").inner_text()
        for expected in ("BeatGrid(frames_per_beat=2)", "C4 to C6 (25)", "Seq2SeqLSTM", "a preset", "copy last"):
            assert expected in text
    with pytest.raises(OverwriteError):
        report_run(run, wav=False)
    few = report_run(run, path=run.parent / "few.html", title="Few", max_pieces=2, wav=False)
    text = few.read_text(encoding="utf-8")
    assert ("<h3>generated" in text, "<h3>sample_2" in text, "<h3>sample_1" in text) == (True, True, False)


def test_the_page_of_a_model_of_parts_and_velocities(tmp_path: Path) -> None:
    """It lists one part, adds up notes and velocities, or says nothing of the lengths of its notes."""
    melody, bass = _roll().with_velocity(90), _roll().with_velocity(60)
    roll = PianoRoll.stack({"melody": melody, "bass": bass})
    layout = FrameLayout.of(roll, velocity=True)
    windows = SlidingWindows([roll], input_frames=8, target_frames=8, hop=4, layout=layout)
    model = Seq2SeqLSTM(layout, hidden_size=4)
    fit(model, windows, epochs=1, batch_size=8, checkpoint_dir=tmp_path, progress=False)
    scores = evaluate(model, windows)
    roll.to_midi(tmp_path / "generated.mid")
    record = {"test": scores.to_json(), "summary": asdict(summarize_music([roll[:16]], [roll])), "primer_frames": 8}
    (tmp_path / "scores.json").write_text(json.dumps(record))
    with opened_page() as page:
        page.goto(report_run(tmp_path, wav=False).as_uri())
        facts = page.locator(".pr-facts").first
        assert "melody: C4 to C6 (25), bass: C4 to C6 (25)" in facts.inner_text()
        row = page.get_by_role("row", name="bass").get_by_role("cell").all_inner_texts()
        of_bass = scores.velocities["bass"]
        assert row[:2] == [f"{of_bass.nats:.3f}", f"{of_bass.mean_absolute_error:.1f}"]
        assert page.get_by_role("row", name="0.5 100.0% 100.0%").is_visible()
        assert page.get_by_role("row", name="mean velocity").get_by_role("cell").last.inner_text() == "75.000"
        assert page.get_by_role("row", name="repeated notes").is_visible()
        text = page.locator("main").inner_text()
        assert "The dashed line is the end of the primer. Click" in text
        assert "hatched" not in text
        assert page.locator(".pr-parts").inner_text().split() == ["melody", "bass"]


@pytest.mark.parametrize("dark", [False, True])
def test_a_report_fits_a_phone(run: Path, *, dark: bool) -> None:
    """Long values or names make the whole page scroll sideways; hashes of 64 digits stand between the facts."""
    name = "a_name_that_no_screen_is_wide_enough_for_" * 3
    page_path = write_report(
        run.parent / f"phone-{dark}.html",
        title=name,
        pieces=[Piece(_roll(name), 8)],
        evaluation=Evaluation.from_json(json.loads((run / "scores.json").read_text())["test"]),
        history={name: HISTORY},
        trained_on={name: {name: name, "data": {"content": "0123456789abcdef" * 4}, "word": "0123456789abcdef"}},
        wav=False,
    )
    with opened_page(width=390, dark=dark) as page:
        page.goto(page_path.as_uri())
        page.locator("summary").click()
        assert overflowing(page) == []
        facts = page.locator(".pr-facts").inner_text()
        assert "content: 0123456789ab…" in facts
        assert "0123456789abcdef" in facts


def test_missing_files_are_left_out(run: Path, tmp_path: Path) -> None:
    """A run that has just begun, or a folder with only music, has no page."""
    (tmp_path / "history.jsonl").write_bytes((run / "history.jsonl").read_bytes())
    text = report_run(tmp_path).read_text(encoding="utf-8")
    assert "<h2>Loss curves</h2>" in text
    assert "<h2>Music</h2>" not in text
    (tmp_path / "config.yaml").write_text("epochs: 3\nmodel:\n  class_path: my_module.Mine\n", encoding="utf-8")
    text = report_run(tmp_path, overwrite=True).read_text(encoding="utf-8")
    assert "my_module.Mine" in text
    (tmp_path / "config.yaml").write_text("epochs: [3", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"config\.yaml: not YAML"):
        report_run(tmp_path, overwrite=True)
    only_music = tmp_path / "music"
    _roll().to_midi(only_music / "generated.mid")
    text = report_run(only_music, wav=False).read_text(encoding="utf-8")
    assert "<h2>Music</h2>" in text
    assert "audio/wav" not in text


def test_invalid_folders_are_named(tmp_path: Path) -> None:
    """A damaged folder ends in a traceback without its name."""
    with pytest.raises(SettingsError, match=r"not the folder of a run.*history\.jsonl"):
        report_run(tmp_path)
    for content, words in (
        ("{", r"scores\.json: damaged, or not JSON"),
        ("[]", "expected object, got array"),
        ('{"test": {}}', r"at \$\.test: object missing required field num_frames"),
        ('{"primer_frames": "many"}', r"at \$\.primer_frames: expected int, got str \('many'\)"),
    ):
        (tmp_path / "scores.json").write_text(content)
        with pytest.raises(SettingsError, match=words):
            report_run(tmp_path)
    (tmp_path / "scores.json").write_text("{}")
    (tmp_path / "best.safetensors").write_text("not a checkpoint")
    with pytest.raises(CheckpointError, match=r"best\.safetensors"):
        report_run(tmp_path)
    (tmp_path / "best.safetensors").unlink()
    (tmp_path / "generated.mid").write_text("not music")
    with pytest.raises(MidiError, match=r"generated\.mid"):
        report_run(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_evaluations_come_back(evaluation: Evaluation) -> None:
    """Scores that were written down are others when they are read."""
    assert Evaluation.from_json(json.loads(json.dumps(evaluation.to_json()))) == evaluation
    assert replace(evaluation, num_frames=0) != evaluation
