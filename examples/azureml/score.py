"""Answers requests for music in Azure Machine Learning: the entry script of an endpoint.

    export PIANOROLL_SEQ2SEQ_CHECKPOINT=best.safetensors
    azmlinfsrv --entry_script examples/azureml/score.py --model_dir runs/scale_chords
    curl -s localhost:5001/score -d '{"primer_notes": [{"pitch": 60, "start_beat": 0, "duration_beats": 1}],
                                      "num_frames": 64}'

The model is the one checkpoint (``.safetensors``) in the model's folder or below it, as in a model that
``fetch_music.py --register`` has put into the workspace; if there are several, the environment variable
``PIANOROLL_SEQ2SEQ_CHECKPOINT`` names one. Requests and answers are those of
``pianoroll_seq2seq.serving.Service``. A request that cannot be answered gets a status of 4xx and
``{"error": {"status": 422, "field": "num_frames", "message": "..."}}``.
"""

import logging
import os
from pathlib import Path
from typing import Any

from azureml_inference_server_http.api.aml_request import rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse

from pianoroll_seq2seq.serving import RequestError, Service, load_service

CHECKPOINT = "PIANOROLL_SEQ2SEQ_CHECKPOINT"
_BLOCK_BYTES = 2**16

logger = logging.getLogger(__name__)
services: list[Service] = []


def init() -> None:
    """Called once by each worker of the server, before any request."""
    services[:] = [load_service(find_checkpoint(Path(os.environ["AZUREML_MODEL_DIR"]), os.environ.get(CHECKPOINT)))]


def find_checkpoint(folder: Path, name: str | None) -> Path:
    """The one checkpoint in a folder or below.

    Args:
        folder: the model's folder.
        name: the file's name, or its path within the folder.

    Raises:
        FileNotFoundError: none, or several.
    """
    found = sorted(folder.rglob(name or "*.safetensors"))
    if len(found) != 1:
        names = ", ".join(str(path.relative_to(folder)) for path in found) or "none"
        raise FileNotFoundError(
            f"{folder} must hold one checkpoint ({name or '*.safetensors'}), found: {names}. "
            f"Set {CHECKPOINT} to the name of one."
        )
    return found[0]


def run(request: Any) -> AMLResponse:
    """Answers one raw HTTP request (see the last line)."""
    if request.method != "POST":
        return respond({"error": {"status": 405, "field": "request", "message": "POST a JSON object."}}, 405)
    (service,) = services
    try:
        return respond(service.answer_json(body(request, service.limits.max_request_bytes)), 200)
    except RequestError as error:
        return respond(error.to_json(), error.status)
    except TimeoutError:  # raised by the server, which answers it
        raise
    except Exception:
        logger.exception("A request could not be answered")
        return respond({"error": {"status": 500, "field": "request", "message": "Something went wrong here."}}, 500)


def body(request: Any, limit: int) -> bytes:
    """The request's bytes, at most one more than the limit: enough to see that they are too many."""
    data: bytes = request.stream.read(limit + 1)
    if len(data) > limit:
        while request.stream.read(_BLOCK_BYTES):
            pass  # a client that is still sending would not read the answer
    return data


def respond(content: dict[str, Any], status: int) -> AMLResponse:
    """An answer in JSON."""
    return AMLResponse(content, status, json_str=True)


rawhttp(run)
