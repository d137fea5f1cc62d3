"""Folders in the workspace's datastores, which a run reads like folders of its machine."""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from pianoroll_seq2seq.errors import SettingsError

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
                f"datastore must be a name of letters, digits and underscores, got {self.datastore!r}. The workspace "
                f"lists its datastores."
            )
        parts = self.path.rstrip("/").split("/")
        if not all(parts) or {".", ".."} & set(parts) or "\\" in self.path:
            raise SettingsError(
                f"path must be relative to the root of the datastore, such as music/midi, got {self.path!r}."
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
            raise SettingsError(f"Expected azureml://datastores/NAME/paths/PATH, got {uri!r}.")
        return cls(found["datastore"], found["path"], access)

    @property
    def uri(self) -> str:
        """Its address in Azure ML."""
        return f"azureml://datastores/{self.datastore}/paths/{self.path}"


def input_name(option: str) -> str:
    """The service's name for the folder of an option: ``midi_dir`` for ``--midi-dir``."""
    return option.lstrip("-").replace("-", "_")
