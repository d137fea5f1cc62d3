"""A stand-in for the Azure ML service on loopback, for the real client to talk to.

It answers the requests of azureml-core when a submitted run logs metrics and files, and when a script is submitted.
It keeps everything that arrives, for tests to check. It is also the proxy for blob storage and the resource manager,
which the client reaches under their public names, with a certificate of its own.
"""

import base64
import hashlib
import io
import json
import os
import re
import ssl
import threading
import time
import urllib.parse
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

WORKSPACE = "/subscriptions/sub/resourceGroups/group/providers/Microsoft.MachineLearningServices/workspaces/ws"
REGION = "westeurope.api.azureml.ms"
HOSTS = ("account.blob.core.windows.net", "management.azure.com", "login.microsoftonline.com", REGION)


@dataclass(frozen=True)
class Metric:
    """One value as it arrived."""

    run: str
    name: str
    step: int | None
    value: Any


@dataclass(frozen=True)
class Request:
    """One request as it arrived."""

    method: str
    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Fault = Callable[[Request], int | tuple[int, str] | None]
"""Returns the status, and optionally the message, with which a request fails; None to answer it."""


@dataclass
class Service:
    """Everything that the service has received."""

    url: str
    folder: Path
    requests: list[Request] = field(default_factory=list)
    metrics: list[Metric] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    blocks: dict[str, bytes] = field(default_factory=dict)
    kinds: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    events: list[tuple[str, str]] = field(default_factory=list)
    targets: dict[str, dict[str, Any]] = field(default_factory=dict)
    statuses: dict[str, list[str]] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    definitions: dict[str, dict[str, Any]] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    models: list[dict[str, Any]] = field(default_factory=list)
    assets: list[dict[str, Any]] = field(default_factory=list)
    datastores: tuple[str, ...] = ("workspaceblobstore", "music")
    missing_runs: set[str] = field(default_factory=set)
    operation: dict[str, Any] = field(default_factory=lambda: {"status": "Succeeded"})
    routes: list["Route"] = field(default_factory=lambda: list(_ROUTES))
    unknown: list[str] = field(default_factory=list)
    fault: Fault | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def environment(self, run_id: str = "run-1", **changes: str) -> dict[str, str]:
        """The environment of a submitted run; HOME is a folder of the test's, for the client keeps files there."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return (
            {name: value for name, value in os.environ.items() if not name.startswith("AZUREML_")}
            | self.proxied()
            | {
                "HOME": str(home),
                "AZUREML_ARM_SUBSCRIPTION": "sub",
                "AZUREML_ARM_RESOURCEGROUP": "group",
                "AZUREML_ARM_WORKSPACE_NAME": "ws",
                "AZUREML_ARM_PROJECT_NAME": "scale-chords",
                "AZUREML_RUN_ID": run_id,
                "AZUREML_EXPERIMENT_ID": "experiment-id",
                "AZUREML_WORKSPACE_ID": "workspace-id",
                "AZUREML_RUN_TOKEN": token(),
                "AZUREML_SERVICE_ENDPOINT": self.url,
                "AZUREML_DISCOVERY_SERVICE_ENDPOINT": f"{self.url}/discovery",
            }
            | changes
        )

    def proxied(self) -> dict[str, str]:
        """What sends requests to public names here."""
        return {
            "HTTPS_PROXY": self.url,
            "NO_PROXY": "127.0.0.1",
            "REQUESTS_CA_BUNDLE": str(self.folder / "ca.pem"),
        }

    def add_cluster(self, name: str, *, vm_size: str = "STANDARD_NC4AS_T4_V3", nodes: int = 2, **changes: Any) -> None:
        """A cluster that the workspace has already."""
        scale = {"minNodeCount": 0, "maxNodeCount": nodes, "nodeIdleTimeBeforeScaleDown": "PT300S"}
        sized = {"vmSize": vm_size, "vmPriority": "Dedicated", "scaleSettings": scale, "subnet": None} | changes
        self.targets[name] = _target_dto(name, {"computeType": "AmlCompute", "properties": sized})

    def values(self, name: str, run: str = "run-1") -> dict[int | None, Any]:
        """The values of a metric by step; every step must have come once."""
        found = [metric for metric in self.metrics if (metric.run, metric.name) == (run, name)]
        steps = [metric.step for metric in found]
        assert len(steps) == len(set(steps)), f"{name} came twice for a step: {sorted(map(str, steps))}"
        return {metric.step: metric.value for metric in found}

    def sent(self, method: str, pattern: str) -> list[Request]:
        """The requests of a method whose path matches."""
        return [each for each in self.requests if each.method == method and re.search(pattern, each.path)]


def token() -> str:
    """A token whose claims can be read; nobody checks its signature."""

    def part(content: Mapping[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    claims = {"exp": int(time.time()) + 86_400, "tid": "tenant", "oid": "user", "aud": "x", "iss": "x"}
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}.c2VjcmV0"


@contextmanager
def running(folder: Path) -> Iterator[Service]:
    """The service, for as long as the context lasts."""
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*HOSTS).configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    service = Service(f"http://127.0.0.1:{server.server_address[1]}", folder)
    _Handler.service, _Handler.context = service, context
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: Service
    context: ssl.SSLContext
    host = ""

    def do_CONNECT(self) -> None:  # the client's name for it
        self.send_response(200)
        self.end_headers()
        self.host = self.path.split(":")[0]
        try:
            self.connection = self.context.wrap_socket(self.connection, server_side=True)
        except (ssl.SSLError, OSError):
            self.close_connection = True
            return
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
        self.close_connection = False

    def finish(self) -> None:
        super().finish()
        self.connection.close()  # the one under encryption, which the server does not know

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_PATCH = do_HEAD = do_DELETE = do_GET

    def _answer(self) -> None:
        request = Request(self.command, self.host + urllib.parse.unquote(self.path), self._body(), self.headers)
        service = self.service
        with service.lock:
            service.requests.append(request)
        fault = service.fault(request) if service.fault else None
        if fault is not None:
            status, message = fault if isinstance(fault, tuple) else (fault, f"answered {fault}")
            error = {"error": {"code": "Fault", "message": message, "details": []}, "details": []}
            self._send(status, error)
            return
        for method, pattern, answer in service.routes:
            found = re.search(pattern, request.path)
            if method == request.method and found:
                with service.lock:
                    code, content, headers = answer(service, request, found)
                self._send(code, content, headers)
                return
        service.unknown.append(f"{request.method} {request.path}")
        error = {"error": {"code": "NotFound", "message": "the stand-in does not know this", "details": []}}
        self._send(404, error)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _send(self, status: int, content: Any = None, headers: Mapping[str, str] | None = None) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | dict(headers or {})).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        """Nothing on the terminal."""


Answer = tuple[int, Any, Mapping[str, str]]
_PLAIN: Mapping[str, str] = {}


def _discovery(service: Service, request: Request, found: re.Match[str]) -> Answer:
    names = ("api", "experimentation", "history", "hyperdrive", "modelmanagement", "studio", "pipelines", "catalog")
    return 200, dict.fromkeys(names, service.url), _PLAIN


def _run(service: Service, request: Request, found: re.Match[str]) -> Answer:
    run = found["run"]
    if run in service.missing_runs:
        return 404, {"error": {"code": "UserError", "message": "No such run.", "details": []}}, _PLAIN
    if request.method == "PATCH":
        service.tags.setdefault(run, {}).update(request.json.get("tags") or {})
    statuses = service.statuses.get(run, ["Running"])
    return 200, _run_dto(service, run, statuses[0]), _PLAIN


def _run_dto(service: Service, run: str, status: str) -> dict[str, Any]:
    return {
        "runId": run,
        "runNumber": 1,
        "runType": "azureml.scriptrun",
        "rootRunId": run,
        "status": status,
        "experimentId": "experiment-id",
        "dataContainerId": f"dcid.{run}",
        "tags": service.tags.get(run, {}),
        "properties": {},
        "startTimeUtc": "2026-01-01T00:00:00Z",
        "cancelUri": f"{service.url}/execution/v1.0/cancel/{run}",
        "endTimeUtc": "2026-01-01T00:01:00Z" if status in ("Completed", "Failed", "Canceled") else None,
    }


def _metrics(service: Service, request: Request, found: re.Match[str]) -> Answer:
    for metric in request.json["values"]:
        kind = {"columns": metric["columns"], "properties": metric["properties"]}
        service.kinds[found["run"], metric["name"]] = kind
        for value in metric["value"]:
            data = value["data"]
            step = value.get("step")
            single = data[metric["name"]] if set(data) == {metric["name"]} else data
            service.metrics.append(Metric(found["run"], metric["name"], step, single))
    return 200, {"errors": []}, _PLAIN


def _metric_names(service: Service, request: Request, found: re.Match[str]) -> Answer:
    names = {metric.name for metric in service.metrics if metric.run == found["run"]}
    keys = [{"metricKey": {"name": name, "dataContainerId": "x"}, "columns": {name: "Double"}} for name in names]
    return 200, {"value": keys}, _PLAIN


def _metric_values(service: Service, request: Request, found: re.Match[str]) -> Answer:
    name = request.json["metricName"]
    chosen = [each for each in service.metrics if (each.run, each.name) == (found["run"], name)]
    values = [
        {
            "metricId": str(number),
            "createdUtc": "2026-01-01T00:00:00Z",
            "step": each.step,
            "data": each.value if isinstance(each.value, dict) else {name: each.value},
        }
        for number, each in enumerate(chosen)
    ]
    return 200, {"name": name, "dataContainerId": "x", "value": values, **service.kinds[found["run"], name]}, _PLAIN


def _artifacts(service: Service, request: Request, found: re.Match[str]) -> Answer:
    container, paths = found["container"], [each["path"] for each in request.json["paths"]]
    taken = [path for path in paths if f"{container}/{path}" in service.files]
    errors = {
        path: {"error": {"code": "UserError", "message": "Resource Conflict: ArtifactId already exists."}}
        for path in taken
    }
    artifacts = {path: _artifact(container, path) for path in paths if path not in taken}
    for path in artifacts:
        service.files[f"{container}/{path}"] = b""
    uris = {path: {**_artifact(container, path), "contentUri": _uri(container, path)} for path in artifacts}
    return 200, {"artifacts": artifacts, "artifactContentInformation": uris, "errors": errors}, _PLAIN


def _artifact(container: str, path: str) -> dict[str, Any]:
    return {
        "artifactId": f"ExperimentRun/{container}/{path}",
        "origin": "ExperimentRun",
        "container": container,
        "path": path,
    }


def _uri(container: str, path: str) -> str:
    quoted = urllib.parse.quote(path)
    return f"https://account.blob.core.windows.net/azureml/ExperimentRun/{container}/{quoted}?sv=1&sig=c2lnbmF0dXJl"


def _listed(service: Service, request: Request, found: re.Match[str]) -> Answer:
    container = found["container"]
    paths = [key.removeprefix(f"{container}/") for key in service.files if key.startswith(f"{container}/")]
    return 200, {"value": [_artifact(container, path) for path in sorted(paths)]}, _PLAIN


def _content(service: Service, request: Request, found: re.Match[str]) -> Answer:
    container, path = found["container"], found["path"]
    if f"{container}/{path}" not in service.files:
        return 404, {"error": {"code": "UserError", "message": "No such artifact.", "details": []}}, _PLAIN
    return 200, {**_artifact(container, path), "contentUri": _uri(container, path)}, _PLAIN


def _contents(service: Service, request: Request, found: re.Match[str]) -> Answer:
    container, prefix = found["container"], found["path"].rstrip("/")
    paths = [key.removeprefix(f"{container}/") for key in service.files if key.startswith(f"{container}/{prefix}")]
    return 200, {"value": [{**_artifact(container, p), "contentUri": _uri(container, p)} for p in paths]}, _PLAIN


def _put_blob(service: Service, request: Request, found: re.Match[str]) -> Answer:
    key, query = found["key"], urllib.parse.parse_qs(found["query"] or "")
    component = query.get("comp", [""])[0]
    if component == "block":
        service.blocks[f"{key} {query['blockid'][0]}"] = request.body
    elif component == "blocklist":
        ids = re.findall(r"<(?:Latest|Uncommitted)>(.*?)</", request.body.decode())
        service.files[key] = b"".join(service.blocks.pop(f"{key} {each}") for each in ids)
    else:
        service.files[key] = request.body
    digest = base64.b64encode(hashlib.md5(request.body, usedforsecurity=False).digest()).decode()
    return 201, b"", {"ETag": '"0x1"', "Content-MD5": digest, "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}


def _get_blob(service: Service, request: Request, found: re.Match[str]) -> Answer:
    content = service.files.get(found["key"])
    if content is None:
        return 404, b"", _PLAIN
    digest = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    headers = {
        "ETag": '"0x1"',
        "Content-MD5": digest,
        "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT",
        "x-ms-blob-type": "BlockBlob",
        "Content-Type": "application/octet-stream",
    }
    requested = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("x-ms-range", ""))
    if requested is None or not content:
        return (416, b"", headers) if requested else (200, content, headers)
    first, last = int(requested[1]), min(int(requested[2] or len(content)), len(content) - 1)
    return 206, content[first : last + 1], headers | {"Content-Range": f"bytes {first}-{last}/{len(content)}"}


def _fine(service: Service, request: Request, found: re.Match[str]) -> Answer:
    return 200, {}, _PLAIN


def _event(service: Service, request: Request, found: re.Match[str]) -> Answer:
    service.events.append((found["run"], request.json.get("name", "")))
    return 200, {}, _PLAIN


def _resource_manager(service: Service, request: Request, found: re.Match[str]) -> Answer:
    if "/metadata/endpoints" in request.path:
        return 200, [], _PLAIN  # the client has the public cloud built in
    if re.search(r"/workspaces/ws(\?|$)", request.path):
        properties = {"discoveryUrl": f"{service.url}/discovery", "workspaceId": "workspace-id", "friendlyName": "ws"}
        properties["mlFlowTrackingUri"] = f"azureml://{REGION}/mlflow/v1.0{WORKSPACE}"
        content = {"id": WORKSPACE, "name": "ws", "location": "westeurope", "properties": properties}
        return 200, content, _PLAIN
    subscription = {"id": "/subscriptions/sub", "subscriptionId": "sub", "displayName": "sub", "state": "Enabled"}
    return 200, {"value": [{**subscription, "tenantId": "tenant"}]}, _PLAIN


def _details(service: Service, request: Request, found: re.Match[str]) -> Answer:
    statuses = service.statuses.get(found["run"], ["Completed"])
    status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
    logs = {"user_logs/std_log.txt": f"{service.url}/logs/{found['run']}"} if found["run"] in service.logs else {}
    details = {"runId": found["run"], "target": "cluster", "status": status, "logFiles": logs, "properties": {}}
    if found["run"] in service.definitions:
        details["runDefinition"] = service.definitions[found["run"]]
    return 200, details, _PLAIN


def _log(service: Service, request: Request, found: re.Match[str]) -> Answer:
    return 200, service.logs[found["run"]].encode(), {"Content-Type": "text/plain"}


def _cancel(service: Service, request: Request, found: re.Match[str]) -> Answer:
    service.cancelled.append(found["run"])
    service.statuses[found["run"]] = ["Canceled"]
    return 200, {}, _PLAIN


def _experiment(service: Service, request: Request, found: re.Match[str]) -> Answer:
    return 200, {"experimentId": "experiment-id", "name": found["name"], "tags": {}}, _PLAIN


def _target(service: Service, request: Request, found: re.Match[str]) -> Answer:
    if found["name"] not in service.targets:
        return 404, {"error": {"code": "NotFound", "message": "No such compute.", "details": []}}, _PLAIN
    return 200, service.targets[found["name"]], _PLAIN


def _target_dto(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    whole = {
        "description": None,
        "resourceId": None,
        "provisioningState": "Succeeded",
        "provisioningErrors": None,
        "isAttachedCompute": False,
    }
    running = {"currentNodeCount": 0, "targetNodeCount": 0, "allocationState": "Steady", "errors": None}
    running |= {"nodeStateCounts": None, "allocationStateTransitionTime": "2026-01-01T00:00:00Z"}
    inner = properties.get("properties", {}) | running
    return {
        "id": name,
        "name": name,
        "location": "westeurope",
        "tags": None,
        "properties": whole | properties | {"properties": inner},
    }


def _put_target(service: Service, request: Request, found: re.Match[str]) -> Answer:
    sent = request.json["properties"]
    sent["properties"].setdefault("subnet", None)
    service.targets[found["name"]] = _target_dto(found["name"], sent)
    return 201, service.targets[found["name"]], {"Azure-AsyncOperation": "https://management.azure.com/operations/1"}


def _operation(service: Service, request: Request, found: re.Match[str]) -> Answer:
    return 200, service.operation, _PLAIN


def _vm_sizes(service: Service, request: Request, found: re.Match[str]) -> Answer:
    sizes = [("Standard_D2_v2", 0), ("Standard_NC4as_T4_v3", 1), ("Standard_ND96asr_v4", 8)]
    listed = [
        {"name": name, "vCPUs": 4, "gpus": gpus, "memoryGB": 28, "maxResourceVolumeMB": 1} for name, gpus in sizes
    ]
    return 200, {"amlCompute": listed}, _PLAIN


def _asset(service: Service, request: Request, found: re.Match[str]) -> Answer:
    if request.method == "POST":
        service.assets.append(request.json | {"id": str(len(service.assets))})
        return 200, service.assets[-1], _PLAIN
    named = [asset for asset in service.assets if asset["id"] == found["id"]]
    return 200, named[0] if named else {"value": service.assets}, _PLAIN


def _models(service: Service, request: Request, found: re.Match[str]) -> Answer:
    query = urllib.parse.parse_qs(request.path.partition("?")[2])
    named = [model for model in service.models if model["name"] == query.get("name", [model["name"]])[0]]
    return 200, {"value": named[::-1]}, _PLAIN  # the newest first


def _model(service: Service, request: Request, found: re.Match[str]) -> Answer:
    if request.method == "POST":
        version = 1 + sum(model["name"] == request.json["name"] for model in service.models)
        given = {"createdTime": "2026-01-01T00:00:00Z", "createdBy": None, "version": version}
        given |= {"id": f"{request.json['name']}:{version}", "kvTags": request.json.get("kvTags") or {}}
        service.models.append(request.json | given)
        return 200, service.models[-1], _PLAIN
    named = [model for model in service.models if model["id"] == found["id"]]
    return (200, named[0], _PLAIN) if named else (404, {"code": "ModelNotFound", "details": []}, _PLAIN)


def _datastores(service: Service, request: Request, found: re.Match[str]) -> Answer:
    account = {"accountName": "account", "endpoint": "core.windows.net", "protocol": "https", "credentialType": "None"}
    stores = [
        {"name": name, "dataStoreType": "AzureBlob", "azureStorageSection": account | {"containerName": name}}
        for name in service.datastores
    ]
    return 200, {"value": stores}, _PLAIN


def _latest_snapshot(service: Service, request: Request, found: re.Match[str]) -> Answer:
    root = {
        "name": "",
        "hash": "",
        "type": "Directory",
        "timestamp": "",
        "sasUrl": "",
        "absoluteUrl": "",
        "children": {},
    }
    return 200, {"root": root, "id": "00000000-0000-0000-0000-000000000000"}, _PLAIN


def _snapshot_blobs(service: Service, request: Request, found: re.Match[str]) -> Answer:
    names = request.json["FileNames"]
    return 200, {"fileNodes": [{"fullName": name, "blobUri": _uri("snapshot", name)} for name in names]}, _PLAIN


def _local_run(service: Service, request: Request, found: re.Match[str]) -> Answer:
    """A script for this machine that does nothing."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("azureml-setup/Invocation.sh", "#!/bin/bash\ntrue\n")
    return 200, archive.getvalue(), _PLAIN


