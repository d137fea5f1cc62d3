"""Runs scripts against the stand-in of Azure ML, each in a process of its own.

The client reads its environment when it is imported, and keeps global connections.
"""

import subprocess
import sys
from pathlib import Path

from azureml_service import Service

_BEGIN = """
import azureml_service
from azureml.core import Workspace
from azureml.core.authentication import TokenAuthentication
from pianoroll_seq2seq.backends.azureml import StoredFolder, ensure_cluster, register_checkpoint, submit
from pianoroll_seq2seq.errors import MissingExtraError, SettingsError
workspace = Workspace(
    "sub", "group", "ws", auth=TokenAuthentication(lambda audience: azureml_service.token()),
    _location="westeurope", _disable_service_check=True,
)
"""


def run(service: Service, script: str) -> str:
    """Runs a script that has a ``workspace`` and the backend's functions; returns what it prints."""
    environment = {name: value for name, value in service.environment().items() if not name.startswith("AZUREML_")}
    done = subprocess.run(
        [sys.executable, "-c", _BEGIN + script],
        env=environment | {"PYTHONPATH": str(Path(__file__).parent)},
        cwd=service.folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not service.unknown
    return done.stdout
