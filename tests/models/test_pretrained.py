"""Weights in Hugging Face's layout: outputs and gradients as Hugging Face's, other sizes, and what is refused."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from wtmr_core.models.embedding import Encodings, PatchEmbedding, resized_position, resized_time
from wtmr_core.models.pretrained import load_timesformer
from wtmr_core.models.timesformer import TimeSformer

transformers = pytest.importorskip("transformers")

KINDS = {"joint": "joint_space_time", "divided": "divided_space_time", "space": "space_only"}
WIDTH, DEPTH, HEADS, SIZE, PATCH, FRAMES = 32, 3, 4, 32, 8, 4
GRID = (SIZE // PATCH, SIZE // PATCH)
PROJECTION = {f"embeddings.patch_embeddings.projection.{kind}" for kind in ("weight", "bias")}


def theirs(attention: str, head: bool = False) -> nn.Module:
    """Hugging Face's network with weights that are all random, those it starts at 0 or 1 too."""
    config = transformers.TimesformerConfig(
        image_size=SIZE, patch_size=PATCH, num_frames=FRAMES, hidden_size=WIDTH, num_hidden_layers=DEPTH,
        num_attention_heads=HEADS, intermediate_size=4 * WIDTH, attention_type=KINDS[attention],
    )  # fmt: skip
    kind = transformers.TimesformerForVideoClassification if head else transformers.TimesformerModel
    made, generator = kind(config).eval(), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            norm = "layernorm" in name and name.endswith("weight")
            parameter.normal_(1 if norm else 0, 0.2, generator=generator)
    return made


def ours(attention: str, *, width: int = WIDTH, depth: int = DEPTH, frames: int = FRAMES, grid: tuple[int, int] = GRID,
         patch: tuple[int, int, int] = (1, PATCH, PATCH), channels: int = 3) -> nn.ModuleList:  # fmt: skip
    """Patches, encodings and TimeSformer, in evaluation mode."""
    encodings = Encodings(width, frames, grid, time=attention != "space")
    parts = [PatchEmbedding(channels, patch, width), encodings, TimeSformer(width, depth, HEADS, attention=attention)]
    return nn.ModuleList(parts).eval()


def run(parts: nn.ModuleList, clips: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    embedding, encodings, timesformer = parts
    return timesformer(*encodings(embedding(clips)))


def clips() -> torch.Tensor:
    return torch.randn(2, FRAMES, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


def saved(path, network: nn.Module | dict):
    weights = network if isinstance(network, dict) else network.state_dict()
    if path.suffix == ".safetensors":
        save_file({name: weight.contiguous() for name, weight in weights.items()}, path)
    else:
        torch.save(weights, path)
    return path


def snapshot(parts: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in parts.state_dict().items()}


# --- parity


@pytest.mark.parametrize("attention", KINDS)
def test_outputs_and_gradients_are_those_of_hugging_face(attention, tmp_path):
    reference, parts = theirs(attention), ours(attention)
    assert load_timesformer(saved(tmp_path / "model.safetensors", reference), *parts) == []

    expected = reference(clips()).last_hidden_state
    class_token, tokens = run(parts, clips())
    if attention == "space":  # (b t, 1 + n, d)
        expected_tokens = expected[:, 1:].unflatten(0, (2, FRAMES))
        expected_class = expected[:, :1].unflatten(0, (2, FRAMES)).mean(dim=1)
    else:  # (b, 1 + n t, d)
        expected_tokens = expected[:, 1:].unflatten(1, (-1, FRAMES)).transpose(1, 2)
        expected_class = expected[:, :1]
    torch.testing.assert_close(class_token, expected_class, rtol=0, atol=1e-5)
    torch.testing.assert_close(tokens, expected_tokens, rtol=0, atol=1e-5)

    draw = torch.Generator().manual_seed(2)
    for_class, for_tokens = (torch.randn(x.shape, generator=draw) for x in (class_token, tokens))
    ((class_token * for_class).sum() + (tokens * for_tokens).sum()).backward()
    ((expected_class * for_class).sum() + (expected_tokens * for_tokens).sum()).backward()
    first, their_first = parts[2].blocks[0], reference.encoder.layer[0]
    their_projection = reference.embeddings.patch_embeddings.projection
    pairs = [
        (first.attention.qkv.weight, their_first.attention.attention.qkv.weight),
        (parts[0].project.weight, their_projection.weight),
        (parts[1].position, reference.embeddings.position_embeddings),
    ]
    if attention == "divided":
        pairs.append((first.time_project.weight, their_first.temporal_dense.weight))
    for our, their in pairs:
        torch.testing.assert_close(our.grad, their.grad.view(our.shape), rtol=1e-4, atol=1e-4)


# --- files


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "weights.pt", "weights.pth"])
@pytest.mark.parametrize("head", [False, True])
def test_any_format_with_and_without_the_prefix_of_a_classifier(name, head, tmp_path):
    reference, parts = theirs("divided", head), ours("divided")
    unused = load_timesformer(str(saved(tmp_path / name, reference)), *parts)
    assert unused == (["classifier.bias", "classifier.weight"] if head else [])
    body = reference.timesformer if head else reference
    torch.testing.assert_close(run(parts, clips())[0], body(clips()).last_hidden_state[:, :1], rtol=0, atol=1e-5)


