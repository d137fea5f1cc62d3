"""The TensorBoard tracker, read back by TensorBoard itself."""

import os
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layouts import active_windows
from optional_packages import needs

from pianoroll_seq2seq import PianoRoll, PitchRange, SampleMusic, Seq2SeqLSTM, fit
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.trackers.fan_out import FanOut
from pianoroll_seq2seq.trackers.jsonl import JsonlTracker
from pianoroll_seq2seq.trackers.tensorboard import TensorBoardTracker

pytestmark = [pytest.mark.tensorboard, pytest.mark.usefixtures("one_thread")]


@pytest.fixture(autouse=True)
def installed() -> None:
    needs("tensorboard", "trackers")


def read(folder: Path) -> Any:
    """All that TensorBoard finds in a folder of a run."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder), size_guidance={"images": 0, "audio": 0, "scalars": 0, "tensors": 0}).Reload()


def scalars(folder: Path, name: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in read(folder).Scalars(name)]


def session(folder: Path, tag: str) -> Any:
    """A part of the page of hyperparameters."""
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    return HParamsPluginData.FromString(read(folder).SummaryMetadata(tag).plugin_data.content)


def rolls(count: int) -> list[PianoRoll]:
    random = np.random.default_rng(0)
    return [PianoRoll.from_active(random.random((20, 12)) < 0.3, pitches=PitchRange(60, 71)) for _ in range(count)]


def test_metrics_and_parameters_come_back(tmp_path: Path) -> None:
    """A metric is lost or stands at another step, or runs cannot be compared by their hyperparameters."""
    with TensorBoardTracker(tmp_path / "runs" / "first") as tracker:
        tracker.log_params({"rate": 1e-3, "head": "NADE|x", "onsets": True, "schedule": None, "epochs": 3})
        tracker.log_metrics({"train_loss": 1.5, "valid_loss": float("nan")}, step=10)
        tracker.log_metrics({"train_loss": 0.5}, step=20)
    folder = tmp_path / "runs" / "first"
    assert scalars(folder, "train_loss") == [(10, 1.5), (20, 0.5)]
    assert np.isnan(scalars(folder, "valid_loss")[0][1])
    hparams = session(folder, "_hparams_/session_start_info").session_start_info.hparams
    assert {name: value.WhichOneof("kind") for name, value in hparams.items()} == {
        "rate": "number_value",
        "head": "string_value",
        "onsets": "number_value",
        "epochs": "number_value",
    }
    assert hparams["rate"].number_value == 1e-3
    (table,) = read(folder).Tensors("parameters/text_summary")
    assert "|rate|0.001|" in table.tensor_proto.string_val[0].decode()


@pytest.mark.parametrize("fails", [False, True])
def test_the_end_says_whether_the_run_failed(tmp_path: Path, fails: bool) -> None:
    """A run that failed looks as if it had ended well."""

    def run() -> None:
        with TensorBoardTracker(tmp_path) as tracker:
            tracker.log_metrics({"train_loss": 1.0}, step=1)
            if fails:
                raise ValueError("out of memory")

    if fails:
        with pytest.raises(ValueError, match="out of memory"):
            run()
    else:
        run()
    status = session(tmp_path, "_hparams_/session_end_info").session_end_info.status
    assert status == (2 if fails else 1)  # STATUS_FAILURE, STATUS_SUCCESS


def test_a_resumed_run_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    """The curve turns back where the run was resumed from an earlier step, or its last scores hide the losses."""
    with TensorBoardTracker(tmp_path) as tracker:
        for step in (10, 20, 30, 40):
            tracker.log_metrics({"train_loss": step / 10}, step=step)
    with TensorBoardTracker(tmp_path) as tracker:  # from the checkpoint of step 20
        tracker.log_params({"seed": 0})
        for step in (30, 40, 50):
            tracker.log_metrics({"train_loss": -step / 10}, step=step)
    resumed = scalars(tmp_path, "train_loss")
    assert resumed[-3:] == [(30, -3.0), (40, -4.0), (50, -5.0)]
    assert [step for step, value in resumed if value > 0] == [10, 20, 30]
    with TensorBoardTracker(tmp_path) as tracker:  # nothing is left to train
        tracker.log_metrics({"test_f1": 0.5}, step=50)
    assert scalars(tmp_path, "train_loss") == resumed
    assert scalars(tmp_path, "test_f1") == [(50, 0.5)]


def test_samples_are_seen_and_heard(tmp_path: Path) -> None:
    """One cannot follow in TensorBoard how the music changes while the model learns."""
    pieces = rolls(2)
    windows = active_windows(pieces, input_frames=8, target_frames=8, hop=4)
    sample = SampleMusic([pieces[0][:8]], num_frames=8, folder=tmp_path / "samples", every=2, sound=True)
    with FanOut(JsonlTracker(tmp_path / "m.jsonl"), TensorBoardTracker(tmp_path / "tb")) as tracker:
        fit(
            Seq2SeqLSTM(12, hidden_size=4),
            windows,
            epochs=4,
            batch_size=8,
            tracker=tracker,
            on_epoch=[sample],
            progress=False,
        )
    found = read(tmp_path / "tb")
    steps = [step for step, _ in scalars(tmp_path / "tb", "train_loss")]
    # TensorBoard's server takes a tag for one kind only: that of the first event.
    images, sounds = found.Images("piece_1/picture"), found.Audio("piece_1/sound")
    assert [event.step for event in images] == [event.step for event in sounds] == [steps[1], steps[3]]
    assert images[1].encoded_image_string == (tmp_path / "samples/epoch_0004_piece_1.png").read_bytes()
    assert (images[1].width, images[1].height) > (100, 100)
    with wave.open(str(tmp_path / "samples/epoch_0004_piece_1.wav")) as file:
        assert (sounds[1].sample_rate, sounds[1].length_frames) == (file.getframerate(), file.getnframes())
    assert sounds[1].encoded_audio_string == (tmp_path / "samples/epoch_0004_piece_1.wav").read_bytes()
    assert (tmp_path / "m.jsonl").read_text().count("epoch_0004_piece_1") == 3  # the file, its picture, its sound


def test_a_picture_is_shown_at_the_last_step_and_a_file_is_named(tmp_path: Path) -> None:
    """The picture of the whole piece stands at step 0, or nobody knows which checkpoint belongs to the run."""
    from PIL import Image

    Image.new("RGB", (3, 2)).save(tmp_path / "roll.png")
    (tmp_path / "best.safetensors").write_bytes(b"weights")
    with TensorBoardTracker(tmp_path / "tb") as tracker:
        tracker.log_metrics({"train_loss": 1.0}, step=7)
        tracker.log_artifact(tmp_path / "roll.png")
        tracker.log_artifact(tmp_path / "best.safetensors")
    found = read(tmp_path / "tb")
    assert [(event.step, event.width, event.height) for event in found.Images("roll/picture")] == [(7, 3, 2)]
    (text,) = found.Tensors("files/best.safetensors/text_summary")
    assert text.tensor_proto.string_val[0].decode() == str(tmp_path / "best.safetensors")


def test_what_cannot_be_logged_is_a_warning_and_the_rest_is_kept(tmp_path: Path) -> None:
    """A missing picture, or a name that is not UTF-8, ends hours of training."""
    odd = os.fsdecode(b"B\xe4r.mid")
    (tmp_path / "roll.png").write_bytes(b"no picture")
    with TensorBoardTracker(tmp_path / "tb") as tracker:
        tracker.log_params({"data": odd})
        tracker.log_metrics({odd: 1.0}, step=1)
        tracker.log_artifact(tmp_path / odd)
        with pytest.warns(UserWarning, match=r"TensorBoard does not get everything: .*roll\.png"):
            tracker.log_artifact(tmp_path / "roll.png")
        tracker.log_media("piece_1", tmp_path / "not there.wav", step=2)
        tracker.log_metrics({"train_loss": 2.0}, step=3)
    assert scalars(tmp_path / "tb", "train_loss") == [(3, 2.0)]
    assert scalars(tmp_path / "tb", "B\\udce4r.mid") == [(1, 1.0)]


def test_a_full_disk_is_a_warning_and_leaves_whole_events(tmp_path: Path) -> None:
    """A full disk ends training, makes it wait for ever, or leaves a file that TensorBoard cannot read."""
    script = f"""
import resource
from pianoroll_seq2seq import TensorBoardTracker
with TensorBoardTracker({str(tmp_path)!r}) as tracker:
    tracker.log_metrics({{"train_loss": 0.0}}, step=1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, resource.RLIM_INFINITY))
    for step in range(2, 100):
        tracker.log_metrics({{"train_loss": float(step)}}, step=step)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    tracker.log_metrics({{"train_loss": 0.0}}, step=100)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stderr.count("TensorBoard does not get everything")) == (0, 1), ended.stderr
    steps = [step for step, _ in scalars(tmp_path, "train_loss")]
    assert steps[0] == 1
    assert steps[-1] == 100
    assert 2 < len(steps) < 50


def test_a_folder_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    """The run is not recorded, and one learns of it after training."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="file/runs"), TensorBoardTracker(tmp_path / "file" / "runs"):
        pytest.fail("not reached")
