"""The environment of a run: the requirements of this library, in the versions installed here.

The library itself is sent with the run.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

Sdk = Literal["v1", "v2"]
CPU_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
GPU_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-cuda11.8-cudnn8-ubuntu22.04"
PYTHON = "3.11"
NAME = "pianoroll-seq2seq"
_NEEDED = (
    "numpy",
    "torch",
    "mido",
    "symusic",
    "pretty_midi",
    "safetensors",
    "tqdm",
    "jaxtyping",
    "cyclopts",
    "filelock",
    "cloudpickle",
    "lazy-loader",
    "PyYAML",
    "msgspec",
    "matplotlib",
)
_TRACKING: dict[Sdk, tuple[str, ...]] = {
    "v1": ("azureml-core", "pathspec", "azure-storage-blob", "azure-identity"),
    "v2": ("azureml-mlflow", "mlflow-skinny", "azure-storage-blob", "azure-identity"),
}


def image(*, gpu: bool) -> str:
    """The container image."""
    return GPU_IMAGE if gpu else CPU_IMAGE


def packages(sdk: Sdk) -> list[str]:
    """The requirements for pip: the versions installed here, without labels of builds such as ``+cpu``.

    Args:
        sdk: the SDK that the run reports to; the two cannot share an environment.
    """
    return [_pinned(name) for name in (*_NEEDED, *_TRACKING[sdk])]


def conda_specification(sdk: Sdk) -> dict[str, Any]:
    """The same, as the content of a conda environment file."""
    return {
        "name": NAME,
        "channels": ["conda-forge"],
        "dependencies": [f"python={PYTHON}", "pip", {"pip": packages(sdk)}],
    }


def _pinned(name: str) -> str:
    try:
        return f"{name}=={version(name).partition('+')[0]}"
    except PackageNotFoundError:
        return name