def test_half_precision_becomes_that_of_the_network(tmp_path):
    path, parts = saved(tmp_path / "model.safetensors", theirs("joint").half()), ours("joint", grid=(3, 3))
    assert load_timesformer(path, *parts) == []
    assert {parameter.dtype for parameter in parts.parameters()} == {torch.float32}


def test_encodings_are_resized_to_frames_and_grid(tmp_path):
    reference, parts = theirs("joint"), ours("joint", frames=6, grid=(2, 5))
    assert load_timesformer(saved(tmp_path / "model.safetensors", reference), *parts) == []
    embeddings = reference.embeddings
    assert torch.equal(parts[1].position, resized_position(embeddings.position_embeddings, GRID, (2, 5)))
    assert torch.equal(parts[1].time, resized_time(embeddings.time_embeddings, 6))
    assert torch.equal(parts[1].class_token, embeddings.cls_token)


@pytest.mark.parametrize(
    ("channels", "patch"),
    [(1, (1, 8, 8)), (3, (1, 4, 4)), (3, (2, 8, 8)), (12, (1, 4, 4)), (3, (1, 4, 16))],  # the last two: as many numbers
)
def test_patches_of_another_shape_keep_their_projection(channels, patch, tmp_path):
    parts = ours("joint", channels=channels, patch=patch)
    before = snapshot(parts[0])
    assert set(load_timesformer(saved(tmp_path / "model.safetensors", theirs("joint")), *parts)) == PROJECTION
    torch.testing.assert_close(snapshot(parts[0]), before)


def test_without_patches_their_projection_is_left_over(tmp_path):
    _, encodings, timesformer = ours("joint")
    path = saved(tmp_path / "model.safetensors", theirs("joint"))
    assert set(load_timesformer(path, None, encodings, timesformer)) == PROJECTION


@pytest.mark.parametrize("attention", ["joint", "space"])
def test_weights_of_divided_attention_serve_the_others(attention, tmp_path):
    reference, parts = theirs("divided"), ours(attention)
    unused = load_timesformer(saved(tmp_path / "model.safetensors", reference), *parts)
    left = {name for name in reference.state_dict() if ".temporal_" in name}
    assert set(unused) == left | ({"embeddings.time_embeddings"} if attention == "space" else set())
    qkv = reference.encoder.layer[1].attention.attention.qkv.weight
    assert torch.equal(parts[2].blocks[1].attention.qkv.weight, qkv)


@pytest.mark.parametrize("depth", [0, 2])
def test_of_more_blocks_the_first_are_used(depth, tmp_path):
    reference, parts = theirs("joint"), ours("joint", depth=depth)
    unused = load_timesformer(saved(tmp_path / "model.safetensors", reference), *parts)
    numbers = [f"encoder.layer.{number}." for number in range(depth, DEPTH)]
    assert unused == sorted(name for name in reference.state_dict() if name.startswith(tuple(numbers)))
    for number, block in enumerate(parts[2].blocks):
        assert torch.equal(block.mlp.fc2.bias, reference.encoder.layer[number].output.dense.bias)


# --- refusals, after which nothing is changed


FACEBOOK = "model.blocks.0.attn.qkv.weight"
DENSE = "encoder.layer.2.output.dense.weight"


def facebook() -> dict:
    return {"model.cls_token": torch.zeros(1, 1, WIDTH), FACEBOOK: torch.zeros(3 * WIDTH, WIDTH)}


def lacking(part: str) -> dict:
    return {name: value for name, value in theirs("divided").state_dict().items() if part not in name}


