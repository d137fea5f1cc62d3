"""Models on the Hugging Face Hub, by its client ``huggingface_hub``: accounts, caches and revisions are its own."""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from pianoroll_seq2seq import __version__
from pianoroll_seq2seq._internal.redaction import redacted
from pianoroll_seq2seq.errors import (
    CheckpointError,
    CheckpointNotFoundError,
    MissingExtraError,
    PianoRollSeq2SeqError,
    SettingsError,
    StoreAccessError,
    StoreError,
)
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.contract import SequenceModel
from pianoroll_seq2seq.pretrained.cards import LIBRARY, page
from pianoroll_seq2seq.pretrained.folders import CARD, CONFIG, WEIGHTS, read_config, save_pretrained

HUB = "hf://"
"""The beginning of a name that is always one of the Hub: ``hf://user/name``, ``hf://user/name@revision``."""
_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*(?<!\.safetensors)", re.ASCII)
_REFUSED = (401, 403)


def hub_name(source: str | os.PathLike[str]) -> str | None:
    """The name of a model on the Hub, with its revision; None for anything else.

    ``user/name`` is one, unless there is such a file or folder, or a folder ``user`` in which it is missing.

    Example:
        >>> hub_name("hf://somebody/chorales@v1"), hub_name("somebody/chorales"), hub_name("my-model")
        ('somebody/chorales@v1', 'somebody/chorales', None)
    """
    if not isinstance(source, str):
        return None
    if source.startswith(HUB):
        return source.removeprefix(HUB).strip("/")
    is_name = _NAME.fullmatch(source) and not any(map(os.path.exists, (source, os.path.dirname(source))))
    return source if is_name else None


def download(name: str, *, revision: str | None = None, token: str | bool | None = None) -> Path:
    """The folder with the weights and the configuration of a model, in the cache of the client.

    Args:
        name: such as ``user/name``, or ``user/name@revision``.
        revision: a branch, a tag or a commit.
        token: a token of the Hub; the one of ``hf auth login`` by default, none if False.

    Raises:
        MissingExtraError: huggingface_hub is not installed.
        CheckpointNotFoundError: no such model or revision.
        CheckpointError: not a model of this library.
        StoreAccessError: no access to the model.
        StoreError: the Hub cannot be reached, and the model is not in the cache.
        SettingsError: not a name of the Hub, or two revisions.
    """
    name, _, named = name.partition("@")
    if revision is not None and named and named != revision:
        raise SettingsError(f"{HUB}{name}@{named}: has the revision {named!r}, but revision={revision!r} is given too.")
    revision = revision or named or None
    hub = _client("A model of the Hugging Face Hub")
    options = {"token": token, "library_name": LIBRARY, "library_version": __version__}
    with _errors(f"{HUB}{name}", revision):
        folder = Path(hub.snapshot_download(name, revision=revision, allow_patterns=[CONFIG, WEIGHTS], **options))
        missing = [file for file in (CONFIG, WEIGHTS) if not (folder / file).is_file()]
        try:
            for file in missing:  # the Hub has none, or cannot be reached after an earlier download was cut
                hub.hf_hub_download(name, file, revision=folder.name, **options)
        except hub.errors.LocalEntryNotFoundError:
            raise
        except hub.errors.EntryNotFoundError as error:
            raise CheckpointError(
                f"{HUB}{name}: not a model of {LIBRARY}: it has no {' and no '.join(missing)}. Other files are not "
                f"read: a pickle may run any program. Ask its author for the files that push_to_hub writes."
            ) from error
    return folder


