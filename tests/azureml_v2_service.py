"""A stand-in for the Azure services that the client of SDK v2 needs, added to the stand-in for that of v1.

The resource manager keeps jobs, code, environments and models, for tests to check.
"""

import os
import re
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import azureml_service
from azureml_service import Metric, Request, Service

_CLIENT = """
import time
import azureml_service
from azure.ai.ml import MLClient
from azure.core.credentials import AccessToken
from pianoroll_seq2seq.backends.azureml import StoredFolder, find_submission, register_checkpoint, submit
from pianoroll_seq2seq.errors import MissingExtraError, SettingsError

class Credential:
    def get_token(self, *scopes, **options):
        return AccessToken(azureml_service.token(), int(time.time()) + 3600)

workspace = MLClient(Credential(), "sub", "group", "ws")
"""
_ARM = r"^management\.azure\.com(?P<id>/subscriptions/[^?]*/workspaces/ws"
_REGION = "^" + re.escape(azureml_service.REGION)
_RUN = _REGION + r"/history/.*/runs/(?P<run>[^/?]*)"
_CONTAINER = "https://account.blob.core.windows.net/stored"
_BLOB = r"^account\.blob\.core\.windows\.net/stored/(?P<key>[^?]*)(\?(?P<query>.*))?$"

Answer = azureml_service.Answer
kept: dict[str, dict[str, Any]] = {}
"""Resources by their id."""


@contextmanager
def running(folder: Path) -> Iterator[Service]:
    """The service, with a workspace that has a cluster."""
    kept.clear()
    with azureml_service.running(folder) as service:
        service.routes[:0] = _ROUTES
        service.add_cluster("cluster")
        yield service


def run(service: Service, script: str) -> str:
    """Runs a script that has a ``workspace`` and the backend's functions; returns what it prints."""
    environment = {name: value for name, value in service.environment().items() if not name.startswith("AZUREML_")}
    environment |= {"PYTHONPATH": os.fspath(Path(__file__).parent), "SSL_CERT_FILE": str(service.folder / "ca.pem")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _CLIENT + script],
        env=environment,
        cwd=service.folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not service.unknown
    return done.stdout


def sent(kind: str) -> list[dict[str, Any]]:
    """The properties of all resources of a kind, such as ``jobs``."""
    return [resource["properties"] for name, resource in kept.items() if f"/{kind}/" in name]


def _put(service: Service, request: Request, found: re.Match[str]) -> Answer:
    name = found["id"].rpartition("/")[2]
    content = {"id": found["id"], "name": name, "type": "x", "systemData": {}, **request.json}
    if "/jobs/" in found["id"]:
        studio = {"Studio": {"jobServiceType": "Studio", "endpoint": f"{service.url}/runs/{name}"}}
        content["properties"] |= {"status": "Starting", "services": studio}
    if "/models/" in found["id"]:
        content["properties"].setdefault("flavors", {})
    kept[found["id"]] = content
    return 201, content, {}


def _get(service: Service, request: Request, found: re.Match[str]) -> Answer:
    name = found["id"].rpartition("/")[2]
    if found["id"] in kept:
        if name in service.statuses:
            kept[found["id"]]["properties"]["status"] = service.statuses[name][0]
        return 200, kept[found["id"]], {}
    if "/computes/" in found["id"] and name in service.targets:
        return 200, service.targets[name] | {"id": found["id"]}, {}
    if found["id"].endswith("/versions"):
        return 200, {"value": [each for key, each in kept.items() if key.startswith(found["id"])]}, {}
    return 404, {"error": {"code": "NotFound", "message": "No such resource."}}, {}


def _cancel(service: Service, request: Request, found: re.Match[str]) -> Answer:
    kept[found["id"]]["properties"]["status"] = "Canceled"
    service.cancelled.append(found["id"].rpartition("/")[2])
    return 200, {}, {}


def _pending_upload(service: Service, request: Request, found: re.Match[str]) -> Answer:
    credential = {"credentialType": "SAS", "sasUri": f"{_CONTAINER}?sv=1&sig=c2lnbmF0dXJl"}
    reference = {"blobUri": _CONTAINER, "storageAccountArmId": "x", "credential": credential}
    content = {"blobReferenceForConsumption": reference, "pendingUploadType": "TemporaryBlobReference"}
    return 200, content, {}


