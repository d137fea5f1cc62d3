"""From a trained model to new music: samplers, and the loop that feeds chosen frames back into the model."""

from pianoroll_seq2seq.sampling.dynamics import add_dynamics as add_dynamics
from pianoroll_seq2seq.sampling.generation import AutoregressiveModel as AutoregressiveModel
from pianoroll_seq2seq.sampling.generation import generate as generate
from pianoroll_seq2seq.sampling.generation import generate_frames as generate_frames
from pianoroll_seq2seq.sampling.generations import Generations as Generations
from pianoroll_seq2seq.sampling.length import Length as Length
from pianoroll_seq2seq.sampling.samplers import Draw as Draw
from pianoroll_seq2seq.sampling.samplers import Sampler as Sampler
from pianoroll_seq2seq.sampling.samplers import ScaleConstrained as ScaleConstrained
from pianoroll_seq2seq.sampling.samplers import Threshold as Threshold
