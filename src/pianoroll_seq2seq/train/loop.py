"""One optimizer step, one epoch, and the validation after it."""

import itertools
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pianoroll_seq2seq._internal.progress import tqdm
from pianoroll_seq2seq.checkpoint.files import USE_ANOTHER
from pianoroll_seq2seq.errors import CheckpointError
from pianoroll_seq2seq.models.contract import (
    SequenceModel,
    device_of,
    dtype_of,
    layout_of,
    require_conditional,
    require_filling,
)
from pianoroll_seq2seq.train.averaging import AveragedModel
from pianoroll_seq2seq.train.batches import Batch, Batches
from pianoroll_seq2seq.train.config import TrainConfig
from pianoroll_seq2seq.train.events import OnStep, StepEnd, should_stop
from pianoroll_seq2seq.train.examples import Examples, condition_size_of, has_tasks
from pianoroll_seq2seq.train.interruption import Interrupted, Interruption
from pianoroll_seq2seq.train.losses import apply_mask, check_finite, loss_sum
from pianoroll_seq2seq.train.optimizers import optimizer_name
from pianoroll_seq2seq.train.precision import MixedPrecision
from pianoroll_seq2seq.train.processes import Processes
from pianoroll_seq2seq.train.progress import Progress
from pianoroll_seq2seq.train.steps import Step, remaining_steps

STEPS_BETWEEN_CHECKS = 20
"""How often the loss is fetched, which makes a GPU wait, and several processes agree on whether to continue."""


