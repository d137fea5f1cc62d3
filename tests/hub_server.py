"""A stand-in for the Hugging Face Hub on this machine: the part of its HTTP API that sends and opens models."""

import base64
import hashlib
import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml

WRITER, READER = "hf_writer", "hf_reader"
"""Tokens of the user ``somebody``, with and without the right to write."""
USER = "somebody"


@dataclass
class Repo:
    """A model: its commits, and the commit of each branch."""

    private: bool = False
    gated: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=lambda: {"0" * 40: {}})
    branches: dict[str, str] = field(default_factory=lambda: {"main": "0" * 40})

    def commit(self, branch: str, files: dict[str, bytes]) -> str:
        files = self.commits[self.branches[branch]] | files
        sha = hashlib.sha1(repr((len(self.commits), sorted(files.items()))).encode()).hexdigest()
        self.commits[sha] = files
        self.branches[branch] = sha
        return sha


@dataclass(frozen=True)
class Refusal(Exception):
    """An answer that the client turns into an error."""

    status: int
    code: str = ""
    message: str = ""
    url: str = ""


class HubServer:
    """The Hub's models, and all that was asked of it."""

    def __init__(self, *, large_files: bool = True) -> None:
        """``large_files``: weights are sent by Git LFS, and otherwise in the commit."""
        self.large_files = large_files
        self.repos: dict[str, Repo] = {}
        self.blobs: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.broken = False
        outer = self

        class Handler(_Handler):
            hub = outer

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator["HubServer"]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    @contextmanager
    def used(self, monkeypatch: pytest.MonkeyPatch, cache: Any) -> Iterator["HubServer"]:
        """Runs it, and lets the client use it, with an empty cache and without a token."""
        from huggingface_hub import constants

        for name, value in {
            "ENDPOINT": self.address,
            "HUGGINGFACE_CO_URL_TEMPLATE": self.address + "/{repo_id}/resolve/{revision}/{filename}",
            "HF_HUB_DISABLE_TELEMETRY": True,
            "HF_HUB_CACHE": str(cache),
            "HF_TOKEN_PATH": str(cache / "token"),
            "HF_HUB_DISABLE_XET": True,  # a protocol of a service of its own
            "HF_HUB_OFFLINE": False,
        }.items():
            monkeypatch.setattr(constants, name, value)
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        with self.running():
            yield self

    # What the API does.

    def create(self, user: str, body: Any) -> Any:
        name = f"{body.get('organization') or USER}/{body['name']}"
        if user != "writer" or not name.startswith(f"{USER}/"):
            raise Refusal(
                403 if user else 401, message="You don't have the rights to create a model under this namespace"
            )
        if name in self.repos:
            raise Refusal(409, message="You already created this model repo", url=f"{self.address}/{name}")
        self.repos[name] = Repo(private=body.get("visibility") == "private")
        return {"url": f"{self.address}/{name}", "name": name}

    def found(self, name: str, user: str, *, writes: bool = False) -> Repo:
        repo = self.repos.get(name)
        if repo is None or (repo.private and not user):
            raise Refusal(404 if user else 401, "RepoNotFound", "Repository not found")
        if repo.gated and not writes and user != "writer":
            raise Refusal(403 if user else 401, "GatedRepo", "Access to this model is restricted")
        if writes and user != "writer":
            raise Refusal(403 if user else 401, message="You need write access")
        return repo

    def sha_of(self, repo: Repo, revision: str) -> str:
        sha = repo.branches.get(revision, revision)
        if sha not in repo.commits:
            raise Refusal(404, "RevisionNotFound", "Invalid rev id")
        return sha

    def commit(self, name: str, branch: str, lines: list[Any]) -> Any:
        files = {}
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.blobs[value["oid"]]
        sha = self.repos[name].commit(branch, files)
        return {"commitUrl": f"{self.address}/{name}/commit/{sha}", "commitOid": sha, "success": True}


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        """Keeps quiet."""

    def answer(self, status: int, data: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            data = b""
            while size := int(self.rfile.readline(), 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def user(self) -> str:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token not in ("", WRITER, READER):
            raise Refusal(401, message="Invalid credentials in Authorization header")
        return token.removeprefix("hf_")

    def respond(self) -> None:
        data = self.body()
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        try:
            self.route(path.strip("/").split("/"), data)
        except Refusal as refusal:
            text = json.dumps({"error": refusal.message, "url": refusal.url}).encode()
            code = {"X_Error_Code": refusal.code} if refusal.code else {}
            self.answer(refusal.status, text, X_Error_Message=refusal.message, **code)

    do_GET = do_HEAD = do_POST = do_PUT = respond

    def json(self, value: Any) -> None:
        self.answer(200, json.dumps(value).encode(), Content_Type="application/json")

    def route(self, parts: list[str], data: bytes) -> None:
        match parts:
            case _ if self.hub.broken:
                raise Refusal(500, message="Internal error")
            case ["api", "repos", "create"]:
                self.json(self.hub.create(self.user(), json.loads(data)))
            case ["api", "validate-yaml"]:
                self.json(_validated(json.loads(data)["content"]))
            case ["api", "models", owner, name, *rest]:
                self.model(f"{owner}/{name}", rest, data)
            case [owner, name, "info", "lfs", "objects", "batch"]:
                self.hub.found(f"{owner}/{name.removesuffix('.git')}", self.user(), writes=True)
                self.json({"transfer": "basic", "objects": [self.upload(item) for item in json.loads(data)["objects"]]})
            case ["lfs", oid]:
                assert hashlib.sha256(data).hexdigest() == oid
                self.hub.blobs[oid] = data
                self.answer(200)
            case [owner, name, "resolve", revision, *path]:
                self.file(self.hub.found(f"{owner}/{name}", self.user()), revision, "/".join(path))
            case _:
                raise Refusal(404, message="Not in the stand-in")

    def upload(self, item: Any) -> Any:
        return item | {"actions": {"upload": {"href": f"{self.hub.address}/lfs/{item['oid']}", "header": {}}}}

    def model(self, name: str, rest: list[str], data: bytes) -> None:
        writes = bool(rest) and rest[0] in ("preupload", "commit", "branch")
        repo = self.hub.found(name, self.user(), writes=writes)
        match rest:
            case [] | ["revision", _]:
                sha = self.hub.sha_of(repo, rest[1] if rest else "main")
                siblings = [{"rfilename": path} for path in repo.commits[sha]]
                self.json({"id": name, "sha": sha, "private": repo.private, "siblings": siblings, "tags": []})
            case ["branch", branch]:
                if branch in repo.branches:
                    raise Refusal(409, message="Reference already exists")
                repo.branches[branch] = repo.branches["main"]
                self.json({})
            case ["preupload", _]:
                self.json({"files": [self.mode(file) for file in json.loads(data)["files"]]})
            case ["commit", branch]:
                self.json(self.hub.commit(name, branch, [json.loads(line) for line in data.splitlines()]))
            case ["tree", revision]:
                files = repo.commits[self.hub.sha_of(repo, revision)]
                self.json([self.entry(path, data) for path, data in files.items()])
            case _:
                raise Refusal(404, message="Not in the stand-in")

    def mode(self, file: Any) -> Any:
        is_large = self.hub.large_files and file["path"].endswith(".safetensors")
        return {"path": file["path"], "uploadMode": "lfs" if is_large else "regular", "shouldIgnore": False}

    def entry(self, path: str, data: bytes) -> Any:
        sha1 = hashlib.sha1(data).hexdigest()
        large = {"lfs": {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}}
        return {"type": "file", "path": path, "size": len(data), "oid": sha1} | (
            large if self.hub.large_files and path.endswith(".safetensors") else {}
        )

    def file(self, repo: Repo, revision: str, path: str) -> None:
        sha = self.hub.sha_of(repo, revision)
        if path not in repo.commits[sha]:
            raise Refusal(404, "EntryNotFound", "Entry not found")
        data = repo.commits[sha][path]
        self.answer(200, data, X_Repo_Commit=sha, ETag=f'"{hashlib.sha256(data).hexdigest()}"')


def _validated(page: str) -> Any:
    """Whether the front matter of a page has what the Hub knows."""
    _, head, _ = page.split("---\n", 2)
    facts = yaml.safe_load(head)
    kinds: dict[str, type] = defaultdict(lambda: str, tags=list)
    wrong = [name for name, value in facts.items() if not isinstance(value, kinds[name])]
    if wrong:
        raise Refusal(400, message=f"Invalid metadata: {wrong}")
    return {"errors": [], "warnings": []}
