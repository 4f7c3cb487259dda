"""The multi-region CNN: parity with plain convolutions, weights, motion, bodies that come and go."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wtmr_core.models.bodies import BodyRegions, PlainBodies, bodies_present, moving, padded_parts
from wtmr_core.models.regions import FrameRegions, PlainFrames, RegionConv, RegionWeights
from wtmr_core.skeleton import PARTS

CHANNELS = (3, 4)
PLAIN = {"learned": False, "context": False, "motion": False}


def some(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def filled(network: nn.Module) -> nn.Module:
    """In evaluation mode, as loud behind a layer as before it, with nothing left at a start of zero or one."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, (2 / parameter[0].numel()) ** 0.5, generator=generator)
            else:
                parameter.normal_(float(name.endswith("weight")), 0.3, generator=generator)
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(0, 0.5, generator=generator)
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 2, generator=generator)
    return network.eval()


def frame_regions(channels: int = 1, grid: tuple[int, int] = (2, 2), **settings) -> FrameRegions:
    return filled(FrameRegions(channels, CHANNELS, grid, **settings))


def body_regions(**settings) -> BodyRegions:
    return filled(BodyRegions(CHANNELS, **settings))


def as_in(network: nn.Module, other: nn.Module) -> nn.Module:
    """`network` with the weights of `other`, as far as it has their parts."""
    assert not network.load_state_dict(other.state_dict(), strict=False).missing_keys
    return network


# --- convolution by region


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("grid", [(1, 1), (2, 2), (1, 3), (3, 2)])
def test_each_region_is_cut_out_of_the_whole_frame_under_its_own_kernels(grid, stride):
    gh, gw = grid
    h, w = 4 // stride, 2 // stride  # of a region in the result
    torch.manual_seed(0)
    conv, maps = RegionConv(2, 3, grid, stride), some(2, 2, 4 * gh, 2 * gw).requires_grad_()
    rows = []
    for y in range(gh):
        row = []
        for x in range(gw):
            kernels = conv.conv.weight[3 * (y * gw + x) :][:3]
            whole = F.conv2d(F.pad(maps, (1, 1, 1, 1)), kernels, stride=stride)
            row.append(whole[..., h * y : h * y + h, w * x : w * x + w])
        rows.append(torch.cat(row, dim=-1))
    expected = torch.cat(rows, dim=-2)
    torch.testing.assert_close(conv(maps), expected)
    onto, sources = some(*expected.shape, seed=2), (maps, conv.conv.weight)
    gradients = [torch.autograd.grad(out, sources, onto) for out in (conv(maps), expected)]
    torch.testing.assert_close(*gradients)


@torch.no_grad()
def test_a_grid_of_one_is_an_ordinary_convolution():
    conv, ordinary = RegionConv(2, 3, (1, 1)), nn.Conv2d(2, 3, 3, padding=1, bias=False)
    ordinary.load_state_dict(conv.conv.state_dict())
    torch.testing.assert_close(conv(some(2, 2, 5, 7)), ordinary(some(2, 2, 5, 7)))


@torch.no_grad()
def test_a_region_sees_across_its_border_and_no_further():
    conv, impulse = filled(RegionConv(1, 1, (2, 2))), torch.zeros(1, 1, 8, 8)
    impulse[..., 3, 1] = 1  # the last row of the upper left region
    assert conv(impulse)[0, 0].nonzero().tolist() == [[y, x] for y in (2, 3, 4) for x in (0, 1, 2)]
    # below the border it meets the lower left region's kernels: their first row, turned round
    torch.testing.assert_close(conv(impulse)[0, 0, 4, :3], conv.conv.weight[2, 0, 0].flip(0))


@torch.no_grad()
def test_all_regions_are_one_call():
    conv, maps = RegionConv(2, 3, (3, 2)), some(2, 2, 6, 4)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        conv(maps)
    assert {e.key: e.count for e in profile.key_averages()}["aten::convolution"] == 1


def test_a_map_that_the_grid_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="a map of 5×4 cells is not divided by a grid of 2×2 regions"):
        RegionConv(1, 1, (2, 2))(some(1, 1, 5, 4))


# --- weights


