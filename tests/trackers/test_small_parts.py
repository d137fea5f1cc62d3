"""Code that several trackers share: ranks, numbers, and the exit on SIGTERM."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from typechecker import as_users_have_it

from pianoroll_seq2seq.trackers.azureml import AzureMLTracker
from pianoroll_seq2seq.trackers.ranks import is_first_process
from pianoroll_seq2seq.trackers.termination import Termination
from pianoroll_seq2seq.trackers.values import finite_metrics


@pytest.mark.parametrize(
    ("environment", "first"),
    [
        ({}, True),
        ({"RANK": "0"}, True),
        ({"RANK": "3"}, False),
        ({"OMPI_COMM_WORLD_RANK": "0"}, True),
        ({"OMPI_COMM_WORLD_RANK": "1"}, False),
        ({"RANK": "0", "OMPI_COMM_WORLD_RANK": "1"}, True),
        ({"RANK": ""}, True),
        ({"RANK": "1.5"}, True),
        ({"RANK": "-1"}, True),
    ],
)
def test_only_the_first_process_tracks(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], first: bool
) -> None:
    for name in ("RANK", "OMPI_COMM_WORLD_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert is_first_process() is first


def test_numbers_of_every_kind_become_floats() -> None:
    """Arrays and tensors arrive as texts, or are lost."""
    metrics = {
        "int": 1,
        "bool": True,
        "numpy": np.float32(0.5),
        "array": np.array(2),
        "tensor": torch.tensor(2.5),
        "nan": float("nan"),
        "inf": np.float64("inf"),
    }
    numbers, dropped = as_users_have_it(finite_metrics)(metrics)
    assert numbers == {"int": 1.0, "bool": 1.0, "numpy": 0.5, "array": 2.0, "tensor": 2.5}
    assert {type(number) for number in numbers.values()} == {float}
    assert dropped == ["nan", "inf"]


def test_sigterm_raises_system_exit_and_its_handler_is_restored() -> None:
    """Files and runs are not closed, or the handler stays after the tracker."""
    script = """
import os, signal
from pianoroll_seq2seq.trackers.termination import Termination
try:
    with Termination():
        with Termination():
            os.kill(os.getpid(), signal.SIGTERM)
finally:
    print("closed", signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, flush=True)
"""
    ended = subprocess.run([sys.executable, "-c", script], check=False, timeout=60, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (128 + signal.SIGTERM, "closed True\n")


def test_a_handler_of_the_user_stays() -> None:
    received = []
    before = signal.signal(signal.SIGTERM, lambda *_: received.append("mine"))
    try:
        with Termination():
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert received == ["mine", "mine"]


def test_outside_the_main_thread_nothing_is_changed() -> None:
    """Python lets only the main thread handle signals, and raises in all others."""
    handlers = []

    def work() -> None:
        with Termination():
            handlers.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.SIG_DFL]


def test_samples_are_one_series_of_images_in_azure_ml(tmp_path: Path) -> None:
    """Each epoch's picture takes one of the fifty names that a run of Azure ML may have."""
    run = MagicMock()
    for epoch in (1, 2):
        for ending in ("png", "mid"):
            (tmp_path / f"epoch_{epoch}.{ending}").write_bytes(b"music")
    with AzureMLTracker(run, local=None) as tracker:
        for epoch in (1, 2):
            for ending in ("png", "mid"):
                tracker.log_media("piece_1", tmp_path / f"epoch_{epoch}.{ending}", step=epoch)
    images = [(name, Path(options["path"]).name) for _, (name,), options in run.log_image.mock_calls]
    assert images == [("piece_1", "epoch_1.png"), ("piece_1", "epoch_2.png")]
    assert [Path(call.args[1]).name for call in run.upload_file.mock_calls] == ["epoch_1.mid", "epoch_2.mid"]