def _put_blob(service: Service, request: Request, found: re.Match[str]) -> Answer:
    if "comp=metadata" in (found["query"] or ""):
        return 200, b"", {"ETag": '"0x1"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
    return azureml_service._put_blob(service, request, found)


def _discovery(service: Service, request: Request, found: re.Match[str]) -> Answer:
    """With https, without which the client does not send its token."""
    return 200, dict.fromkeys(("api", "history", "experimentation", "studio"), f"https://{azureml_service.REGION}"), {}


def _datastore(service: Service, request: Request, found: re.Match[str]) -> Answer:
    if found["id"].rpartition("/")[2] not in (*service.datastores, "workspaceartifactstore"):
        return 404, {"error": {"code": "NotFound", "message": "No such datastore."}}, {}
    account = {"accountName": "account", "containerName": "stored", "endpoint": "core.windows.net", "protocol": "https"}
    kind = {"datastoreType": "AzureBlob", "credentials": {"credentialsType": "AccountKey"}}
    return 200, {"id": found["id"], "name": "workspaceblobstore", "properties": kind | account}, {}


def _secrets(service: Service, request: Request, found: re.Match[str]) -> Answer:
    return 200, {"secretsType": "AccountKey", "key": "c2VjcmV0"}, {}


def _listed(service: Service, request: Request, found: re.Match[str]) -> Answer:
    """The files of a run, as MLflow's plug-in lists them."""
    prefix = f"dcid.{found['run']}/"
    paths = sorted(key.removeprefix(prefix) for key in service.files if key.startswith(prefix))
    return 200, {"value": [azureml_service._artifact(prefix[:-1], path) for path in paths]}, {}


def _content(service: Service, request: Request, found: re.Match[str]) -> Answer:
    path = urllib.parse.parse_qs(request.path.partition("?")[2])["path"][0]
    return azureml_service._content(service, request, {"container": f"dcid.{found['run']}", "path": path})


def _created(service: Service, request: Request, found: re.Match[str]) -> Answer:
    return azureml_service._artifacts(service, request, {"container": f"dcid.{found['run']}"})


def _artifact_uri(run: str) -> str:
    """Where MLflow's plug-in finds the files of a run."""
    place = f"{azureml_service.REGION}/mlflow/v2.0{azureml_service.WORKSPACE}"
    return f"azureml://{place}/experiments/experiment/runs/{run}/artifacts"


def _mlflow(service: Service, request: Request, found: re.Match[str]) -> Answer:
    """MLflow's REST API, which a workspace offers too, without the logged models of MLflow 3."""
    if found["what"].startswith("logged-models"):
        return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "No such address."}, {}
    body = request.json if request.body else {}
    run = body.get("run_id") or urllib.parse.parse_qs(request.path.partition("?")[2])["run_id"][0]
    service.metrics += [Metric(run, each["key"], each["step"], each["value"]) for each in body.get("metrics", [])]
    service.tags.setdefault(run, {}).update({each["key"]: each["value"] for each in body.get("params", [])})
    if "status" in body:
        service.statuses[run] = [body["status"]]
    mine = [metric for metric in service.metrics if metric.run == run]
    values = [{"key": each.name, "value": each.value, "step": each.step, "timestamp": 1} for each in mine]
    if found["what"] == "metrics/get-history":
        name = urllib.parse.parse_qs(request.path.partition("?")[2])["metric_key"][0]
        return 200, {"metrics": [value for value in values if value["key"] == name]}, {}
    info = {"run_id": run, "run_uuid": run, "experiment_id": "1", "status": service.statuses.get(run, ["RUNNING"])[0]}
    info |= {"artifact_uri": _artifact_uri(run), "lifecycle_stage": "active"}
    params = [{"key": key, "value": value} for key, value in service.tags[run].items()]
    return 200, {"run": {"info": info, "data": {"metrics": values, "params": params}}, "run_info": info}, {}


_ROUTES: list[azureml_service.Route] = [
    ("GET", r"^/discovery", _discovery),
    ("GET", _REGION + r"/history/.*/runs/(?P<run>[^/?]*)/details", azureml_service._details),
    ("GET", _REGION + r"/history/.*/runs/(?P<run>[^/?]*)$", azureml_service._run),
    *((method, _REGION + r"/mlflow/.*/api/2\.0/mlflow/(?P<what>[^?]*)", _mlflow) for method in ("GET", "POST")),
    ("GET", _RUN + r"/artifacts(\?|$)", _listed),
    ("GET", _RUN + r"/artifacts/contentinfo\?", _content),
    ("POST", _RUN + r"/artifacts/batch/metadata", _created),
    ("GET", _ARM + r"/datastores/[^/?]*)", _datastore),
    ("POST", _ARM + r"/datastores/[^/?]*)/listSecrets", _secrets),
    ("POST", _ARM + r"/.*)/startPendingUpload", _pending_upload),
    ("POST", _ARM + r"/jobs/[^/?]*)/cancel", _cancel),
    ("PUT", _ARM + r"/(?:jobs|codes|environments|models)/[^?]*)", _put),
    ("GET", _ARM + r"/(?:jobs|codes|environments|models|computes)/[^?]*)", _get),
    ("PUT", _BLOB, _put_blob),
    ("HEAD", _BLOB, azureml_service._get_blob),
]
