"""A trained model that answers requests: JSON in, music out, behind any web server.

:func:`load_service` makes a :class:`Service` from a checkpoint, and :meth:`Service.answer_json` answers a request. An
invalid request raises a :class:`RequestError` with the HTTP status to send. ``examples/azureml/score.py`` runs a
service in the inference server of Azure Machine Learning.
"""

from pianoroll_seq2seq.serving.errors import RequestError as RequestError
from pianoroll_seq2seq.serving.limits import RequestLimits as RequestLimits
from pianoroll_seq2seq.serving.service import Service as Service
from pianoroll_seq2seq.serving.service import load_service as load_service
