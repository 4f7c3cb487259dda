"""TimeSformer's encoder: what each attention sees, absent places, depth and refusals. Parity is in test_pretrained."""

import pytest
import torch
from torch import nn

from wtmr_core.models.timesformer import ATTENTION, Block, TimeSformer

every_attention = pytest.mark.parametrize("attention", ATTENTION)
B, T, N, D = 2, 3, 4, 8


def network(attention: str, depth: int = 2, **settings) -> TimeSformer:
    """A small network in evaluation mode whose biases and norms are not trivial either."""
    torch.manual_seed(0)
    made = TimeSformer(D, depth, 2, attention=attention, **settings).eval()
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.5)
    return made


def some_tokens(seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Class token (b, 1, d) and tokens (b, t, n, d)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(B, 1, D, generator=generator), torch.randn(B, T, N, D, generator=generator)


@every_attention
@pytest.mark.parametrize("depth", [0, 1, 3])
@torch.no_grad()
def test_shapes_stay_for_any_depth(attention, depth):
    class_token, tokens = some_tokens()
    made = network(attention, depth)
    out = made(class_token, tokens)
    assert [x.shape for x in out] == [class_token.shape, tokens.shape]
    if depth == 0:
        torch.testing.assert_close(out, (made.norm(class_token), made.norm(tokens)))


@every_attention
@torch.no_grad()
def test_what_a_token_sees(attention):
    """One token is changed; which others change, after one block?"""
    class_token, tokens = some_tokens()
    other = tokens.clone()
    other[:, 1, 2] = tokens[:, 1, 2].flip(-1)
    made = network(attention, 1)
    before, after = made(class_token, tokens), made(class_token, other)
    changed = (before[1] - after[1]).abs().amax(dim=(0, 3)) > 1e-6  # (t, n)
    expected = torch.ones(T, N, dtype=torch.bool)
    if attention == "space":
        expected[[0, 2]] = False
    # in divided attention a frame sees what its own places have just seen of other frames: all of them here
    assert torch.equal(changed, expected)
    assert not torch.allclose(before[0], after[0])  # the class token sees all

    after = made(class_token, torch.stack([tokens[0], tokens[1].flip(-1)]))
    torch.testing.assert_close(before[1][0], after[1][0])  # no clip sees another


@torch.no_grad()
def test_divided_attention_sees_its_place_in_all_frames_and_then_its_frame():
    """With the second of the two off, a changed token changes its own place alone."""
    class_token, tokens = some_tokens()
    other = tokens.clone()
    other[:, 1, 2] = tokens[:, 1, 2].flip(-1)
    made = network("divided", 1)
    for part in (made.blocks[0].attention.project, made.blocks[0].mlp.fc2):
        nn.init.zeros_(part.weight)
        nn.init.zeros_(part.bias)
    changed = (made(class_token, tokens)[1] - made(class_token, other)[1]).abs().amax(dim=(0, 3)) > 1e-6
    expected = torch.zeros(T, N, dtype=torch.bool)
    expected[:, 2] = True
    assert torch.equal(changed, expected)


@torch.no_grad()
def test_space_attention_is_that_of_each_frame_alone():
    class_token, tokens = some_tokens()
    made = network("space")
    whole = made(class_token, tokens)
    alone = [made(class_token, tokens[:, t : t + 1]) for t in range(T)]
    torch.testing.assert_close(whole[1], torch.cat([frame for _, frame in alone], dim=1))
    torch.testing.assert_close(whole[0], torch.stack([token for token, _ in alone]).mean(0))


@every_attention
@torch.no_grad()
def test_absent_places_change_nothing(attention):
    class_token, tokens = some_tokens()
    made = network(attention)
    present = torch.tensor([[True, True, False, False], [True, False, True, True]])
    before = made(class_token, tokens, present)
    assert not torch.allclose(before[0], made(class_token, tokens)[0])

    others = torch.where(present[:, None, :, None], tokens, 50 * some_tokens(seed=2)[1])
    after = made(class_token, others, present)
    torch.testing.assert_close(before[0], after[0])
    for b in range(B):
        torch.testing.assert_close(before[1][b, :, present[b]], after[1][b, :, present[b]])
        # the same as if those places did not exist
        without = made(class_token[b : b + 1], tokens[b : b + 1, :, present[b]])
        torch.testing.assert_close(before[0][b : b + 1], without[0])
        torch.testing.assert_close(before[1][b : b + 1, :, present[b]], without[1])


@every_attention
@torch.no_grad()
def test_where_all_is_present_the_mask_changes_nothing(attention):
    class_token, tokens = some_tokens()
    made = network(attention)
    masked = made(class_token, tokens, torch.ones(B, N, dtype=torch.bool))
    torch.testing.assert_close(masked, made(class_token, tokens))


def test_no_gradient_reaches_absent_places():
    for attention in ATTENTION:
        class_token, tokens = some_tokens()
        tokens.requires_grad_()
        present = torch.tensor([[True, True, True, False]]).repeat(B, 1)
        out = network(attention)(class_token, tokens, present)
        (out[0].sum() + (out[1][:, :, :3] ** 2).sum()).backward()
        assert not tokens.grad[:, :, 3].any()
        assert tokens.grad[:, :, :3].any()


@every_attention
def test_paths_are_dropped_in_training_alone_and_more_towards_the_end(attention):
    made = network(attention, 3, drop_path=0.4)
    assert [block.drop_path.drop_prob for block in made.blocks] == pytest.approx([0, 0.2, 0.4])
    class_token, tokens = some_tokens()
    torch.testing.assert_close(made(class_token, tokens), made(class_token, tokens))
    made.train()
    torch.manual_seed(0)
    assert len({round(made(class_token, tokens)[1].sum().item(), 3) for _ in range(8)}) > 1


@every_attention
def test_each_weight_learns(attention):
    made = network(attention)
    out = made(*some_tokens())
    (out[0].square().sum() + out[1].square().sum()).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in made.parameters())


def test_only_divided_blocks_have_weights_over_time():
    assert not any("time" in name for name, _ in Block(D, 2).named_parameters())
    assert any("time" in name for name, _ in Block(D, 2, divided=True).named_parameters())


def test_what_cannot_be_built():
    with pytest.raises(ValueError, match="attention is 'both'; it can be joint, divided, space"):
        TimeSformer(D, 1, 2, attention="both")
    with pytest.raises(ValueError, match="width must be a multiple of 3, since 3 heads share it; found 8"):
        TimeSformer(D, 1, 3)


def test_it_can_be_built_on_the_meta_device():
    with torch.device("meta"):
        assert next(TimeSformer(D, 2, 2, drop_path=0.1).parameters()).is_meta


@every_attention
@torch.no_grad()
def test_bf16_by_autocast(attention):
    made, inputs = network(attention), some_tokens()
    present = torch.tensor([[True, True, True, False]]).repeat(B, 1)
    with torch.autocast("cpu", torch.bfloat16):
        found = made(*inputs, present)
    torch.testing.assert_close(found[0].float(), made(*inputs, present)[0], rtol=0.2, atol=0.2)


@torch.no_grad()
def test_the_compiler_takes_the_whole_forward_in_one_graph():
    present = torch.tensor([[True, True, True, False]]).repeat(B, 1)
    made, inputs = network("divided", 1), (*some_tokens(), present)
    compiled = torch.compile(made, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(*inputs), made(*inputs))
