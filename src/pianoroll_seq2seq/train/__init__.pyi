"""The public names of training."""

from .events import EpochEnd as EpochEnd
from .events import OnEpoch as OnEpoch
from .events import OnStep as OnStep
from .events import StepEnd as StepEnd
from .fitting import fit as fit
from .learning_rates import LearningRates as LearningRates
from .learning_rates import find_learning_rate as find_learning_rate
from .losses import mean_loss as mean_loss
from .precision import Precision as Precision
from .processes import Processes as Processes
from .processes import join_processes as join_processes
from .schedules import Schedule as Schedule
from .schedules import cosine_schedule as cosine_schedule
