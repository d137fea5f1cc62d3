"""Trained models: those shipped with the library, and folders to share others.

A shipped model is a checkpoint in this folder, named by its file: weights, settings and a card that says what the model
is for. To add one, write it here with ``save(model, path, details={"card": ...})``. To share a model of your own, write
a folder with :func:`save_pretrained`, or send it to the Hugging Face Hub with :func:`push_to_hub`.
:func:`~pianoroll_seq2seq.pretrained.opening.open_model` opens all of them.
"""

from pianoroll_seq2seq.pretrained.folders import save_pretrained as save_pretrained
from pianoroll_seq2seq.pretrained.hub import push_to_hub as push_to_hub
from pianoroll_seq2seq.pretrained.opening import open_model as open_model
from pianoroll_seq2seq.pretrained.shipped import model_card as model_card
from pianoroll_seq2seq.pretrained.shipped import pretrained_names as pretrained_names
from pianoroll_seq2seq.pretrained.shipped import pretrained_path as pretrained_path
from pianoroll_seq2seq.pretrained.trained_model import TrainedModel as TrainedModel
