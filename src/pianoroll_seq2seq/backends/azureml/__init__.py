"""Azure Machine Learning: submits a script unchanged, to train there as it does here.

:func:`submit` uses SDK v1 (``azureml-core``) or SDK v2 (``azure-ai-ml``) and returns a :class:`Submission`, with the
status, the metrics and the files of the run.
"""

from pianoroll_seq2seq.backends.azureml.clusters import Cluster, ensure_cluster
from pianoroll_seq2seq.backends.azureml.data import BlobFile, RegisteredModel, RunFile, StoredFolder
from pianoroll_seq2seq.backends.azureml.model_addresses import fetch_model, find_model
from pianoroll_seq2seq.backends.azureml.models import register_checkpoint, write_model_folder
from pianoroll_seq2seq.backends.azureml.submission import Submission, find_submission, open_workspace, submit

__all__ = [
    "BlobFile",
    "Cluster",
    "RegisteredModel",
    "RunFile",
    "StoredFolder",
    "Submission",
    "ensure_cluster",
    "fetch_model",
    "find_model",
    "find_submission",
    "open_workspace",
    "register_checkpoint",
    "submit",
    "write_model_folder",
]
