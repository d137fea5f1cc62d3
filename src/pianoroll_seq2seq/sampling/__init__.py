"""From a trained model to new music: samplers, and the loop that feeds chosen frames back into the model."""

from pianoroll_seq2seq.sampling.arranging import accompany as accompany
from pianoroll_seq2seq.sampling.arranging import given_to_vary as given_to_vary
from pianoroll_seq2seq.sampling.arranging import harmonize as harmonize
from pianoroll_seq2seq.sampling.arranging import infill as infill
from pianoroll_seq2seq.sampling.arranging import vary as vary
from pianoroll_seq2seq.sampling.best_of import best_of as best_of
from pianoroll_seq2seq.sampling.best_of import continuation_log_probs as continuation_log_probs
from pianoroll_seq2seq.sampling.dynamics import add_dynamics as add_dynamics
from pianoroll_seq2seq.sampling.filling import fill as fill
from pianoroll_seq2seq.sampling.filling import fill_frames as fill_frames
from pianoroll_seq2seq.sampling.frame_loop import AutoregressiveModel as AutoregressiveModel
from pianoroll_seq2seq.sampling.generation import generate as generate
from pianoroll_seq2seq.sampling.generation import generate_frames as generate_frames
from pianoroll_seq2seq.sampling.generations import Generations as Generations
from pianoroll_seq2seq.sampling.length import Length as Length
from pianoroll_seq2seq.sampling.samplers import Draw as Draw
from pianoroll_seq2seq.sampling.samplers import ParallelControl as ParallelControl
from pianoroll_seq2seq.sampling.samplers import RepetitionControl as RepetitionControl
from pianoroll_seq2seq.sampling.samplers import Sampler as Sampler
from pianoroll_seq2seq.sampling.samplers import ScaleConstrained as ScaleConstrained
from pianoroll_seq2seq.sampling.samplers import SteppingSampler as SteppingSampler
from pianoroll_seq2seq.sampling.samplers import TemperatureSchedule as TemperatureSchedule
from pianoroll_seq2seq.sampling.samplers import Threshold as Threshold
from pianoroll_seq2seq.sampling.samplers import TopP as TopP
from pianoroll_seq2seq.sampling.samplers import Typical as Typical
from pianoroll_seq2seq.sampling.samplers import longest_run as longest_run