@torch.no_grad()
def test_weights_start_at_one_whatever_the_regions():
    torch.testing.assert_close(RegionWeights(5)(some(2, 4, 3), some(2, 2)), torch.ones(2, 4))


@torch.no_grad()
def test_weights_are_positive_one_on_average_and_go_with_their_region():
    weigh, maps, context = filled(RegionWeights(5, hidden=4)), some(3, 6, 3), some(3, 2)
    weights = weigh(maps, context)
    assert (weights > 0).all()
    assert (weights.std(dim=1) > 0.1).all()
    torch.testing.assert_close(weights.mean(dim=1), torch.ones(3))
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(weigh(maps[:, order], context), weights[:, order])


@torch.no_grad()
def test_the_context_says_which_region_counts():
    weigh, maps = filled(RegionWeights(5, hidden=4)), some(1, 4, 3)
    assert not torch.allclose(weigh(maps, some(1, 2)), weigh(maps, some(1, 2, seed=2)), atol=1e-3)


def test_every_weight_of_the_weights_learns():
    weigh = filled(RegionWeights(5, hidden=4))
    (weigh(some(3, 6, 3), some(3, 2)) * some(3, 6)).sum().backward()
    assert all(parameter.grad.any() for parameter in weigh.parameters())


# --- frames


@pytest.mark.parametrize("grid", [(1, 1), (2, 2), (1, 3), (3, 2)])
@pytest.mark.parametrize("channels", [1, 3])
@torch.no_grad()
def test_shapes_of_frames(grid, channels):
    found = frame_regions(channels, grid)(some(2, 3, channels, 24, 48))
    assert found.maps.shape == (2, 3, 4, 6, 12)
    assert found.weights.shape == (2, 3, grid[0] * grid[1])
    assert found.present is None


@torch.no_grad()
def test_without_weights_context_and_motion_frames_go_through_two_convolutions():
    network, clips = frame_regions(separate=False, **PLAIN), some(2, 3, 1, 16, 16)
    first, _, one, _, second, two, _ = network.steps
    frames = network.normalise(clips.flatten(0, 1))
    maps = one(F.max_pool2d(F.conv2d(frames, first.conv.weight, stride=2, padding=1), 2)).relu()
    maps = F.conv2d(maps, second.conv.weight, padding=1)
    torch.testing.assert_close(network(clips).maps, two(maps).relu().unflatten(0, (2, 3)))


@torch.no_grad()
def test_own_kernels_that_are_equal_are_shared_ones():
    own, shared = frame_regions(), frame_regions(separate=False)
    state = shared.state_dict()
    for key in ("steps.0.conv.weight", "steps.4.conv.weight"):
        assert own.state_dict()[key].numel() == 4 * state[key].numel()
        state[key] = state[key].repeat(4, 1, 1, 1)
    own.load_state_dict(state)
    clips = some(2, 3, 1, 16, 16)
    torch.testing.assert_close(own(clips).maps, shared(clips).maps)
    torch.testing.assert_close(own(clips).weights, shared(clips).weights)


@torch.no_grad()
def test_uniform_weights_are_one_and_learned_ones_change_with_the_frame():
    clips = some(2, 3, 1, 16, 16)
    network = frame_regions(learned=False)
    assert network.weights is None
    assert (network(clips).weights == 1).all()
    weights = frame_regions()(clips).weights
    torch.testing.assert_close(weights.mean(dim=2), torch.ones(2, 3))
    assert (weights.flatten(0, 1).std(dim=0) > 0).all()


@torch.no_grad()
def test_without_context_there_are_none_of_its_parts():
    names = [name for name, _ in frame_regions(context=False).named_parameters()]
    assert not [name for name in names if name.startswith(("context", "join"))]
    assert frame_regions(context=False).weights.score[0].in_features == 4
    assert frame_regions().weights.score[0].in_features == 8


def joined(network: nn.Module, maps: torch.Tensor, around: torch.Tensor) -> torch.Tensor:
    convolution, norm, _ = network.join
    return norm(F.conv2d(torch.cat([maps, around], dim=1), convolution.weight)).relu()


