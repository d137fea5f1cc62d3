"""Entry script of an Azure Machine Learning endpoint that generates music.

    export PIANOROLL_SEQ2SEQ_CHECKPOINT=best.safetensors
    azmlinfsrv --entry_script examples/azureml/score.py --model_dir runs/scale_chords
    curl -s localhost:5001/score -d '{"primer_notes": [{"pitch": 60, "start_beat": 0, "duration_beats": 1}],
                                      "num_frames": 64}'

The model is the checkpoint (``.safetensors``) in the model's folder or one below, as in a model that
``fetch_music.py --register`` has registered. If there are several, the environment variable
``PIANOROLL_SEQ2SEQ_CHECKPOINT`` names one. Requests and responses are those of
``pianoroll_seq2seq.serving.Service``: a model that fills harmonizes ``{"piece_notes": [...], "given": {"parts":
["soprano"]}}``, and rewrites bars of ``{"piece_midi": "...", "given": {"outside_bars": [5, 8]}}``. An invalid request
gets a status of 4xx and ``{"error": {"status": 422, "field": "num_frames", "message": "..."}}``.
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
    """Loads the model. Each worker of the server calls this once, before any request."""
    services[:] = [load_service(find_checkpoint(Path(os.environ["AZUREML_MODEL_DIR"]), os.environ.get(CHECKPOINT)))]


def find_checkpoint(folder: Path, name: str | None) -> Path:
    """Finds the checkpoint in a folder or one below.

    Args:
        folder: the model's folder.
        name: the file's name, or its path in the folder; None for any checkpoint.

    Raises:
        FileNotFoundError: there is none, or more than one.
    """
    found = sorted(folder.rglob(name or "*.safetensors"))
    if len(found) != 1:
        names = ", ".join(str(path.relative_to(folder)) for path in found) or "none"
        raise FileNotFoundError(
            f"{folder} must contain one checkpoint ({name or '*.safetensors'}), found: {names}. "
            f"Set {CHECKPOINT} to the name of one."
        )
    return found[0]


def run(request: Any) -> AMLResponse:
    """Answers one raw HTTP request."""
    if request.method != "POST":
        return respond({"error": {"status": 405, "field": "request", "message": "POST a JSON object."}}, 405)
    (service,) = services
    try:
        return respond(service.answer_json(read_body(request, service.limits.max_request_bytes)), 200)
    except RequestError as error:
        return respond(error.to_json(), error.status)
    except TimeoutError:  # the server raises it, and answers it
        raise
    except Exception:
        logger.exception("A request could not be answered")
        return respond({"error": {"status": 500, "field": "request", "message": "Internal error."}}, 500)


def read_body(request: Any, limit: int) -> bytes:
    """Reads a request's body, up to one byte more than the limit, so that the service sees that it is too large."""
    data: bytes = request.stream.read(limit + 1)
    if len(data) > limit:
        while request.stream.read(_BLOCK_BYTES):
            pass  # a client that is still sending does not read the response
    return data


def respond(content: dict[str, Any], status: int) -> AMLResponse:
    """A response in JSON."""
    return AMLResponse(content, status, json_str=True)


rawhttp(run)  # makes the server pass requests as they are
