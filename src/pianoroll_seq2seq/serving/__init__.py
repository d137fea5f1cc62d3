"""A trained model that answers requests: JSON in, music out, whatever server stands in front of it.

:func:`load_service` makes a :class:`Service` of a checkpoint, and :meth:`Service.answer_json` answers a request; what
is wrong with one is a :class:`RequestError` with the HTTP status that fits. ``examples/azureml/score.py`` puts it
behind the inference server of Azure Machine Learning.
"""

from pianoroll_seq2seq.serving.requests import RequestError as RequestError
from pianoroll_seq2seq.serving.requests import RequestLimits as RequestLimits
from pianoroll_seq2seq.serving.service import Service as Service
from pianoroll_seq2seq.serving.service import load_service as load_service