@pytest.mark.parametrize("halves", [True, False])
@torch.no_grad()
def test_the_context_is_two_convolutions_over_the_whole_frame_halved(halves):
    network = frame_regions(learned=False, motion=False, halves=halves)
    plain, clips = as_in(frame_regions(halves=halves, **PLAIN), network), some(2, 3, 1, 32, 32)
    frames = clips.flatten(0, 1)
    _, first, one, _, second, two, _ = network.context
    frames = F.avg_pool2d(network.normalise(frames), 2)
    around = one(F.conv2d(frames, first.weight, stride=2 if halves else 1, padding=1)).relu()
    around = two(F.conv2d(around, second.weight, padding=1)).relu()
    if not halves:  # the map of a backbone keeps its size
        around = F.interpolate(around, scale_factor=2, mode="bilinear")
    expected = joined(network, plain(clips).maps.flatten(0, 1), around)
    torch.testing.assert_close(network(clips).maps.flatten(0, 1), expected)


@pytest.mark.parametrize("context", [True, False])
@torch.no_grad()
def test_a_corner_changes_the_corner_of_the_map_and_by_learned_weights_all_of_it(context):
    clips = some(8, 1, 1, 32, 32)
    other = clips.clone()
    other[..., :6, :6] = some(8, 1, 1, 6, 6, seed=2)
    for learned in (False, True):
        network = frame_regions(context=context, learned=learned)
        changed = (network(clips).maps != network(other).maps).any(dim=2).any(dim=0)[0]  # h w
        assert changed[:2, :2].any()
        assert changed[5:, 5:].any() == learned


@torch.no_grad()
def test_motion_is_the_difference_to_the_frame_before_as_further_channels():
    network = frame_regions(channels=2)
    seen = as_in(frame_regions(channels=4, motion=False), network)
    clips = some(2, 3, 2, 16, 16)
    differences = torch.stack([0 * clips[:, 0], clips[:, 1] - clips[:, 0], clips[:, 2] - clips[:, 1]], dim=1)
    torch.testing.assert_close(network(clips).maps, seen(torch.cat([clips, differences], dim=2)).maps)
    still = clips[:, :1].expand(-1, 3, -1, -1, -1)
    torch.testing.assert_close(network(still).maps, seen(torch.cat([still, 0 * still], dim=2)).maps)


@pytest.mark.parametrize(("motion", "expected"), [(True, [2, 3]), (False, [2])])
@torch.no_grad()
def test_a_frame_changes_its_own_map_and_by_motion_the_next(motion, expected):
    network, clips = frame_regions(motion=motion), some(1, 5, 1, 16, 16)
    other = clips.clone()
    other[:, 2] = some(16, 16, seed=2)
    changed = (network(clips).maps != network(other).maps).flatten(2).any(dim=2)[0]
    assert changed.nonzero().flatten().tolist() == expected


@torch.no_grad()
def test_a_weight_multiplies_its_region_alone():
    weighed, plain = frame_regions(context=False), frame_regions(context=False, learned=False)
    as_in(plain, weighed)
    weighed.weights.forward = lambda regions, context: torch.tensor([2.0, 0.0, 1.0, 5.0]).expand(len(regions), 4)
    maps = plain(some(2, 3, 1, 16, 16)).maps  # of 4×4 cells
    expected = maps.clone()
    expected[..., :2, :2] *= 2
    expected[..., :2, 2:] *= 0
    expected[..., 2:, 2:] *= 5
    found = weighed(some(2, 3, 1, 16, 16))
    torch.testing.assert_close(found.maps, expected)
    assert found.weights.shape == (2, 3, 4)
    assert found.weights[1, 2].tolist() == [2, 0, 1, 5]


@torch.no_grad()
def test_weights_come_from_the_mean_of_each_region_and_of_the_context():
    network, clips, given = frame_regions(), some(2, 1, 1, 16, 16), {}
    plain = as_in(frame_regions(context=False, learned=False), network)

    def keep(regions, context):
        given.update(regions=regions, context=context)
        return regions.new_ones(len(regions), 4)

    network.weights.forward = keep
    network(clips)
    maps = plain(clips).maps[:, 0]
    cells = [maps[..., y : y + 2, x : x + 2].mean(dim=(2, 3)) for y in (0, 2) for x in (0, 2)]
    torch.testing.assert_close(given["regions"], torch.stack(cells, dim=1))
    assert given["context"].shape == (2, 4)


