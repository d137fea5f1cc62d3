"""Trained models as ONNX (extra ``onnx``): one file that plays wherever an ONNX runtime does.

:func:`export_onnx` writes it, :class:`OnnxModel` plays it; for other programs,
:mod:`pianoroll_seq2seq.export.graphs` says what goes in and what comes out.
"""

from pianoroll_seq2seq.export.exporter import export_onnx as export_onnx
from pianoroll_seq2seq.export.runner import OnnxModel as OnnxModel
