"""Piano rolls and sequence-to-sequence models: from MIDI to music that goes on.

The names below are imported when they are first used, so that ``import pianoroll_seq2seq`` is quick and
PyTorch is not loaded until a stage that needs it is touched.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from pianoroll_seq2seq.audio import Audio as Audio
    from pianoroll_seq2seq.audio import to_audio as to_audio
    from pianoroll_seq2seq.augmentation import Augmentation as Augmentation
    from pianoroll_seq2seq.callbacks import SampleMusic as SampleMusic
    from pianoroll_seq2seq.callbacks import StopAfter as StopAfter
    from pianoroll_seq2seq.checkpoint import load as load
    from pianoroll_seq2seq.checkpoint import save as save
    from pianoroll_seq2seq.comparison import MusicComparison as MusicComparison
    from pianoroll_seq2seq.comparison import compare_sets as compare_sets
    from pianoroll_seq2seq.conditions import one_hot as one_hot
    from pianoroll_seq2seq.conditions import pitch_class_vector as pitch_class_vector
    from pianoroll_seq2seq.corpus import Corpus as Corpus
    from pianoroll_seq2seq.corpus import build_corpus as build_corpus
    from pianoroll_seq2seq.datasets.folder import read_folder as read_folder
    from pianoroll_seq2seq.evaluation import Evaluation as Evaluation
    from pianoroll_seq2seq.evaluation import evaluate as evaluate
    from pianoroll_seq2seq.export import OnnxModel as OnnxModel
    from pianoroll_seq2seq.export import export_onnx as export_onnx
    from pianoroll_seq2seq.generations import Generations as Generations
    from pianoroll_seq2seq.grid import BeatGrid as BeatGrid
    from pianoroll_seq2seq.grid import FrameGrid as FrameGrid
    from pianoroll_seq2seq.grid import SecondsGrid as SecondsGrid
    from pianoroll_seq2seq.heads.base import FrameDistribution as FrameDistribution
    from pianoroll_seq2seq.heads.base import OutputHead as OutputHead
    from pianoroll_seq2seq.heads.bernoulli import Bernoulli as Bernoulli
    from pianoroll_seq2seq.heads.bernoulli import BernoulliHead as BernoulliHead
    from pianoroll_seq2seq.heads.nade import NADE as NADE
    from pianoroll_seq2seq.heads.nade import NADEHead as NADEHead
    from pianoroll_seq2seq.heads.notes import Notes as Notes
    from pianoroll_seq2seq.heads.notes import NotesHead as NotesHead
    from pianoroll_seq2seq.heads.relative_bernoulli import RelativeBernoulliHead as RelativeBernoulliHead
    from pianoroll_seq2seq.heads.relative_window import RelativeWindowHead as RelativeWindowHead
    from pianoroll_seq2seq.heads.relative_window_frame import RelativeWindow as RelativeWindow
    from pianoroll_seq2seq.history import History as History
    from pianoroll_seq2seq.interchange import read_pypianoroll as read_pypianoroll
    from pianoroll_seq2seq.interchange import roll_from_array as roll_from_array
    from pianoroll_seq2seq.interchange import roll_to_array as roll_to_array
    from pianoroll_seq2seq.interchange import score_from_music21 as score_from_music21
    from pianoroll_seq2seq.interchange import score_to_music21 as score_to_music21
    from pianoroll_seq2seq.interchange import write_pypianoroll as write_pypianoroll
    from pianoroll_seq2seq.likelihoods import Likelihood as Likelihood
    from pianoroll_seq2seq.likelihoods import likelihood as likelihood
    from pianoroll_seq2seq.limits import Limits as Limits
    from pianoroll_seq2seq.midi_io import read_midi as read_midi
    from pianoroll_seq2seq.midi_io import write_midi as write_midi
    from pianoroll_seq2seq.models.base import SequenceModel as SequenceModel
    from pianoroll_seq2seq.models.copying_lstm import CopyingLSTM as CopyingLSTM
    from pianoroll_seq2seq.models.guided import GuidedModel as GuidedModel
    from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM as Seq2SeqLSTM
    from pianoroll_seq2seq.pianoroll import PianoRoll as PianoRoll
    from pianoroll_seq2seq.pianoroll import concatenate as concatenate
    from pianoroll_seq2seq.pieces import WholePieces as WholePieces
    from pianoroll_seq2seq.pitches import PitchRange as PitchRange
    from pianoroll_seq2seq.pretrained import load_pretrained as load_pretrained
    from pianoroll_seq2seq.pretrained import model_card as model_card
    from pianoroll_seq2seq.pretrained import pretrained_names as pretrained_names
    from pianoroll_seq2seq.pretrained import save_pretrained as save_pretrained
    from pianoroll_seq2seq.report import describe_model as describe_model
    from pianoroll_seq2seq.report import report_run as report_run
    from pianoroll_seq2seq.report import write_report as write_report
    from pianoroll_seq2seq.sampling import Draw as Draw
    from pianoroll_seq2seq.sampling import InScale as InScale
    from pianoroll_seq2seq.sampling import Sampler as Sampler
    from pianoroll_seq2seq.sampling import Threshold as Threshold
    from pianoroll_seq2seq.sampling import generate as generate
    from pianoroll_seq2seq.sampling import generate_frames as generate_frames
    from pianoroll_seq2seq.score import NoteTable as NoteTable
    from pianoroll_seq2seq.score import Part as Part
    from pianoroll_seq2seq.score import Score as Score
    from pianoroll_seq2seq.serving import load_service as load_service
    from pianoroll_seq2seq.showing import Piece as Piece
    from pianoroll_seq2seq.splitting import drop_duplicates as drop_duplicates
    from pianoroll_seq2seq.splitting import pitch_class_set as pitch_class_set
    from pianoroll_seq2seq.splitting import split_by_piece as split_by_piece
    from pianoroll_seq2seq.stores.azure_blob import AzureBlobStore as AzureBlobStore
    from pianoroll_seq2seq.stores.base import Store as Store
    from pianoroll_seq2seq.stores.local import LocalStore as LocalStore
    from pianoroll_seq2seq.stores.sync import pull_folder as pull_folder
    from pianoroll_seq2seq.stores.sync import push_folder as push_folder
    from pianoroll_seq2seq.tempo import TempoMap as TempoMap
    from pianoroll_seq2seq.trackers.azureml import AzureMLTracker as AzureMLTracker
    from pianoroll_seq2seq.trackers.base import NoTracker as NoTracker
    from pianoroll_seq2seq.trackers.base import Tracker as Tracker
    from pianoroll_seq2seq.trackers.fan_out import FanOut as FanOut
    from pianoroll_seq2seq.trackers.jsonl import JsonlTracker as JsonlTracker
    from pianoroll_seq2seq.trackers.mlflow import MLflowTracker as MLflowTracker
    from pianoroll_seq2seq.train import cosine_schedule as cosine_schedule
    from pianoroll_seq2seq.train import find_learning_rate as find_learning_rate
    from pianoroll_seq2seq.train import fit as fit
    from pianoroll_seq2seq.train import join_processes as join_processes
    from pianoroll_seq2seq.trained import TrainedModel as TrainedModel
    from pianoroll_seq2seq.trained import open_model as open_model
    from pianoroll_seq2seq.windowing import SlidingWindows as SlidingWindows

_HOME = {
    "Audio": "audio",
    "Augmentation": "augmentation",
    "AzureBlobStore": "stores.azure_blob",
    "AzureMLTracker": "trackers.azureml",
    "BeatGrid": "grid",
    "Bernoulli": "heads.bernoulli",
    "BernoulliHead": "heads.bernoulli",
    "CopyingLSTM": "models.copying_lstm",
    "Corpus": "corpus",
    "Draw": "sampling",
    "Evaluation": "evaluation",
    "FanOut": "trackers.fan_out",
    "FrameDistribution": "heads.base",
    "FrameGrid": "grid",
    "Generations": "generations",
    "GuidedModel": "models.guided",
    "History": "history",
    "InScale": "sampling",
    "JsonlTracker": "trackers.jsonl",
    "Likelihood": "likelihoods",
    "Limits": "limits",
    "LocalStore": "stores.local",
    "MLflowTracker": "trackers.mlflow",
    "MusicComparison": "comparison",
    "NADE": "heads.nade",
    "NADEHead": "heads.nade",
    "NoTracker": "trackers.base",
    "NoteTable": "score",
    "Notes": "heads.notes",
    "NotesHead": "heads.notes",
    "OnnxModel": "export",
    "OutputHead": "heads.base",
    "Part": "score",
    "PianoRoll": "pianoroll",
    "Piece": "showing",
    "PitchRange": "pitches",
    "RelativeBernoulliHead": "heads.relative_bernoulli",
    "RelativeWindow": "heads.relative_window_frame",
    "RelativeWindowHead": "heads.relative_window",
    "SampleMusic": "callbacks",
    "Sampler": "sampling",
    "Score": "score",
    "SecondsGrid": "grid",
    "Seq2SeqLSTM": "models.seq2seq_lstm",
    "SequenceModel": "models.base",
    "SlidingWindows": "windowing",
    "StopAfter": "callbacks",
    "Store": "stores.base",
    "TempoMap": "tempo",
    "Threshold": "sampling",
    "Tracker": "trackers.base",
    "TrainedModel": "trained",
    "WholePieces": "pieces",
    "build_corpus": "corpus",
    "compare_sets": "comparison",
    "concatenate": "pianoroll",
    "cosine_schedule": "train",
    "describe_model": "report",
    "drop_duplicates": "splitting",
    "evaluate": "evaluation",
    "export_onnx": "export",
    "find_learning_rate": "train",
    "fit": "train",
    "generate": "sampling",
    "generate_frames": "sampling",
    "join_processes": "train",
    "likelihood": "likelihoods",
    "load": "checkpoint",
    "load_pretrained": "pretrained",
    "load_service": "serving",
    "model_card": "pretrained",
    "one_hot": "conditions",
    "open_model": "trained",
    "pitch_class_set": "splitting",
    "pitch_class_vector": "conditions",
    "pull_folder": "stores.sync",
    "push_folder": "stores.sync",
    "pretrained_names": "pretrained",
    "read_folder": "datasets.folder",
    "read_midi": "midi_io",
    "read_pypianoroll": "interchange",
    "report_run": "report",
    "roll_from_array": "interchange",
    "roll_to_array": "interchange",
    "save": "checkpoint",
    "save_pretrained": "pretrained",
    "score_from_music21": "interchange",
    "score_to_music21": "interchange",
    "split_by_piece": "splitting",
    "to_audio": "audio",
    "write_midi": "midi_io",
    "write_pypianoroll": "interchange",
    "write_report": "report",
}

__all__ = sorted(_HOME)  # noqa: PLE0605 (a test holds it against the imports above)


def __getattr__(name: str) -> Any:
    """Imports a public name on its first use."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, also those not yet imported."""
    return sorted({*globals(), *_HOME})
