from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pianoroll_seq2seq import CopyingLSTM, PianoRoll, PitchRange, SlidingWindows, WholePieces, fit, likelihood
from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.heads.bernoulli import BernoulliHead
from pianoroll_seq2seq.models.copy_attention import CopyAttention

PITCHES = 13


def model_of(**settings: Any) -> CopyingLSTM:
    torch.manual_seed(0)
    model = CopyingLSTM(PITCHES, hidden=16, **{"copies": 3} | settings).double().eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    return model


def piece(frames: int = 80) -> torch.Tensor:
    """With a stretch that comes again, longer than the longest span."""
    music = (torch.rand(2, frames, PITCHES, generator=torch.Generator().manual_seed(1)) < 0.3).double()
    if frames > 75:
        music[:, 38:76] = music[:, 2:40].clone()
    return music


@pytest.mark.parametrize("copies", [0, 3])
def test_no_frame_is_heard_before_its_time(copies: int) -> None:
    model, music = model_of(copies=copies), piece()
    plain = model(music[:, :0], music).log_prob(music).detach()
    for frame in (0, 40, 79):
        changed = music.clone()
        changed[:, frame] = 1 - changed[:, frame]
        moved = (model(changed[:, :0], changed).log_prob(changed).detach() - plain).abs()
        assert frame == 0 or moved[:, :frame].max() == 0
        assert moved[:, frame].min() > 0


@pytest.mark.parametrize(("copies", "known", "frames"), [(0, 3, 8), (3, 1, 9), (3, 33, 40), (3, 74, 80)])
def test_frame_by_frame_is_all_at_once(copies: int, known: int, frames: int) -> None:
    model, music = model_of(copies=copies), piece()[:, :frames]
    with torch.inference_mode():
        expected = model(music[:, :known], music[:, known:]).log_prob(music[:, known:])
        distribution, state = model.start(music[:, :known])
        found = [distribution.log_prob(music[:, known])]
        for frame in range(known, frames - 1):
            model.advance(1 - music[:, frame], state)  # another way to go on, which changes nothing here
            distribution, state = model.advance(music[:, frame], state)
            found.append(distribution.log_prob(music[:, frame + 1]))
    torch.testing.assert_close(torch.stack(found, dim=1), expected)


def test_where_inputs_end_changes_nothing() -> None:
    model, music = model_of(), piece()
    whole = model(music[:, :0], music).log_prob(music)
    torch.testing.assert_close(model(music[:, :20], music[:, 20:]).log_prob(music[:, 20:]), whole[:, 20:])


@pytest.mark.parametrize("frames", [1, 2])
def test_shortest_pieces(frames: int) -> None:
    music = piece(frames)
    assert model_of()(music[:, :0], music).log_prob(music).isfinite().all()


def test_agreement_is_that_of_a_plain_loop() -> None:
    attention = CopyAttention(4, 3)
    music = (torch.rand(1, 60, 3, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    music[:, 20:58] = music[:, 1:39].clone()
    marks = attention.marks(music)
    assert [len(set(marks[0, :, kind].tolist())) for kind in range(3)] == [8, 4, 4]
    agreed = attention._agreement(marks)
    for now in range(60):
        for then in range(now):
            for kind in range(3):
                run = 0
                while run < then and marks[0, now - 1 - run, kind] == marks[0, then - 1 - run, kind]:
                    run += 1
                longest = max([span for span in (1, 2, 4, 8, 16, 32) if span <= run], default=0)
                assert agreed[0, now, then, kind] == longest, (now, then, kind)


def test_weights_lie_on_earlier_frames_or_on_none() -> None:
    attention = CopyAttention(4, PITCHES).double()
    music = torch.ones(1, 9, PITCHES).double()
    copies = attention(torch.randn(1, 9, 4).double(), music)
    torch.testing.assert_close(copies.frames + copies.nothing.unsqueeze(3), torch.ones_like(copies.frames))
    torch.testing.assert_close(copies.nothing[:, 0], torch.ones(1, 6).double())


def test_a_melody_that_comes_again_is_recognised() -> None:
    """What attention is for: the second half repeats the first, which no weights could have learned by heart."""
    generator = np.random.default_rng(0)

    def tune(name: int) -> PianoRoll:
        half = np.zeros((24, PITCHES), dtype=bool)
        half[np.arange(24), generator.integers(PITCHES, size=24)] = True
        return PianoRoll.from_active(np.concatenate([half, half]), pitches=PitchRange(60, 72), name=str(name))

    tunes = [tune(name) for name in range(60)]
    torch.manual_seed(0)
    head = BernoulliHead(CopyingLSTM.features(PITCHES, 24, 2), PITCHES)
    model = CopyingLSTM(PITCHES, hidden=24, copies=2, head=head)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    fit(model, WholePieces(tunes[:50], group_frames=480), epochs=12, batch_size=1, optimizer=optimizer, progress=False)
    log_probs = torch.stack(
        [
            model(torch.zeros(1, 0, PITCHES), frames).log_prob(frames)[0].detach()
            for frames in (torch.from_numpy(roll.active.astype(np.float32))[None] for roll in tunes[50:])
        ]
    )
    first, second = -log_probs[:, 4:24].mean(), -log_probs[:, 28:].mean()
    assert second < 0.5 * first, (first, second)


def test_wrong_notes_are_heard_in_training_only_and_never_asked_for() -> None:
    """Noise in what shall be predicted would teach the mistakes, not how to go on after them."""
    music = piece(60)
    plain, noisy = (model_of(wrong_notes=share).train() for share in (0.0, 0.9))
    torch.manual_seed(0)
    moved = (noisy(music[:, :0], music).log_prob(music) - plain(music[:, :0], music).log_prob(music)).detach()
    assert moved[:, 0].abs().max() == 0  # before it there is nothing to mishear
    assert (moved[:, 1:] != 0).double().mean() > 0.8
    assert torch.equal(
        noisy.eval()(music[:, :0], music).log_prob(music), plain.eval()(music[:, :0], music).log_prob(music)
    )


def test_windows_and_other_heads_do_as_well() -> None:
    rolls = [PianoRoll.from_active(piece(40)[0].bool().numpy(), pitches=PitchRange(60, 72))]
    features = CopyingLSTM.features(PITCHES, 8, 2)
    model = CopyingLSTM(PITCHES, hidden=8, copies=2, dropout=0.1, deafness=0.2, head=BernoulliHead(features, PITCHES))
    windows = SlidingWindows(rolls, input_frames=8, target_frames=8, hop=4)
    history = fit(model, windows, epochs=2, batch_size=4, progress=False)
    assert history.train_losses[1] < history.train_losses[0]
    assert likelihood(model, rolls).frames == 40


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden": 0}, "hidden"),
        ({"copies": -1}, "copies"),
        ({"deafness": 1.0}, "deafness"),
        ({"wrong_notes": -0.1}, "wrong_notes"),
        ({"head": BernoulliHead(192, PITCHES)}, "features=CopyingLSTM.features"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        CopyingLSTM(PITCHES, **settings)


def test_a_primer_of_other_pitches_is_refused() -> None:
    with pytest.raises(ShapeError, match="13"):
        model_of().start(torch.zeros(1, 4, 12).double())
    with pytest.raises(ShapeError, match="frames >= 1"):
        model_of().start(torch.zeros(1, 0, PITCHES).double())