@pytest.mark.parametrize("separate", [True, False])
@pytest.mark.parametrize(
    ("size", "grid"),
    [((30, 32), (1, 1)), ((32, 34), (1, 1)), ((28, 32), (2, 2)), ((34, 34), (2, 2)), ((16, 16), (1, 3))],
)
def test_frames_that_grid_and_pools_do_not_divide_are_refused(size, grid, separate):
    said = (
        f"a frame of {size[0]}×{size[1]} pixels, halved twice, is not divided by a grid of {grid[0]}×{grid[1]} regions"
    )
    with pytest.raises(ValueError, match=said):
        FrameRegions(1, CHANNELS, grid, separate=separate)(some(1, 2, 1, *size))


# --- bodies

M1, M2 = (2, 6, 1, 25, 3), (2, 6, 2, 25, 3)


def mixed() -> torch.Tensor:
    """Joints (b=2, t=6, m=2, 25, 3): one body, and two."""
    joints = some(*M2)
    joints[0, :, 1] = 0
    return joints


def test_parts_are_filled_up_to_the_longest():
    padded = padded_parts()
    assert padded.shape == (5, 7)
    assert [sorted(set(row)) for row in padded.tolist()] == [sorted(part) for part in PARTS.values()]


def test_a_body_that_appears_or_is_lost_does_not_move_there():
    joints = torch.zeros(1, 4, 25, 3)
    joints[0, 1:3] = 2.0  # seen in the second and third frame, at rest
    joints[0, 2, 4, 0] = 3.0
    moves = moving(joints)[0, ..., 3:6]
    assert moves[[0, 1, 3]].eq(0).all()
    assert moves.nonzero().tolist() == [[2, 4, 0]]


def test_moving_by_hand():
    joints = torch.zeros(1, 3, 25, 3)
    joints[0, :, 20] = torch.tensor([0.0, 1.0, 3.0])  # the chest, at rest
    joints[0, :, 4, 0] = torch.tensor([0.2, 0.2, 0.5])  # the left shoulder, which hangs on it
    found = moving(joints)
    assert found.shape == (1, 3, 25, 9)
    expected = [
        [0.2, 0, 0, 0, 0, 0, 0.2, -1, -3],
        [0.2, 0, 0, 0, 0, 0, 0.2, -1, -3],
        [0.5, 0, 0, 0.3, 0, 0, 0.5, -1, -3],
    ]
    torch.testing.assert_close(found[0, :, 4], torch.tensor(expected))
    assert found[0, :, 0].eq(0).all()  # the hips hang on themselves
    torch.testing.assert_close(found[0, 1, 20], torch.tensor([0.0, 1, 3, 0, 0, 0, 0, 1, 3]))  # the waist is at zero


@pytest.mark.parametrize("settings", [{}, {"separate": False}, {"context": False}, {"learned": False}, PLAIN])
@pytest.mark.parametrize("m", [1, 2])
@torch.no_grad()
def test_shapes_of_bodies(settings, m):
    found = body_regions(**settings)(some(2, 6, m, 25, 3))
    assert found.maps.shape == (2, 6, 4, m, 5)
    assert found.weights.shape == (2, 6, 5 * m)
    assert found.present is None
    torch.testing.assert_close(found.weights.unflatten(2, (m, 5)).mean(dim=3), torch.ones(2, 6, m))


@pytest.mark.parametrize("separate", [True, False])
@torch.no_grad()
def test_each_part_is_two_convolutions_along_its_bones(separate):
    network, joints = body_regions(separate=separate, **PLAIN), some(*M1)
    first, one, _, second, two, _ = network.steps
    body_maps = network.normalise(joints[:, :, 0].permute(0, 3, 1, 2))  # i c t j
    for number, part in enumerate(padded_parts()):
        here = slice(3 * number, 3 * number + 3) if separate else slice(3)
        then = slice(4 * number, 4 * number + 4) if separate else slice(4)

        def norm(maps, layer, at):
            return F.batch_norm(maps, layer.running_mean[at], layer.running_var[at], layer.weight[at], layer.bias[at])

        maps = norm(F.conv2d(body_maps[..., part], first.weight[here], padding=1), one, here).relu()
        maps = norm(F.conv2d(maps, second.weight[then], padding=(1, 0)), two, then).relu()  # i c t 1
        torch.testing.assert_close(network(joints).maps[:, :, :, 0, number], maps[..., 0].mT)