def _submitted(service: Service, request: Request, found: re.Match[str]) -> Answer:
    service.definitions[found["run"]] = request.json["Configuration"]
    return 200, {"runId": found["run"], "experimentId": "experiment-id"}, _PLAIN


_BLOB = r"^account\.blob\.core\.windows\.net/azureml/ExperimentRun/(?P<key>[^?]*)(\?(?P<query>.*))?$"
Route = tuple[str, str, Callable[[Service, Request, re.Match[str]], Answer]]
_ROUTES: list[Route] = [
    ("GET", r"^/discovery", _discovery),
    ("GET", r"^/history/v1\.0.*/runs/(?P<run>[^/?]*)$", _run),
    ("GET", r"^/history/v1\.0.*/runs/(?P<run>[^/?]*)/details", _details),
    ("PATCH", r"^/history/v1\.0.*/runs/(?P<run>[^/?]*)$", _run),
    ("POST", r"^/history/v1\.0.*/runs/(?P<run>[^/?]*)/events", _event),
    ("GET", r"^/history/.*/metricsingest/wait", _fine),
    ("POST", r"^/metric/v2\.0.*/runs/(?P<run>[^/?]*)/batch$", _metrics),
    ("POST", r"^/metric/v2\.0.*/runs/(?P<run>[^/?]*)/list", _metric_names),
    ("POST", r"^/metric/v2\.0.*/runs/(?P<run>[^/?]*)/full", _metric_values),
    (
        "POST",
        r"^/artifact/v2\.0.*/artifacts/batch/metadata/(?:ExperimentRun|LocalUpload)/(?P<container>[^/?]*)",
        _artifacts,
    ),
    (
        "GET",
        r"^/artifact/v2\.0.*/prefix/contentinfo/(?:ExperimentRun|LocalUpload)/(?P<container>[^/?]*)/?(?P<path>[^?]*)",
        _contents,
    ),
    ("GET", r"^/artifact/v2\.0.*/contentinfo/ExperimentRun/(?P<container>[^/?]*)/(?P<path>[^?]*)", _content),
    ("GET", r"^/artifact/v2\.0.*/artifacts/ExperimentRun/(?P<container>[^/?]*)", _listed),
    ("GET", r"^/history/v1\.0.*/workspaces/ws/experiment(?:id)?s/(?P<name>[^/?]*)$", _experiment),
    ("POST", r"^/history/v1\.0.*/workspaces/ws/experiments/(?P<name>[^/?]*)$", _experiment),
    ("GET", r"^/rp/workspaces.*/computes/(?P<name>[^/?]*)", _target),
    ("PUT", r"^management\.azure\.com.*/computes/(?P<name>[^/?]*)", _put_target),
    ("GET", r"^management\.azure\.com/operations/", _operation),
    ("GET", r"^management\.azure\.com.*/vmSizes", _vm_sizes),
    ("GET", r"^/logs/(?P<run>[^/?]*)", _log),
    ("POST", r"^/execution/v1\.0/cancel/(?P<run>[^/?]*)", _cancel),
    ("POST", r"^/modelmanagement/v1\.0.*/assets", _asset),
    ("GET", r"^/modelmanagement/v1\.0.*/assets/?(?P<id>[^/?]*)", _asset),
    ("POST", r"^/modelmanagement/v1\.0.*/models", _model),
    ("GET", r"^/modelmanagement/v1\.0.*/models/(?P<id>[^/?]+)", _model),
    ("GET", r"^/modelmanagement/v1\.0.*/models(\?|$)", _models),
    ("GET", r"^/datastore/v1\.0.*/datastores(\?|$)", _datastores),
    ("POST", r"^/execution/v1\.0.*/localrun", _local_run),
    ("GET", r"^/content/v1\.0.*/snapshots/latest/metadata", _latest_snapshot),
    ("POST", r"^/content/v2\.0.*/snapshots/getblob", _snapshot_blobs),
    ("POST", r"^/content/v2\.0.*/snapshots/[^/]*$", _fine),
    ("POST", r"^/execution/v1\.0.*/snapshotrun\?.*runId=(?P<run>[^&]*)", _submitted),
    ("GET", r"^management\.azure\.com/", _resource_manager),
    ("PUT", _BLOB, _put_blob),
    ("HEAD", _BLOB, _get_blob),
    ("GET", _BLOB, _get_blob),
]
