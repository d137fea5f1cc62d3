"""Samplers, one a file: how a frame is chosen from a distribution."""

from pianoroll_seq2seq.sampling.samplers.contract import Sampler as Sampler
from pianoroll_seq2seq.sampling.samplers.contract import SteppingSampler as SteppingSampler
from pianoroll_seq2seq.sampling.samplers.contract import for_layout as for_layout
from pianoroll_seq2seq.sampling.samplers.contract import next_sampler as next_sampler
from pianoroll_seq2seq.sampling.samplers.contract import sample_rows as sample_rows
from pianoroll_seq2seq.sampling.samplers.contract import select_rows as select_rows
from pianoroll_seq2seq.sampling.samplers.contract import start_sampler as start_sampler
from pianoroll_seq2seq.sampling.samplers.draw import Draw as Draw
from pianoroll_seq2seq.sampling.samplers.parallel_control import ParallelControl as ParallelControl
from pianoroll_seq2seq.sampling.samplers.polyphony_control import PolyphonyControl as PolyphonyControl
from pianoroll_seq2seq.sampling.samplers.polyphony_control import polyphony_weights as polyphony_weights
from pianoroll_seq2seq.sampling.samplers.repetition_control import RepetitionControl as RepetitionControl
from pianoroll_seq2seq.sampling.samplers.repetition_control import longest_run as longest_run
from pianoroll_seq2seq.sampling.samplers.scale_constrained import ScaleConstrained as ScaleConstrained
from pianoroll_seq2seq.sampling.samplers.temperature_schedule import TemperatureSchedule as TemperatureSchedule
from pianoroll_seq2seq.sampling.samplers.threshold import Threshold as Threshold
from pianoroll_seq2seq.sampling.samplers.top_p import TopP as TopP
from pianoroll_seq2seq.sampling.samplers.typical import Typical as Typical
