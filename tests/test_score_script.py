"""The entry script for Azure ML, behind Azure ML's own inference server."""

import base64
import importlib.util
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from layouts import active_windows

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq.backends.azureml.models import write_model_folder
from pianoroll_seq2seq.midi_io import to_midi_bytes
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.sampling import Draw, Threshold, generate
from pianoroll_seq2seq.serving import RequestLimits
from pianoroll_seq2seq.train import fit

pytestmark = pytest.mark.inference

SCRIPT = Path(__file__).parents[1] / "examples" / "azureml" / "score.py"
PITCHES = PitchRange(55, 72)
STARTS_WITHIN_SECONDS = 90
Answer = tuple[int, dict[str, Any]]


class Server:
    """The inference server over the entry script, on a free port of this machine."""

    def __init__(self, folder: Path, model_dir: Path) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        self.log = folder / "server.log"
        command = [sys.executable, "-m", "azureml_inference_server_http", "--entry_script", str(SCRIPT)]
        command += ["--model_dir", str(model_dir), "--port", str(self.port)]
        environment = os.environ | {"AML_APP_ROOT": str(folder), "OMP_NUM_THREADS": "1"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def wait(self) -> None:
        deadline = time.monotonic() + STARTS_WITHIN_SECONDS
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5):
                    return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    pytest.fail(f"The inference server did not start: {self.log.read_text()[-3000:]}")
                time.sleep(0.2)

    def send(self, data: bytes, *, method: str = "POST") -> Answer:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/score", data=data, method=method)
        try:
            answer = urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            assert answer.headers["Content-Type"] == "application/json"
            return answer.status, json.load(answer)

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(timeout=30)


def needs_server() -> None:
    if importlib.util.find_spec("azureml_inference_server_http") is None:
        reason = "Azure ML's inference server is not installed (nox -s mlflow)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as Azure ML mounts it: name, version, and the folder that ``register_checkpoint`` uploads."""
    needs_server()
    folder = tmp_path_factory.mktemp("model")
    active = np.random.default_rng(0).random((60, len(PITCHES))) < 0.2
    windows = active_windows([PianoRoll.from_active(active, pitches=PITCHES)], input_frames=8, target_frames=4, hop=2)
    torch.manual_seed(0)
    run = folder.parent / "run"
    fit(Seq2SeqLSTM(len(PITCHES), hidden_size=8), windows, epochs=2, batch_size=8, checkpoint_dir=run, progress=False)
    write_model_folder(run / "best.safetensors", folder / "scale_chords" / "1" / "model", metrics={"test_nats": 0.25})
    return folder


