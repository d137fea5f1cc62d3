"""Folders in the workspace's datastores, which a run is handed as if they lay on its machine."""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from pianoroll_seq2seq.errors import SettingsError

Access = Literal["mount", "download"]
_URI = re.compile(r"azureml://datastores/(?P<datastore>[^/]+)/paths/(?P<path>.+)")


@dataclass(frozen=True)
class StoredFolder:
    """A folder in a datastore.

    Args:
        datastore: the datastore's name in the workspace.
        path: of the folder, from the datastore's root.
        access: ``mount`` reads each file when it is opened; ``download`` copies all of them before the script starts,
            which is quicker where files are many and small, and read more than once.

    Raises:
        SettingsError: no such name or path can be.
    """

    datastore: str
    path: str
    access: Access = "mount"

    def __post_init__(self) -> None:
        """Checks what can be checked without asking the service."""
        if not re.fullmatch(r"[A-Za-z0-9_]{1,255}", self.datastore):
            raise SettingsError(
                f"datastore must be a name of letters, digits and underscores, got {self.datastore!r}. The workspace "
                f"lists its datastores."
            )
        parts = self.path.rstrip("/").split("/")
        if not all(parts) or {".", ".."} & set(parts) or "\\" in self.path:
            raise SettingsError(
                f"path must lead from the root of the datastore to a folder, such as music/midi, got {self.path!r}."
            )
        if self.access not in get_args(Access):
            raise SettingsError(f"access must be one of {', '.join(get_args(Access))}, got {self.access!r}.")

    @classmethod
    def from_uri(cls, uri: str, *, access: Access = "mount") -> "StoredFolder":
        """The folder that an address names: ``azureml://datastores/NAME/paths/PATH``.

        Raises:
            SettingsError: not such an address.
        """
        found = _URI.fullmatch(uri)
        if found is None:
            raise SettingsError(f"Expected azureml://datastores/NAME/paths/PATH, got {uri!r}.")
        return cls(found["datastore"], found["path"], access)

    @property
    def uri(self) -> str:
        """Its address, as Azure ML writes it."""
        return f"azureml://datastores/{self.datastore}/paths/{self.path}"


def input_name(option: str) -> str:
    """What the service calls the folder that a script gets by an option: ``midi_dir`` for ``--midi-dir``."""
    return option.lstrip("-").replace("-", "_")
