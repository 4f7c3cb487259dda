"""Patches and their encodings: against plain indexing, where places are absent, resized, and what is refused."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wtmr_core.models.embedding import Encodings, PatchEmbedding, PatchMeans, resized_position, resized_time


def some(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("patch", [(1, 2, 3), (2, 2, 1), (3, 1, 2)])
@torch.no_grad()
def test_patches_are_those_of_a_convolution(patch):
    maps, embedding = some(2, 6, 3, 4, 6), PatchEmbedding(3, patch, 5)
    weight = embedding.project.weight.view(5, 3, *patch)
    expected = F.conv3d(maps.transpose(1, 2), weight, embedding.project.bias, stride=patch)  # (b, d, t, h, w)
    tokens = embedding(maps)
    assert tokens.shape == (2, 6 // patch[0], 4 // patch[1] * (6 // patch[2]), 5)
    torch.testing.assert_close(tokens, expected.flatten(3).permute(0, 2, 3, 1))


@pytest.mark.parametrize("patch", [(4, 2, 2), (2, 3, 2), (2, 2, 4)])
def test_maps_that_patches_do_not_divide_are_refused(patch):
    o, p, q = patch
    with pytest.raises(ValueError, match=f"6 frames of 4×6 cells are not divided by patches of {o} frames of {p}×{q}"):
        PatchEmbedding(3, patch, 5)(some(2, 6, 3, 4, 6))
    with pytest.raises(ValueError, match=f"patches of {o} frames of {p}×{q}"):
        PatchMeans(patch)(some(2, 6, 3, 4, 6))


@pytest.mark.parametrize("patch", [(1, 2, 3), (2, 2, 1), (3, 1, 2)])
def test_means_of_patches_are_those_of_pooling(patch):
    maps = some(2, 6, 3, 4, 6)
    expected = F.avg_pool3d(maps.transpose(1, 2), patch)  # (b, c, t, h, w)
    torch.testing.assert_close(PatchMeans(patch)(maps), expected.flatten(3).permute(0, 2, 3, 1))


@torch.no_grad()
def test_a_token_gets_the_encodings_of_its_place_and_of_its_frame():
    tokens, encodings = some(2, 3, 6, 5), Encodings(5, 3, (2, 3))
    class_token, encoded = encodings(tokens)
    assert torch.equal(class_token, (encodings.class_token + encodings.position[:, :1]).repeat(2, 1, 1))
    for t in range(3):
        for n in range(6):
            expected = tokens[:, t, n] + encodings.position[0, 1 + n] + encodings.time[0, t]
            torch.testing.assert_close(encoded[:, t, n], expected)


@torch.no_grad()
def test_without_encodings_of_time_frames_are_told_apart_by_nothing_and_may_be_any_number():
    encodings = Encodings(5, 3, (2, 3), time=False)
    assert [name for name, _ in encodings.named_parameters()] == ["class_token", "position"]
    _, encoded = encodings(torch.zeros(2, 7, 6, 5))
    assert (encoded == encodings.position[0, 1:]).all()


def test_all_that_is_learned_starts_small():
    encodings = Encodings(64, 16, (4, 4))
    for parameter in encodings.parameters():
        assert parameter.std().item() == pytest.approx(0.02, rel=0.5)


@torch.no_grad()
def test_the_first_rows_of_the_grid_have_the_first_positions():
    tokens, encodings = some(2, 3, 6, 5), Encodings(5, 3, (2, 3))
    assert torch.equal(encodings(tokens[:, :, :3])[1], encodings(tokens)[1][:, :, :3])


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 4, 6, 5), "4 frames of tokens, but encodings for 3; `resize` makes them fit"),
        ((2, 2, 6, 5), "2 frames of tokens, but encodings for 3; `resize` makes them fit"),
        ((2, 3, 9, 5), "9 places in a frame, but encodings for 6, 2 rows of 3; `resize` makes them fit"),
        ((2, 3, 4, 5), "4 places in a frame, but encodings for 6, 2 rows of 3; `resize` makes them fit"),
    ],
)
def test_tokens_without_encodings_are_refused_until_these_are_resized(shape, message):
    encodings = Encodings(5, 3, (2, 3))
    with pytest.raises(ValueError, match=message):
        encodings(some(*shape))
    encodings.resize(shape[1], (1, shape[2]))
    assert encodings(some(*shape))[1].shape == shape


def test_resize_gives_parameters_and_leaves_what_fits():
    encodings = Encodings(5, 3, (2, 3))
    position, time = encodings.position, encodings.time
    encodings.resize(3, (2, 3))
    assert encodings.position is position
    assert encodings.time is time
    encodings.resize(6, (4, 6))
    assert dict(encodings.named_parameters()).keys() == {"class_token", "position", "time"}
    assert all(parameter.requires_grad and parameter.is_leaf for parameter in encodings.parameters())
    assert torch.equal(encodings.position[:, 0], position[:, 0])  # the class token's
    assert encodings.grid == (4, 6)

    frozen = Encodings(5, 3, (2, 3)).requires_grad_(False)
    frozen.resize(6, (4, 6))
    assert not any(parameter.requires_grad for parameter in frozen.parameters())


def test_resize_passes_over_encodings_of_time_that_are_not_there():
    encodings = Encodings(5, 3, (2, 3), time=False)
    encodings.resize(6, (2, 3))
    assert encodings.time is None


def test_what_is_the_same_everywhere_stays_so_and_what_rises_still_rises():
    assert torch.allclose(resized_position(torch.full((1, 7, 5), 0.3), (2, 3), (5, 4)), torch.tensor(0.3))
    rows = torch.arange(4.0).repeat_interleave(3)  # a grid of 4 × 3, each row one higher
    position = torch.cat([torch.tensor([9.0]), rows])[None, :, None]
    resized = resized_position(position, (4, 3), (8, 2))[0, 1:, 0].view(8, 2)
    assert torch.equal(resized[:, 0], resized[:, 1])
    assert (resized.diff(dim=0) > 0).all()
    time = resized_time(torch.tensor([[[0.0], [1.0]]]), 4)
    torch.testing.assert_close(time.flatten(), torch.tensor([0.0, 0.25, 0.75, 1.0]))


def test_all_weights_learn():
    embedding, encodings = PatchEmbedding(3, (2, 2, 2), 5), Encodings(5, 3, (2, 3))
    class_token, tokens = encodings(embedding(some(2, 6, 3, 4, 6)))
    (class_token.sum() + (tokens**2).sum()).backward()
    for module in (embedding, encodings):
        assert isinstance(module, nn.Module)
        assert all(parameter.grad.abs().sum() > 0 for parameter in module.parameters())