def having(name: str, *shape: int) -> dict:
    return theirs("joint").state_dict() | {name: torch.zeros(shape)}


@pytest.mark.parametrize(
    ("weights", "network", "message"),
    [
        (lambda: theirs("divided"), {"width": 16}, "holds weights of width 32, the network is of width 16"),
        (lambda: theirs("divided"), {"depth": 4}, "has 3 blocks, the network 4; give it 3 or fewer"),
        (lambda: theirs("joint"), {"attention": "divided"},
         "has no 'encoder.layer.0.temporal_layernorm.weight': it was not trained with divided attention; choose"),
        (lambda: theirs("space"), {}, "has no 'embeddings.time_embeddings': it was trained without time encodings"),
        (lambda: lacking("layernorm_after"), {}, "has no 'encoder.layer.0.layernorm_after.weight': the file is not"),
        (lambda: lacking("layer.1."), {}, "has no 'encoder.layer.1.layernorm_before.weight'"),
        (lambda: lacking("projection.bias"), {}, "has no 'embeddings.patch_embeddings.projection.bias'"),
        (lambda: lacking("cls_token"), {}, "is not in the layout of .*: it has no 'embeddings.cls_token'"),
        (lambda: lacking("position"), {}, "is not in the layout of .*: it has no 'embeddings.position_embeddings'"),
        (dict, {}, "is not in the layout of Hugging Face's TimesformerModel"),
        (facebook, {}, rf"is in the layout of facebook's own code \('{FACEBOOK}'\); take the same weights in Hugging"),
        (lambda: having(DENSE, 32, 64), {},
         rf"has '{DENSE}' of shape \(32, 64\), which does not fit the network's \(32, 128\)"),
        (lambda: having("embeddings.position_embeddings", 1, 16, 32), {},
         "has positions of 15 places, which are no square grid"),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit_are_refused(weights, network, message, tmp_path):
    path, parts = saved(tmp_path / "model.safetensors", weights()), ours(**{"attention": "joint"} | network)
    before = snapshot(parts)
    with pytest.raises(ValueError, match=rf"model\.safetensors {message}"):
        load_timesformer(path, *parts)
    torch.testing.assert_close(snapshot(parts), before, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.safetensors", b"", "cannot be read as safetensors: damaged"),
        ("model.safetensors", b"version https://git-lfs.github.com/spec/v1", "cannot be read as safetensors"),
        ("pytorch_model.bin", b"", "cannot be read as weights of torch.save"),
        ("pytorch_model.bin", b"version https://git-lfs.github.com/spec/v1", "cannot be read as weights of torch.save"),
    ],
)
def test_files_of_something_else_are_refused(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} {message}"):
        load_timesformer(tmp_path / name, *ours("joint"))


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_half_a_file_is_refused(name, tmp_path):
    path, parts = saved(tmp_path / name, theirs("joint")), ours("joint")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    before = snapshot(parts)
    with pytest.raises(ValueError, match=f"{name} cannot be read .*fetch it again"):
        load_timesformer(path, *parts)
    torch.testing.assert_close(snapshot(parts), before, rtol=0, atol=0)


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, torch.zeros(2)])
def test_a_file_without_weights_by_name_is_refused(content, tmp_path):
    torch.save(content, tmp_path / "weights.pt")
    with pytest.raises(ValueError, match=r"weights\.pt holds something else than weights by name"):
        load_timesformer(tmp_path / "weights.pt", *ours("joint"))


def test_facebooks_own_checkpoints_are_recognised(tmp_path):
    torch.save({"epoch": 3, "model_state": facebook()}, tmp_path / "TimeSformer_divST.pyth")
    with pytest.raises(ValueError, match="in the layout of facebook's own code"):
        load_timesformer(tmp_path / "TimeSformer_divST.pyth", *ours("divided"))


def test_code_in_a_file_is_not_run(tmp_path):
    torch.save({"weights": nn.Linear(2, 2)}, tmp_path / "weights.pt")
    with pytest.raises(ValueError, match=r"cannot be read as weights of torch\.save"):
        load_timesformer(tmp_path / "weights.pt", *ours("joint"))


def test_an_absent_file_and_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*absent\.safetensors"):
        load_timesformer(tmp_path / "absent.safetensors", *ours("joint"))
    with pytest.raises(ValueError, match="is a folder; name the file of weights in it"):
        load_timesformer(tmp_path, *ours("joint"))
