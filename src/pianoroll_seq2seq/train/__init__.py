"""Training: ``fit``, and what it is made of.

``fit`` (in :mod:`.fitting`) checks its arguments and goes through the epochs; :mod:`.loop` does one step and one epoch;
:mod:`.batches` assembles what the next steps need while this one runs; :mod:`.run_folder` writes all there is to know
to disk and reads it again; :mod:`.interruption` listens to Ctrl-C and SIGTERM; :mod:`.processes` is what several
processes must agree on.
"""

from pianoroll_seq2seq.train.events import EpochEnd as EpochEnd
from pianoroll_seq2seq.train.events import OnEpoch as OnEpoch
from pianoroll_seq2seq.train.events import OnStep as OnStep
from pianoroll_seq2seq.train.events import StepEnd as StepEnd
from pianoroll_seq2seq.train.fitting import fit as fit
from pianoroll_seq2seq.train.learning_rates import LearningRates as LearningRates
from pianoroll_seq2seq.train.learning_rates import find_learning_rate as find_learning_rate
from pianoroll_seq2seq.train.losses import mean_loss as mean_loss
from pianoroll_seq2seq.train.precision import Precision as Precision
from pianoroll_seq2seq.train.processes import Processes as Processes
from pianoroll_seq2seq.train.processes import join_processes as join_processes
from pianoroll_seq2seq.train.schedules import Schedule as Schedule
from pianoroll_seq2seq.train.schedules import cosine_schedule as cosine_schedule