@torch.no_grad()
def test_a_weight_multiplies_its_part_alone():
    weighed, joints, given = body_regions(context=False), some(*M2), torch.tensor([2.0, 0.0, 1.0, 5.0, 3.0])
    plain = as_in(body_regions(context=False, learned=False), weighed)
    weighed.weights.forward = lambda parts, context: given.expand(len(parts), 5)
    torch.testing.assert_close(weighed(joints).maps, plain(joints).maps * given)
    assert weighed(joints).weights[1, 2].tolist() == 2 * given.tolist()


def test_own_kernels_are_five_times_the_shared_ones():
    def count(separate):
        return sum(p.numel() for p in BodyRegions(CHANNELS, separate=separate).steps.parameters())

    assert count(True) == 5 * count(False)


@pytest.mark.parametrize("settings", [{}, {"learned": False, "context": False}])
@torch.no_grad()
def test_an_absent_second_body_changes_nothing(settings):
    network = body_regions(**settings)
    joints = some(*M1)
    padded = torch.cat([joints, torch.zeros_like(joints)], dim=2)
    found, expected = network(padded), network(joints)
    assert torch.equal(found.maps, expected.maps)
    assert torch.equal(found.weights, expected.weights)
    assert found.present is expected.present is None
    one, two = copy.deepcopy(network).train(), copy.deepcopy(network).train()
    assert torch.equal(one(joints).maps, two(padded).maps)
    before, after = network.state_dict(), one.state_dict()
    assert not torch.equal(before["steps.1.running_mean"], after["steps.1.running_mean"])
    for key, value in two.state_dict().items():
        assert torch.equal(value, after[key]), key


@torch.no_grad()
def test_clips_of_one_and_two_bodies_share_a_batch():
    network, joints = body_regions(), mixed()
    found = network(joints)
    assert found.present.tolist() == [[True] * 5 + [False] * 5, [True] * 10]
    assert not found.maps[0, :, :, 1].any()
    assert not found.weights[0, :, 5:].any()
    one, two = network(joints[:1]), network(joints[1:])
    assert one.maps.shape[3] == 1
    torch.testing.assert_close(found.maps[:1, :, :, :1], one.maps)
    torch.testing.assert_close(found.weights[:1, :, :5], one.weights)
    torch.testing.assert_close(found.maps[1:], two.maps)
    torch.testing.assert_close(found.weights[1:], two.weights)


@torch.no_grad()
def test_statistics_of_a_mixed_batch_are_those_of_its_three_bodies():
    mixed_batch, bodies = body_regions().train(), body_regions().train()
    joints = mixed()
    mixed_batch(joints)
    bodies(torch.stack([joints[0, :, 0], joints[1, :, 0], joints[1, :, 1]])[:, :, None])
    for key, value in bodies.state_dict().items():
        torch.testing.assert_close(mixed_batch.state_dict()[key], value)


@torch.no_grad()
def test_bodies_that_change_places_change_rows():
    network, joints = body_regions(), some(*M2)
    found, swapped = network(joints), network(joints.flip(2))
    torch.testing.assert_close(swapped.maps, found.maps.flip(3))
    torch.testing.assert_close(swapped.weights.unflatten(2, (2, 5)), found.weights.unflatten(2, (2, 5)).flip(2))


@pytest.mark.parametrize("motion", [True, False])
@pytest.mark.parametrize(
    ("joint", "parts"), [(6, ["left arm"]), (22, ["left arm"]), (18, ["right leg"]), (3, ["trunk"]),
                         (20, ["trunk", "left arm", "right arm"])],
)  # fmt: skip
@torch.no_grad()
def test_a_joint_changes_the_parts_that_hold_it(joint, parts, motion):
    network, joints = body_regions(context=False, learned=False, motion=motion), some(8, 6, 1, 25, 3)
    other = joints.clone()
    other[:, 3, 0, joint] += 1
    changed = (network(joints).maps != network(other).maps).any(dim=2).any(dim=0)[:, 0]  # t r
    assert [name for name, one in zip(PARTS, changed.any(dim=0), strict=True) if one] == parts
    # two convolutions over three frames each, and by motion one frame more
    assert changed.any(dim=1).nonzero().flatten().tolist() == [1, 2, 3, 4, 5]