@dataclass
class Loop:
    """Training, which can stop and resume between any two steps.

    All randomness of a step follows from the seed, the epoch, the step and the process alone, so that there is no
    generator whose state would have to be saved.
    """

    model: SequenceModel
    train: Examples
    optimizer: torch.optim.Optimizer
    config: TrainConfig
    interruption: Interruption
    on_step: Sequence[OnStep] = ()
    average: AveragedModel | None = field(init=False)
    resumed_from: str | None = field(default=None, init=False)
    """The checkpoint that the optimizer's state is from, until the first step with it."""

    def __post_init__(self) -> None:
        """Checks that the model fits the examples, and prepares what every step needs."""
        config = self.config
        check_model(self.model, self.train, "train")
        self.device: torch.device = device_of(self.model)
        self.processes: Processes = Processes.current(self.device)
        self.steps_per_epoch: int = math.ceil(len(self.train) / config.batch_size)
        self.base_rates: list[float] = [float(group["lr"]) for group in self.optimizer.param_groups]
        self.mixed_precision: MixedPrecision = MixedPrecision(config.precision, self.device, config.clip_norm)
        self._dtype = dtype_of(self.model)
        self._sum_dtype = torch.float32 if self.device.type == "mps" else torch.float64  # MPS has no float64
        self._parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self._wrapped = self.processes.wrap(self.model)  # gives all processes the weights of the first
        self._forward = torch.compile(self._wrapped) if config.compile_model else self._wrapped
        self.average = None if config.ema_decay is None else AveragedModel(self.model, config.ema_decay)
        share = math.ceil(min(config.batch_size, len(self.train)) / self.processes.world_size)
        self._batches = Batches(self.train, self.device, math.ceil(share / config.accumulate))

    @property
    def total_steps(self) -> int:
        """Optimizer steps of all epochs."""
        return self.config.epochs * self.steps_per_epoch

    @property
    def averaged_model(self) -> SequenceModel:
        """The model to validate and to save: the averaged one, or the model itself without averaging."""
        return self.model if self.average is None else self.average.model

    def step_number(self, progress: Progress) -> int:
        """Optimizer steps since the start of training."""
        return (progress.epoch - 1) * self.steps_per_epoch + progress.steps

    def learning_rate(self, number: int) -> float:
        """The learning rate of a step, counted from 0, of the first parameter group."""
        return self.base_rates[0] * self._factor(number)

    def _factor(self, number: int) -> float:
        schedule = self.config.schedule
        return 1.0 if schedule is None else float(schedule(number, self.total_steps))

    @contextmanager
    def _learning_rates(self, number: int) -> Iterator[None]:
        """The learning rates of a step. Outside of it the optimizer has those that its user gave it."""
        groups, factor = self.optimizer.param_groups, self._factor(number)
        given = [group["lr"] for group in groups]
        for group, rate in zip(groups, self.base_rates, strict=True):
            group["lr"] = rate * factor
        try:
            yield
        finally:
            for group, rate in zip(groups, given, strict=True):
                group["lr"] = rate

    def _label(self, progress: Progress) -> str:
        return f"epoch {progress.epoch}, by step {self.step_number(progress)}"

    def steps(self, progress: Progress, bar: "tqdm[Any]") -> Iterator[None]:
        """Trains to the end of an epoch. It yields after every check: the state can be saved then.

        Raises:
            Interrupted: a signal came; ``progress`` is up to date.
            TrainingDivergedError: the loss is no longer a number.
        """
        seeds = np.random.SeedSequence([self.config.seed, progress.epoch, self.processes.rank])
        step_seeds = (seeds.generate_state(self.steps_per_epoch, np.uint64) >> np.uint64(1)).tolist()
        remaining = remaining_steps(
            self.config, self.processes, progress, num_examples=len(self.train), num_steps=self.steps_per_epoch
        )
        steps, prefetched = itertools.tee(remaining)
        batches = self._batches(part.indices for step in prefetched for part in step.parts)
        pending = torch.tensor(progress.pending, dtype=self._sum_dtype, device=self.device)
        begun = time.perf_counter() - progress.seconds
        self.model.train()
        for step in () if progress.stopped else steps:
            self._seed(step_seeds[progress.steps])
            number = self.step_number(progress)
            loss = self._step(number, step, batches)
            pending += loss
            progress.steps += 1
            progress.windows += step.windows
            progress.seconds = time.perf_counter() - begun
            bar.update()
            if self.on_step:
                self._call_on_step(progress, number, loss / step.own_windows)
            if self._is_check(progress):
                self._synchronize(progress, pending)
                yield
                begun = time.perf_counter() - progress.seconds
                if progress.stopped:
                    return
            elif self.processes.is_single and self.interruption.received is not None:
                progress.pending = check_finite(float(pending), self._label(progress))
                self.check_interrupt()

    def validation_loss(self, valid: Examples, progress: Progress) -> float:
        """The mean loss over all validation examples, each process taking a share.

        Raises:
            Interrupted: a signal came.
            TrainingDivergedError: the loss is no longer a number.
        """
        begun = time.perf_counter() - progress.seconds
        own = self.processes.share(np.arange(len(valid)))
        # Several processes stop together, at the next check of the steps.
        after_batch = self.check_interrupt if self.processes.is_single else None
        total = loss_sum(self.averaged_model, valid, own, self.config.batch_size, after_batch)
        if not self.processes.is_single:
            total = float(self.processes.all_reduce_sum(torch.tensor(total, dtype=self._sum_dtype, device=self.device)))
        progress.seconds = time.perf_counter() - begun
        return check_finite(total / valid.num_target_frames, f"validation after epoch {progress.epoch}")

    def check_interrupt(self) -> None:
        """Raises Interrupted if a signal came."""
        if self.interruption.received is not None:
            raise Interrupted(self.interruption.received)

    def _step(self, number: int, step: Step, batches: Iterator[Batch]) -> Tensor:
        """One update. Returns the loss summed over the examples of this process, on the device."""
        self.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), dtype=self._sum_dtype, device=self.device)
        for part in step.parts:
            batch = next(batches)
            with self._gradient_sync(part is step.parts[-1]):
                with self.mixed_precision.autocast():
                    args = [values.to(self._dtype) for values in batch.model_args]
                    given = {} if batch.given is None else {"given": batch.given.to(self.device, self._dtype)}
                    log_probs = self._forward(*args, **given).log_prob(batch.targets)
                    loss: Tensor = -apply_mask(log_probs, batch.target_mask).mean()
                self.mixed_precision.backward(loss * part.weight)
            if part.weight:
                total += loss.detach() * len(part.indices.examples)
        with self._learning_rates(number), self._saved_state():
            self.mixed_precision.update(self.optimizer, self._parameters)
        if self.average is not None:
            self.average.update(number + 1)
        return total

    @contextmanager
    def _saved_state(self) -> Iterator[None]:
        """A step of the optimizer. If the first one with a saved state fails, it is the state that does not fit.

        Raises:
            CheckpointError: it failed.
        """
        try:
            yield
        except torch.cuda.OutOfMemoryError:
            raise
        except (RuntimeError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
            if self.resumed_from is None:
                raise
            raise CheckpointError(
                f"{self.resumed_from}: its state does not fit the optimizer {optimizer_name(self.optimizer)} "
                f"({type(error).__name__}: {error}). {USE_ANOTHER}"
            ) from error
        self.resumed_from = None

    def _gradient_sync(self, enabled: bool) -> AbstractContextManager[Any]:
        """Exchanges gradients between processes with the last part of a step only."""
        if enabled or not isinstance(self._wrapped, nn.parallel.DistributedDataParallel):
            return nullcontext()
        context: AbstractContextManager[Any] = self._wrapped.no_sync()
        return context

    def _seed(self, seed: int) -> None:
        """Seeds dropout on the device of this run, and on no other."""
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            with torch.cuda.device(self.device):
                torch.cuda.manual_seed(seed)

    def _call_on_step(self, progress: Progress, number: int, loss: Tensor) -> None:
        event = StepEnd(progress.epoch, number + 1, loss, self.learning_rate(number))
        for callback in self.on_step:
            progress.stopped |= should_stop(callback(event))

    def _is_check(self, progress: Progress) -> bool:
        ended = progress.steps == self.steps_per_epoch or (progress.stopped and self.processes.is_single)
        return ended or progress.steps % STEPS_BETWEEN_CHECKS == 0

    def _synchronize(self, progress: Progress, pending: Tensor) -> None:
        """Fetches the loss, and makes all processes stop if one of them has to.

        Raises:
            Interrupted: a signal came to any of the processes.
        """
        total = progress.loss_sum + float(self.processes.all_reduce_sum(pending))
        progress.loss_sum = check_finite(total, self._label(progress))
        progress.pending = 0.0
        pending.zero_()
        progress.stopped = bool(self.processes.all_reduce_max(int(progress.stopped)))
        received = self.processes.all_reduce_max(self.interruption.received or 0)
        if received:
            raise Interrupted(received)


def check_model(model: SequenceModel, examples: Examples, label: str) -> None:
    """Refuses examples whose frames or conditions are not those of the model; ``label`` is what errors call them.

    Raises:
        GridError, PitchRangeError, ShapeError: the model was built for another layout.
        SettingsError: the model does not take the examples' conditions.
    """
    layout = layout_of(model)
    if layout is not None:
        layout.check_same(examples.layout, label)
    if condition_size_of(examples):
        require_conditional(model, condition_size_of(examples))
    if has_tasks(examples):
        require_filling(model)
