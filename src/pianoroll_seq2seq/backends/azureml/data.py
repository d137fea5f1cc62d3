"""What a run reads: folders of the workspace's datastores, registered models, and files of earlier runs."""

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from pianoroll_seq2seq._internal.redaction import redacted
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.stores.azure_blob.urls import BlobUrl

AccessMode = Literal["mount", "download"]
_URI = re.compile(r"azureml://datastores/(?P<datastore>[^/]+)/paths/(?P<path>.+)")


@dataclass(frozen=True)
class StoredFolder:
    """A folder in a datastore.

    Args:
        datastore: the datastore's name in the workspace.
        path: of the folder, relative to the datastore's root.
        access: ``mount`` reads each file when it is opened; ``download`` copies all of them before the script starts,
            which is faster for many small files that are read more than once.

    Raises:
        SettingsError: an invalid name or path.
    """

    datastore: str
    path: str
    access: AccessMode = "mount"

    def __post_init__(self) -> None:
        """Validates the arguments."""
        if not re.fullmatch(r"[A-Za-z0-9_]{1,255}", self.datastore):
            raise SettingsError(
                f"datastore must be a name of letters, digits and underscores, got {redacted(self.datastore)!r}. The "
                f"workspace lists its datastores."
            )
        parts = self.path.rstrip("/").split("/")
        if not all(parts) or {".", ".."} & set(parts) or {"\\", "?"} & set(self.path):
            raise SettingsError(
                f"path must be relative to the root of the datastore, such as music/midi, got {redacted(self.path)!r}."
            )
        if self.access not in get_args(AccessMode):
            raise SettingsError(f"access must be one of {', '.join(get_args(AccessMode))}, got {self.access!r}.")

    @classmethod
    def from_uri(cls, uri: str, *, access: AccessMode = "mount") -> "StoredFolder":
        """The folder of an address ``azureml://datastores/NAME/paths/PATH``.

        Raises:
            SettingsError: another address.
        """
        found = _URI.fullmatch(uri)
        if found is None:
            raise SettingsError(f"Expected azureml://datastores/NAME/paths/PATH, got {redacted(uri)!r}.")
        return cls(found["datastore"], found["path"], access)

    @property
    def uri(self) -> str:
        """Its address in Azure ML."""
        return f"azureml://datastores/{self.datastore}/paths/{self.path}"


@dataclass(frozen=True)
class RegisteredModel:
    """A model of a workspace.

    Args:
        name: in the workspace.
        version: a number that the workspace assigns, as text.
    """

    name: str
    version: str

    @property
    def uri(self) -> str:
        """Its address in Azure ML."""
        return f"azureml:{self.name}:{self.version}"


@dataclass(frozen=True)
class RunFile:
    """A file of an earlier run.

    Args:
        run_id: the run's name.
        path: of the file among the files of the run, such as ``outputs/run/best.safetensors``.
    """

    run_id: str
    path: str

    @property
    def uri(self) -> str:
        """Its address in Azure ML."""
        return f"azureml://jobs/{self.run_id}/outputs/artifacts/paths/{self.path}"

    @property
    def datastore_uri(self) -> str:
        """The address of the same file in the datastore in which the workspace keeps the files of runs."""
        return f"azureml://datastores/workspaceartifactstore/paths/ExperimentRun/dcid.{self.run_id}/{self.path}"


@dataclass(frozen=True)
class BlobFile:
    """A file or a folder in Azure Blob storage, which the script downloads by itself.

    Args:
        uri: its address, ``https://ACCOUNT.blob.core.windows.net/CONTAINER/PATH``.

    Raises:
        SettingsError: another address, or one that contains a signature.
    """

    uri: str

    def __post_init__(self) -> None:
        """Validates the address."""
        BlobUrl.parse(self.uri)


JobInput: TypeAlias = StoredFolder | RegisteredModel | RunFile | BlobFile
"""What the option of a script can name."""


def input_name(option: str) -> str:
    """The service's name for the folder of an option: ``midi_dir`` for ``--midi-dir``."""
    return option.lstrip("-").replace("-", "_")