@torch.no_grad()
def test_the_context_is_two_convolutions_over_the_whole_body():
    network, joints = body_regions(learned=False, motion=False), some(*M1)
    plain = as_in(body_regions(**PLAIN), network)
    first, one, _, second, two, _ = network.context
    around = network.normalise(joints[:, :, 0].permute(0, 3, 1, 2))  # i c t j
    around = one(F.conv2d(around, first.weight, padding=(1, 0))).relu()
    around = two(F.conv2d(around, second.weight, padding=(1, 0))).relu()  # i c t 1
    maps = plain(joints).maps[:, :, :, 0].transpose(1, 2)  # i c t r
    expected = joined(network, maps, around.repeat(1, 1, 1, 5))
    torch.testing.assert_close(network(joints).maps[:, :, :, 0].transpose(1, 2), expected)


@torch.no_grad()
def test_the_context_joins_all_parts():
    network, joints = body_regions(learned=False), some(*M2)
    other = joints.clone()
    other[:, 3, 0, 6] += 1
    changed = (network(joints).maps != network(other).maps).any(dim=2).any(dim=1).any(dim=0)  # m r
    assert changed[0].all()
    assert not changed[1].any()  # of that body alone
    names = [name for name, _ in body_regions(context=False).named_parameters()]
    assert not [name for name in names if name.startswith(("context", "join"))]


@pytest.mark.parametrize("network", [BodyRegions(CHANNELS), PlainBodies()], ids=["BodyRegions", "PlainBodies"])
@torch.no_grad()
def test_a_clip_of_nobody_has_a_first_body(network):
    found = network.eval()(torch.zeros(M2))
    assert found.maps.shape[3] == 1
    assert found.present is None
    assert found.maps.isfinite().all()
    # and so has one whose only body comes second
    joints = some(*M2)
    joints[0, :, 0] = 0
    assert network(joints).present is None


@pytest.mark.parametrize(
    "shape", [(2, 6, 3, 25, 3), (2, 6, 1, 24, 3), (2, 6, 25, 3), (2, 6, 1, 25, 2), (2, 6, 0, 25, 3)]
)
@pytest.mark.parametrize("network", [BodyRegions(CHANNELS), PlainBodies()], ids=["BodyRegions", "PlainBodies"])
def test_other_bodies_and_joints_are_refused(network, shape):
    said = rf"\(b, t, m=1 or 2, j=25, 3\), found \({', '.join(map(str, shape))}\)"
    with pytest.raises(ValueError, match=said):
        network(some(*shape))


def test_which_bodies_are_there():
    joints = mixed()
    bodies, there = bodies_present(joints)
    assert there.tolist() == [[True, False], [True, True]]
    assert torch.equal(bodies, torch.stack([joints[0, :, 0], joints[1, :, 0], joints[1, :, 1]]))
    joints[0, 3, 1, 7, 0] = 0.1  # seen once is there
    assert bodies_present(joints)[1].all()


# --- without a CNN


def test_plain_frames_and_bodies_are_what_was_given():
    clips = some(2, 3, 1, 8, 8)
    found = PlainFrames()(clips)
    assert torch.equal(found.maps, clips)
    assert found.weights.shape == (2, 3, 1)
    assert found.present is None

    joints = mixed()
    found = PlainBodies()(joints)
    assert found.maps.shape == (2, 6, 21, 2, 5)
    for r, part in enumerate(padded_parts()):
        for m in range(2):
            assert torch.equal(found.maps[:, :, :, m, r], joints[:, :, m, part].flatten(2))
    assert found.present.tolist() == [[True] * 5 + [False] * 5, [True] * 10]
    assert torch.equal(found.weights, found.present[:, None].expand(-1, 6, -1).float())
    assert not list(PlainBodies().parameters())
    assert not PlainBodies().state_dict()