def push_to_hub(
    model: SequenceModel,
    name: str,
    *,
    layout: FrameLayout | None = None,
    card: Mapping[str, Any] | None = None,
    private: bool | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
) -> str:
    """Sends a model to the Hugging Face Hub, as the files of ``save_pretrained``; the model's page is written anew.

    Args:
        model: any sequence model with a method ``settings()`` that returns its constructor's arguments.
        name: such as ``user/name``; created if it is missing.
        layout: what the columns of a frame mean; by default the layout that the model was built from.
        card: facts about the model, as for :func:`~pianoroll_seq2seq.pretrained.save_pretrained`.
        private: whether others may not see it; by default the Hub decides.
        revision: the branch, created if it is missing; ``main`` by default.
        token: a token of the Hub that may write; the one of ``hf auth login`` by default.

    Returns:
        The name under which ``open_model`` opens it, such as ``hf://user/name``.

    Raises:
        MissingExtraError: huggingface_hub is not installed.
        StoreAccessError: not logged in, or a token that may not write there.
        StoreError: the Hub cannot be reached, or refuses the files.
        SettingsError: not a name of the Hub; ``private`` is True and the existing one is public; the layout
            is unknown.
        CheckpointError: a model without ``settings()``, or settings or a card that JSON cannot hold.
    """
    hub = _client("push_to_hub")
    name = name.removeprefix(HUB).strip("/")
    api = hub.HfApi(token=token, library_name=LIBRARY, library_version=__version__)
    with tempfile.TemporaryDirectory() as parent:
        folder = save_pretrained(model, Path(parent) / "model", layout=layout, card=card)
        with _errors(f"{HUB}{name}", revision):
            name = api.create_repo(name, private=private, exist_ok=True).repo_id
            if private and not api.model_info(name).private:
                raise SettingsError(f"{HUB}{name}: exists and is public, so private=True cannot be. Nothing was sent.")
            if revision is not None:
                api.create_branch(name, branch=revision, exist_ok=True)
            address = f"{HUB}{name}" if revision is None else f"{HUB}{name}@{revision}"
            text = page(read_config(folder), name=name.rpartition("/")[2], address=address)
            (folder / CARD).write_text(text, encoding="utf-8")
            message = f"{type(model).__name__} of {LIBRARY} {__version__}"
            api.upload_folder(repo_id=name, folder_path=folder, revision=revision, commit_message=message)
    return address


def _client(purpose: str) -> ModuleType:
    try:
        import huggingface_hub
    except ImportError as error:
        raise MissingExtraError("huggingface_hub", "hub", purpose) from error
    return huggingface_hub


@contextmanager
def _errors(label: str, revision: str | None) -> Iterator[None]:
    """Raises the errors of the client as those of this library."""
    from huggingface_hub import errors

    try:
        yield
    except errors.HFValidationError as error:
        raise SettingsError(f"{label}: not a name of a model on the Hub, such as user/name ({error}).") from error
    except errors.RevisionNotFoundError as error:
        raise CheckpointNotFoundError(f"{label}: the Hub has no revision {revision!r} of it.") from error
    except errors.GatedRepoError as error:
        raise StoreAccessError(f"{label}: access must be granted on the Hub's page of the model first.") from error
    except errors.RepositoryNotFoundError as error:
        raise CheckpointNotFoundError(
            f"{label}: the Hub has no such model, or it is private. Check the name; for a private model, log in with "
            f"'hf auth login' or pass token=."
        ) from error
    except errors.HfHubHTTPError as error:
        if error.response.status_code in _REFUSED:
            raise StoreAccessError(
                f"{label}: the Hub refuses access ({_first_line(error)}). Log in with 'hf auth login', or pass token= "
                f"with a token that may do this."
            ) from error
        raise StoreError(f"{label}: the Hub refuses ({_first_line(error)}).") from error
    except errors.LocalTokenNotFoundError as error:
        raise StoreAccessError(f"{label}: not logged in. Log in with 'hf auth login', or pass token=.") from error
    except errors.LocalEntryNotFoundError as error:
        raise StoreError(
            f"{label}: the Hub cannot be reached, and the model is not in the cache, or not all of it."
        ) from error
    except PianoRollSeq2SeqError:
        raise
    except Exception as error:  # any error of the client and of the network
        causes = _first_line(error) + (f" ({_first_line(error.__cause__)})" if error.__cause__ else "")
        raise StoreError(f"{label}: the client of the Hub has failed: {causes}") from error


def _first_line(error: BaseException) -> str:
    lines = redacted(str(error)).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"
