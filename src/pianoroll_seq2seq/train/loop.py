"""One step, one epoch, and the state between any two steps."""

import itertools
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from pianoroll_seq2seq.models.base import SequenceModel, device_of, hearing
from pianoroll_seq2seq.train.averaging import AveragedModel
from pianoroll_seq2seq.train.batches import Batch, Batches, Pick
from pianoroll_seq2seq.train.events import OnStep, StepEnd, ends
from pianoroll_seq2seq.train.examples import Examples, condition_size_of
from pianoroll_seq2seq.train.interruption import Interruption
from pianoroll_seq2seq.train.losses import finite, go_on, loss_sum, only_counted
from pianoroll_seq2seq.train.precision import Arithmetic, Precision
from pianoroll_seq2seq.train.processes import Processes
from pianoroll_seq2seq.train.schedules import Schedule

STEPS_BETWEEN_CHECKS = 20
"""How often the loss is fetched, which makes a GPU wait, and several processes agree on whether to go on."""


class Interrupted(Exception):  # noqa: N818 (not an error)
    """A signal came; training stands between two steps."""

    def __init__(self, number: int) -> None:
        """With the signal's number."""
        super().__init__(number)
        self.number = number


@dataclass(frozen=True)
class Plan:
    """How to train: the arguments of ``fit`` that say it."""

    epochs: int
    batch_size: int
    accumulate: int
    schedule: Schedule | None
    clip_norm: float | None
    precision: Precision
    ema_decay: float | None
    compile_model: bool
    seed: int


@dataclass
class Progress:
    """How far an epoch has come.

    Args:
        epoch: its number, counted from 1.
        steps: how many of its steps are done.
        windows: how many windows they took.
        loss_sum: the loss summed over these windows, as far as it was fetched.
        pending: the same of the steps since.
        seconds: how long they took.
        stopped: whether a callback ended training.
    """

    epoch: int
    steps: int = 0
    windows: int = 0
    loss_sum: float = 0.0
    pending: float = 0.0
    seconds: float = 0.0
    stopped: bool = False