@pytest.fixture(scope="module")
def server(model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"), model_dir)
    try:
        server.wait()
        yield server
    finally:
        server.stop()


def primer() -> PianoRoll:
    active = np.random.default_rng(1).random((16, len(PITCHES))) < 0.2
    active[-1, 3] = True
    return PianoRoll.from_active(active, pitches=PITCHES)


def request(**changes: Any) -> bytes:
    midi = base64.b64encode(to_midi_bytes(primer().to_score())).decode()
    return json.dumps({"primer_midi": midi, "num_frames": 48} | changes).encode()


def test_it_returns_the_music_that_generate_makes_here(server: Server, model_dir: Path) -> None:
    """The endpoint's music differs from the model's."""
    model = checkpoint.load(next(model_dir.rglob("*.safetensors")))
    samplers = {Draw(): {"kind": "draw"}, Threshold(0.2): {"kind": "threshold", "threshold": 0.2}}
    for sampler, field in samplers.items():
        for seed in (0, 5):
            status, answer = server.send(request(seed=seed, sampler=field))
            music = generate(model, primer(), num_frames=48, sampler=sampler, seed=seed)
            assert status == 200
            assert base64.b64decode(answer["midi"]) == to_midi_bytes(music.to_score())
            assert (answer["num_frames"], answer["seed"], len(answer["notes"])) == (48, seed, len(music.notes().pitch))


def test_a_primer_of_notes(server: Server) -> None:
    notes = {"primer_notes": [{"pitch": 60, "start_beat": 0, "duration_beats": 2}], "num_frames": 16}
    status, answer = server.send(json.dumps(notes).encode())
    assert (status, answer["num_frames"]) == (200, 16)


@pytest.mark.parametrize(
    ("data", "status", "field", "message"),
    [
        (b"", 400, "request", "not JSON"),
        (b"not JSON", 400, "request", "not JSON"),
        (bytes(range(256)), 400, "request", "not JSON"),
        (b"[]", 400, "request", "must be a JSON object"),
        (b'{"num_frames": 3}', 400, "request", "got neither"),
        (request(num_frames="three"), 400, "num_frames", "integer"),
        (request(num_frames=10**6), 413, "num_frames", "the limit is"),
        (request(primer_midi="AAAA"), 400, "primer_midi", "not a readable MIDI file"),
        (request(tempo=3), 400, "request", 'unknown field "tempo"'),
        (request(sampler={"kind": "draw", "temperature": 0}), 422, "sampler.temperature", "must be in"),
        (b" " * (RequestLimits().max_request_bytes + 1), 413, "request", "bytes"),
        (b" " * (20 * RequestLimits().max_request_bytes), 413, "request", "bytes"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_invalid_requests_get_their_own_status(
    server: Server, data: bytes, status: int, field: str, message: str
) -> None:
    """Every invalid request gets a 500, a 200, or a broken connection."""
    got, answer = server.send(data)
    assert got == status
    assert answer.keys() == {"error"}
    assert (answer["error"]["status"], answer["error"]["field"]) == (status, field)
    assert message in answer["error"]["message"]


def test_only_post_is_allowed(server: Server) -> None:
    status, answer = server.send(b"", method="GET")
    assert (status, answer["error"]["status"]) == (405, 405)


def test_parallel_requests_get_the_same_answer(server: Server) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(server.send, [request(seed=3)] * 12))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0] == 200


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The entry script, loaded as the server loads it."""
    needs_server()
    from azureml_inference_server_http.api import aml_request

    monkeypatch.setattr(aml_request, "_rawHttpRequested", False)
    spec = importlib.util.spec_from_file_location("entry_module", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert aml_request._rawHttpRequested
    return module


class Posted:
    method = "POST"

    def __init__(self, data: bytes) -> None:
        self.stream = io.BytesIO(data)


def test_internal_errors_are_not_shown(script: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The answers contain paths and secrets of the server."""

    class Broken:
        limits = RequestLimits()

        def answer_json(self, raw: bytes) -> dict[str, Any]:
            raise RuntimeError("secret of /srv")

    script.services[:] = [Broken()]
    response = script.run(Posted(b"{}"))
    assert response.status_code == 500
    assert json.loads(response.get_data())["error"]["status"] == 500
    assert b"secret" not in response.get_data()
    assert "secret of /srv" in caplog.text


def test_the_servers_own_time_limit_is_not_caught(script: Any) -> None:
    class Slow:
        limits = RequestLimits()

        def answer_json(self, raw: bytes) -> dict[str, Any]:
            raise TimeoutError

    script.services[:] = [Slow()]
    with pytest.raises(TimeoutError):
        script.run(Posted(b"{}"))


def test_the_only_checkpoint_is_found(script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old model is silently served."""
    with pytest.raises(FileNotFoundError, match="found: none"):
        script.find_checkpoint(tmp_path, None)
    (tmp_path / "model").mkdir()
    for name in ("best", "last"):
        (tmp_path / "model" / f"{name}.safetensors").touch()
    with pytest.raises(FileNotFoundError, match=r"best\.safetensors.*last\.safetensors.*PIANOROLL_SEQ2SEQ_CHECKPOINT"):
        script.find_checkpoint(tmp_path, None)
    for name in ("last.safetensors", "model/last.safetensors"):
        assert script.find_checkpoint(tmp_path, name) == tmp_path / "model" / "last.safetensors"
    with pytest.raises(FileNotFoundError, match="none"):
        script.find_checkpoint(tmp_path, "first.safetensors")


def test_it_loads_the_model_that_the_server_names(
    script: Any, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZUREML_MODEL_DIR", str(model_dir))
    monkeypatch.delenv("PIANOROLL_SEQ2SEQ_CHECKPOINT", raising=False)
    script.init()
    response = script.run(Posted(request(num_frames=3)))
    assert response.status_code == 200
    assert json.loads(response.get_data())["num_frames"] == 3
