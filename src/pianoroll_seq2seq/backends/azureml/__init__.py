"""Azure Machine Learning: a script that trains here is submitted as it is, and trains there."""

from pianoroll_seq2seq.backends.azureml.submission import Submission as Submission
from pianoroll_seq2seq.backends.azureml.submission import submit as submit
