"""Threads that use one model at the same time."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from pianoroll_seq2seq.errors import ModelInUseError
from pianoroll_seq2seq.models.classifier_free_guidance import GuidedModel
from pianoroll_seq2seq.models.modes import Evaluation, inference, training
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM


def model() -> Seq2SeqLSTM:
    return Seq2SeqLSTM(6, hidden_size=4, condition_size=2, condition_dropout=0.5)


def in_thread(call: Callable[[], None]) -> None:
    """Calls a function in another thread, and raises its error."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(call).result()


@pytest.mark.parametrize("mode", [True, False])
def test_the_last_thread_restores_the_mode(mode: bool) -> None:
    """A thread that ends puts the model into training mode while another generates, or leaves it in the wrong one."""
    shared = model().train(mode)
    entered, leave = threading.Event(), threading.Event()

    def use() -> None:
        with inference(shared):
            entered.set()
            leave.wait(10)
            assert not shared.training

    with ThreadPoolExecutor(1) as pool:
        with inference(shared):
            other = pool.submit(use)
            assert entered.wait(10)
        assert not shared.training
        leave.set()
        other.result()
    assert shared.training == mode
    assert all(module.training == mode for module in shared.modules())


def test_a_context_may_be_entered_again_and_inside_itself() -> None:
    shared = model().train()
    evaluation = Evaluation(shared)
    for _ in range(2):
        with evaluation, evaluation:
            assert not shared.training
            with inference(shared):
                assert not torch.is_grad_enabled()
        assert shared.training
    with pytest.raises(ValueError, match="on purpose"), evaluation:
        raise ValueError("on purpose")
    assert shared.training


@pytest.mark.parametrize("around", [False, True], ids=["the model", "a model around it"])
def test_a_model_that_is_trained_is_refused_to_other_threads(around: bool) -> None:
    """Generation beside training turns dropout off, or on."""
    shared = model().train()
    used = GuidedModel(shared, 0.5).train() if around else shared

    def evaluate() -> None:
        with inference(used):
            pass

    def train() -> None:
        with training(used):
            pass

    with training(shared):
        for call in (evaluate, train):
            with pytest.raises(ModelInUseError, match="another thread"):
                in_thread(call)
        assert shared.training
        evaluate()  # as the callbacks of fit do
        train()
        assert shared.training
    with inference(shared), pytest.raises(ModelInUseError, match="generates or scores"):
        in_thread(train)
    in_thread(evaluate)
    in_thread(train)
    assert shared.training