@dataclass
class Loop:
    """Training, between any two steps of which one can stop and go on.

    What is random in a step follows from the seed, the epoch and the step (and the process) alone, so that there is no
    generator whose state would have to be kept.
    """

    model: SequenceModel
    train: Examples
    optimizer: torch.optim.Optimizer
    plan: Plan
    interruption: Interruption
    on_step: Sequence[OnStep] = ()
    average: AveragedModel | None = field(init=False)

    def __post_init__(self) -> None:
        """Makes ready what every step needs."""
        plan = self.plan
        if condition_size_of(self.train):
            hearing(self.model, condition_size_of(self.train))
        self.device: torch.device = device_of(self.model)
        self.processes: Processes = Processes.of_run(self.device)
        self.steps_per_epoch: int = math.ceil(len(self.train) / plan.batch_size)
        self.base_rates: list[float] = [
            float(group.setdefault("initial_lr", group["lr"])) for group in self.optimizer.param_groups
        ]
        self.arithmetic: Arithmetic = Arithmetic(plan.precision, self.device, plan.clip_norm)
        self._summing = torch.float32 if self.device.type == "mps" else torch.float64  # which Apple's GPUs have not
        self._parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self._wrapped = self.processes.wrap(self.model)  # which gives all processes the weights of the first
        self._forward = torch.compile(self._wrapped) if plan.compile_model else self._wrapped
        self.average = None if plan.ema_decay is None else AveragedModel(self.model, plan.ema_decay)
        share = math.ceil(min(plan.batch_size, len(self.train)) / self.processes.count)
        self._batches = Batches(self.train, self.device, math.ceil(share / plan.accumulate))

    @property
    def rate(self) -> float:
        """The learning rate now."""
        return float(self.optimizer.param_groups[0]["lr"])

    @property
    def smoothed(self) -> SequenceModel:
        """The model to validate and to keep: the averaged one, where there is an average."""
        return self.model if self.average is None else self.average.model

    def step_number(self, progress: Progress) -> int:
        """Optimizer steps since the start of training."""
        return (progress.epoch - 1) * self.steps_per_epoch + progress.steps

    def _by_now(self, progress: Progress) -> str:
        return f"epoch {progress.epoch}, by step {self.step_number(progress)}"

    def steps(self, progress: Progress, bar: "tqdm[Any]") -> Iterator[None]:
        """Goes on with an epoch to its end, and hands over after every check: then all is fit to be saved.

        Raises:
            Interrupted: a signal came; ``progress`` says how far the epoch has come.
            TrainingDivergedError: the loss is no longer a number.
        """
        seeds = np.random.SeedSequence([self.plan.seed, progress.epoch, self.processes.rank])
        step_seeds = (seeds.generate_state(self.steps_per_epoch, np.uint64) >> np.uint64(1)).tolist()
        steps, ahead = itertools.tee(self._what_is_left(progress))
        batches = self._batches(part.pick for step in ahead for part in step.parts)
        pending = torch.tensor(progress.pending, dtype=self._summing, device=self.device)
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
                self._tell(progress, number, loss / step.own_windows)
            if self._at_check(progress):
                self._agree(progress, pending)
                yield
                begun = time.perf_counter() - progress.seconds
                if progress.stopped:
                    return
            elif self.processes.alone and self.interruption.received is not None:
                progress.pending = finite(float(pending), self._by_now(progress))
                self._heed()

    def validation_loss(self, valid: Examples, progress: Progress) -> float:
        """The mean loss over all windows, each process taking a share.

        Raises:
            Interrupted: a signal came.
            TrainingDivergedError: the loss is no longer a number.
        """
        begun = time.perf_counter() - progress.seconds
        own = self.processes.share(np.arange(len(valid)))
        heed = self._heed if self.processes.alone else go_on
        total = loss_sum(self.smoothed, valid, own, self.plan.batch_size, heed)
        if not self.processes.alone:
            total = float(self.processes.sum(torch.tensor(total, dtype=self._summing, device=self.device)))
        progress.seconds = time.perf_counter() - begun
        return finite(total / valid.frames, f"validation after epoch {progress.epoch}")

    def _heed(self) -> None:
        if self.interruption.received is not None:
            raise Interrupted(self.interruption.received)

    def _what_is_left(self, progress: Progress) -> "Iterator[_Step]":
        """The steps of an epoch from where it stands, in an order of the epoch's own."""
        seed = [self.plan.seed, progress.epoch]
        order = np.random.default_rng(seed).permutation(len(self.train))
        # Batches as equal as can be: a last one of a single window would break batch normalisation.
        size, longer = divmod(len(order), self.steps_per_epoch)
        for step in range(progress.steps, self.steps_per_epoch):
            begin = step * size + min(step, longer)
            yield self._divided(order[begin : begin + size + (step < longer)], [*seed, step])

    def _divided(self, batch: np.ndarray, seed: list[int]) -> "_Step":
        """This process's share of a batch, in as many parts as are accumulated.

        Weighted so that the mean over the processes of the sums over the parts is the mean over the batch. A process
        that has no share takes a window for nothing, since the others wait for it.
        """
        own = self.processes.share(batch)
        if not len(own):
            return _Step([_Part(Pick(batch[:1], seed), 0.0)], len(batch), 1)
        parts = [windows for windows in np.array_split(own, self.plan.accumulate) if len(windows)]
        seeds = [[*seed, self.processes.rank, index] for index in range(len(parts))]
        weighted = [
            _Part(Pick(windows, seed), len(windows) * self.processes.count / len(batch))
            for windows, seed in zip(parts, seeds, strict=True)
        ]
        return _Step(weighted, len(batch), len(own))

    def _step(self, number: int, step: "_Step", batches: Iterator[Batch]) -> Tensor:
        """One update; the loss summed over the windows of this process, still on the device."""
        schedule, plan = self.plan.schedule, self.plan
        factor = 1.0 if schedule is None else schedule(number, plan.epochs * self.steps_per_epoch)
        for group, rate in zip(self.optimizer.param_groups, self.base_rates, strict=True):
            group["lr"] = rate * factor
        self.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), dtype=self._summing, device=self.device)
        for part in step.parts:
            batch = next(batches)
            with self._synchronised(part is step.parts[-1]):
                with self.arithmetic.autocast():
                    log_probs = self._forward(*batch.shown).log_prob(batch.targets)
                    loss: Tensor = -only_counted(log_probs, batch.counted).mean()
                self.arithmetic.backward(loss * part.weight)
            if part.weight:
                total += loss.detach() * len(part.pick.windows)
        self.arithmetic.update(self.optimizer, self._parameters)
        if self.average is not None:
            self.average.update(number + 1)
        return total

    def _synchronised(self, now: bool) -> AbstractContextManager[Any]:
        """Gradients are exchanged with the last part of a step only."""
        if now or not isinstance(self._wrapped, nn.parallel.DistributedDataParallel):
            return nullcontext()
        context: AbstractContextManager[Any] = self._wrapped.no_sync()
        return context

    def _seed(self, seed: int) -> None:
        """Seeds dropout on the device of this run, and on no other."""
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            with torch.cuda.device(self.device):
                torch.cuda.manual_seed(seed)

    def _tell(self, progress: Progress, number: int, loss: Tensor) -> None:
        told = StepEnd(progress.epoch, number + 1, loss, self.rate)
        for callback in self.on_step:
            progress.stopped |= ends(callback(told))

    def _at_check(self, progress: Progress) -> bool:
        ended = progress.steps == self.steps_per_epoch or (progress.stopped and self.processes.alone)
        return ended or progress.steps % STEPS_BETWEEN_CHECKS == 0

    def _agree(self, progress: Progress, pending: Tensor) -> None:
        """Fetches the loss; all processes learn what one of them has been told to do.

        Raises:
            Interrupted: a signal came, to whichever process.
        """
        progress.loss_sum = finite(progress.loss_sum + float(self.processes.sum(pending)), self._by_now(progress))
        progress.pending = 0.0
        pending.zero_()
        progress.stopped = bool(self.processes.highest(int(progress.stopped)))
        received = self.processes.highest(self.interruption.received or 0)
        if received:
            raise Interrupted(received)


@dataclass(frozen=True)
class _Part:
    """Windows that go through the model at once, and what share of the step's loss is theirs."""

    pick: Pick
    weight: float


@dataclass(frozen=True)
class _Step:
    """The parts of this process, the windows of all processes, and those of this one."""

    parts: list[_Part]
    windows: int
    own_windows: int
