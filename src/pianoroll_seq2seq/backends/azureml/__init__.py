"""Azure Machine Learning: a script that trains here is submitted as it is, and trains there.

:func:`submit` sends it by SDK v1 (``azureml-core``) or SDK v2 (``azure-ai-ml``), whichever is installed, and returns a
:class:`Submission` to wait for, read and fetch from.
"""

from pianoroll_seq2seq.backends.azureml.clusters import Cluster, ensure_cluster
from pianoroll_seq2seq.backends.azureml.data import StoredFolder
from pianoroll_seq2seq.backends.azureml.models import RegisteredModel, register_checkpoint, write_model_folder
from pianoroll_seq2seq.backends.azureml.submission import Submission, find_submission, open_workspace, submit

__all__ = [
    "Cluster",
    "RegisteredModel",
    "StoredFolder",
    "Submission",
    "ensure_cluster",
    "find_submission",
    "open_workspace",
    "register_checkpoint",
    "submit",
    "write_model_folder",
]
