"""One run: it learns, resumes to the same numbers, and stops where it must."""

import json
import math
import os
import stat
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from tests.conftest import PROJECT, write_frames, write_hmdb51, write_ntu60, write_svideoqa
from wtmr_core import card, checkpoint, engine, epochs, runs, training
from wtmr_core.data import inputs
from wtmr_core.datasets import DataError
from wtmr_core.metrics import scores
from wtmr_core.settings import MODELS, PROBES, Settings, SettingsError
from wtmr_core.state import MovingAverage, read_state

SMALL = {"scale": "mini", "width": 16, "depth": 1, "heads": 2, "conv_channels": (4, 8), "epochs": 3, "device": "cpu",
         "workers": 1, "threads": 1, "batch_size": 8}  # fmt: skip


def small(dataset="ntu60", **changes) -> Settings:
    """A run of seconds. With a validation part, which miniature runs do not have by themselves."""
    size = {} if dataset == "ntu60" else {"size": 32, "frames": 4}
    validated = {} if changes.get("protocol") == "published" else {"val_fraction": 0.15, "ema_decay": 0.0}
    return Settings.of({"dataset": dataset} | SMALL | size | validated | changes)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_ntu60(tmp_path_factory.mktemp("ntu60"))


WRITE = {"hmdb51": write_hmdb51, "ntu60": write_ntu60, "svideoqa": write_svideoqa}


def same_outcome(a, b) -> None:
    pd.testing.assert_frame_equal(*(pd.read_csv(f / runs.HISTORY) for f in (a, b)))
    one, two = runs.load(a), runs.load(b)
    np.testing.assert_array_equal(one.logits, two.logits)
    timed = {"seconds", "clips_per_second"}
    assert {k: v for k, v in one.metrics.items() if k not in timed} == {
        k: v for k, v in two.metrics.items() if k not in timed
    }
    weights = [load_file(f / runs.WEIGHTS) for f in (a, b)]
    assert all(torch.equal(weights[0][k], weights[1][k]) for k in weights[0])


@pytest.mark.parametrize("protocol", ["corrected", "published"])
@pytest.mark.parametrize("dataset", ["hmdb51", "ntu60", "svideoqa"])
def test_a_run_folder_is_complete(tmp_path, dataset, protocol):
    settings = small(dataset, protocol=protocol, epochs=1)
    folder = training.run(settings, tmp_path / "results", WRITE[dataset](tmp_path / "set"))
    names = {runs.SETTINGS, runs.ENVIRONMENT, runs.HISTORY, runs.TIMING, runs.METRICS, runs.PREDICTIONS, runs.WEIGHTS}
    names |= {runs.SUMS, card.CARD}
    assert {f.name for f in folder.iterdir()} - {runs.LOCK} == names
    run = runs.load(folder)
    for key in ("train_accuracy", "val_accuracy", "test_accuracy"):
        assert 0 <= run.metrics[key] <= 1
    assert run.metrics["epochs"] == len(run.history) == 1
    assert run.metrics["seconds"] > 0
    assert run.metrics["clips_per_second"] > 0
    assert run.logits.shape == (len(run.names), len(run.classes))
    assert run.metrics["test_accuracy"] == pytest.approx((run.logits.argmax(1) == run.labels).mean())
    assert run.metrics["test"] == pytest.approx(scores(run.labels, run.logits))
    assert len(run.groups) == len(run.names)
    assert training.run(settings, tmp_path / "results", tmp_path / "set") == folder


@pytest.mark.parametrize("model", [model for model in MODELS if model not in PROBES])
def test_every_network_overfits_a_few_clips(tmp_path, model):
    """Two well separated classes, no augmentation: what is trained on is learnt by heart."""
    root = write_ntu60(tmp_path / "set", actions=(1, 58))
    plain = {"weight_decay": 0.0, "flip": 0.0, "rotate": 0.0, "zoom": 0.0, "joint_noise": 0.0, "dropout": 0.0}
    larger = {"width": 32, "conv_channels": (16, 32)}
    if model == "temporal":  # it has no attention, and width is that of its convolutions
        larger |= {"heads": None, "conv_channels": None}
    settings = small(model=model, epochs=60, lr=3e-3, schedule="constant", **plain, **larger)
    folder = training.run(settings, tmp_path, root)
    assert runs.load(folder).history.train_accuracy.max() == 1.0


def test_the_same_seed_the_same_run_and_another_another(root, tmp_path):
    one, two = (training.run(small(), tmp_path / name, root) for name in "ab")
    same_outcome(one, two)
    other = training.run(small(seed=1), tmp_path / "a", root)
    assert (other / runs.HISTORY).read_text() != (one / runs.HISTORY).read_text()


class Killed(BaseException):
    pass


#: all that a small-data recipe has
RECIPE = {"ema_decay": 0.9, "mixup": 0.4, "drop_path": 0.2, "dropout": 0.2, "tilt": 10.0, "joint_dropout": 0.1,
          "frames": 8, "stored_frames": 16, "views": 2, "epoch_choice": "best"}  # fmt: skip


@pytest.mark.parametrize("changes", [{}, {"protocol": "published"}, RECIPE], ids=["corrected", "published", "recipe"])
def test_interrupted_after_any_epoch_it_ends_alike(root, tmp_path, monkeypatch, changes):
    monkeypatch.setattr(epochs, "FEWEST_CLIPS", 1)  # so that the few here choose
    settings = small(epochs=4, accumulate=3, batch_size=5, **changes)
    undisturbed = training.run(settings, tmp_path / "whole", root)
    said = runs.load(undisturbed).metrics["epoch_choice"]
    assert said.startswith("last of 4") if settings.protocol == "published" else said.endswith("6 validation clips")
    one_epoch, calls = training.one_epoch, []

    def once_each(*arguments):
        calls.append(1)
        if len(calls) % 2 == 0:
            raise Killed
        return one_epoch(*arguments)

    monkeypatch.setattr(training, "one_epoch", once_each)
    for _ in range(3):
        with pytest.raises(Killed):
            training.run(settings, tmp_path / "torn", root)
    monkeypatch.setattr(training, "one_epoch", one_epoch)
    same_outcome(training.run(settings, tmp_path / "torn", root), undisturbed)


def test_killed_at_any_moment_it_ends_alike(root, tmp_path):
    """SIGKILL three times, wherever the run may be; no file is half written, and the outcome is the same."""
    settings = small(epochs=12)
    undisturbed = training.run(settings, tmp_path / "whole", root)
    code = f"""
from pathlib import Path
from wtmr_core import training
from wtmr_core.settings import Settings
training.run(Settings.of({settings.asdict()!r}), Path({str(tmp_path / "torn")!r}), {str(root)!r})
"""
    folder = tmp_path / "torn" / "runs" / undisturbed.name
    for done in (1, 4, 8):
        process = subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            if (folder / runs.HISTORY).is_file() and len(pd.read_csv(folder / runs.HISTORY)) >= done:
                process.kill()
                break
            time.sleep(0.01)
        process.wait()
        assert not runs.finished(folder)
        if (folder / runs.STATE).is_file():  # killed in its first epoch it has none, and begins again
            torch.load(folder / runs.STATE, weights_only=True)
    same_outcome(training.run(settings, tmp_path / "torn", root), undisturbed)


def test_a_checkpoint_of_other_settings_is_refused(root, tmp_path, monkeypatch):
    folder = leave_half(root, tmp_path, monkeypatch)
    state = torch.load(folder / runs.STATE, weights_only=True)
    state["settings"]["lr"] = 0.5
    torch.save(state, folder / runs.STATE)
    with pytest.raises(runs.RunError, match="another lr"):
        training.run(small(), tmp_path, root)


def test_a_checkpoint_with_other_layers_is_refused(root, tmp_path, monkeypatch):
    folder = leave_half(root, tmp_path, monkeypatch)
    state = torch.load(folder / runs.STATE, weights_only=True)
    state["network"].popitem()
    torch.save(state, folder / runs.STATE)
    with pytest.raises(runs.RunError, match=r"state\.pt is of an earlier version: delete it to begin again"):
        training.run(small(), tmp_path, root)


def test_a_damaged_checkpoint_is_named(root, tmp_path, monkeypatch):
    folder = leave_half(root, tmp_path, monkeypatch)
    (folder / runs.STATE).write_bytes((folder / runs.STATE).read_bytes()[:1000])
    with pytest.raises(runs.RunError, match=r"state\.pt is damaged .*delete it to begin the run again"):
        training.run(small(), tmp_path, root)


def test_a_state_of_which_any_byte_is_another_is_named_or_the_same(tmp_path):
    """300 bytes flipped and 30 cuts: what torch reads without a word is never other numbers."""
    network = torch.nn.Linear(9, 9)
    progress = {"epoch": 1, "history": [{"val_loss": 0.7}]}
    state = {"settings": {"lr": 0.1}, "progress": progress, "network": network.state_dict()}
    file, draw = tmp_path / "state.pt", np.random.default_rng(0)
    torch.save(state, file)
    whole, said = file.read_bytes(), 0
    damaged = [whole[:cut] for cut in draw.integers(len(whole), size=30)]
    for place in draw.integers(len(whole), size=300):
        damaged.append(whole[:place] + bytes([whole[place] ^ 1 << draw.integers(8)]) + whole[place + 1 :])
    for content in damaged:
        file.write_bytes(content)
        try:
            assert str(read_state(file)) == str(state)
            weights = read_state(file)["network"]
            assert all(torch.equal(weights[k], v) for k, v in network.state_dict().items())
        except runs.RunError as error:
            assert str(error).startswith(f"{file} is damaged (")  # noqa: PT017
            said += 1
    assert said > 200


def test_a_run_stopped_between_its_metrics_and_its_sums_goes_on_from_its_state(root, tmp_path, monkeypatch):
    def stopped(folder):
        assert (folder / runs.METRICS).is_file()
        (folder / runs.HISTORY).write_text("damaged meanwhile")
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(runs, "sign", stopped)
        with pytest.raises(Killed):
            training.run(small(), tmp_path / "torn", root)
    (folder,) = (tmp_path / "torn" / "runs").iterdir()
    assert not runs.finished(folder)
    same_outcome(training.run(small(), tmp_path / "torn", root), training.run(small(), tmp_path / "whole", root))
    assert not (folder / runs.STATE).exists()


def test_a_finished_run_that_is_damaged_is_not_taken_for_one_wherever_it_lies(root, tmp_path):
    results = tmp_path / "with {braces} {0}, 'quotes', \"more\" and %s"
    before = os.umask(0o027)
    try:
        folder = training.run(small(epochs=1), results, root)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir() if file.name != runs.LOCK} == {0o640}
    assert training.run(small(epochs=1), results, root) == folder
    (folder / runs.WEIGHTS).write_bytes(b"")
    with pytest.raises(runs.RunError, match=r"model\.safetensors is damaged .*: delete this file and train again"):
        training.run(small(epochs=1), results, root)
    (folder / runs.WEIGHTS).unlink()
    assert training.run(small(epochs=1), results, root) == folder
    assert runs.finished(folder)


def test_a_folder_of_other_settings_is_refused(root, tmp_path, monkeypatch):
    folder = leave_half(root, tmp_path, monkeypatch)
    settings = json.loads((folder / runs.SETTINGS).read_text())
    (folder / runs.SETTINGS).write_text(json.dumps(settings | {"epochs": 99}))
    with pytest.raises(runs.RunError, match="another epochs"):
        training.run(small(), tmp_path, root)
    (folder / runs.SETTINGS).write_text("{")
    with pytest.raises(runs.RunError, match="does not read"):
        training.run(small(), tmp_path, root)


def test_a_folder_without_a_checkpoint_begins_again(root, tmp_path, monkeypatch):
    folder = leave_half(root, tmp_path, monkeypatch)
    (folder / runs.STATE).unlink()
    same_outcome(training.run(small(), tmp_path, root), training.run(small(), tmp_path / "whole", root))


def test_an_unfinished_run_does_not_load(root, tmp_path, monkeypatch):
    folder = leave_half(root, tmp_path, monkeypatch)
    with pytest.raises(runs.RunError, match="no finished run"):
        runs.load(folder)
    table = runs.table(tmp_path)
    assert table.test_accuracy.isna().all()


def leave_half(root, results, monkeypatch):
    """A run stopped after its first epoch; its folder."""
    one_epoch, calls = training.one_epoch, []

    def once(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise Killed
        return one_epoch(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(training, "one_epoch", once)
        with pytest.raises(Killed):
            training.run(small(), results, root)
    return next((results / "runs").iterdir())


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    runs.write_json(tmp_path / "a.json", {"old": 1})
    with pytest.raises(TypeError):
        runs.write_json(tmp_path / "a.json", {"new": object()})
    assert json.loads((tmp_path / "a.json").read_text()) == {"old": 1}
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_loss_that_is_not_finite_stops_and_names_its_clips(root, tmp_path, monkeypatch):
    """In a network without BatchNorm, through which one such clip spoils its whole batch, which is then named."""
    inputs = engine.inputs

    def poisoned(*arguments, **options):
        x = inputs(*arguments, **options)
        x[0] = math.nan if options["augmented"] else x[0]
        return x

    monkeypatch.setattr(engine, "inputs", poisoned)
    with pytest.raises(engine.NotFinite, match=r"step 1 of epoch 1; clips: S001C00\dP00\dR001A0\d\d\."):
        training.run(small(model="released-wtmr"), tmp_path, root)


def test_corrected_evaluation_has_no_randomness_and_published_has(root, tmp_path):
    for protocol, random in (("corrected", False), ("published", True)):
        settings = small("hmdb51", protocol=protocol)
        clips = torch.randint(0, 255, (3, 4, 32, 32, 1), dtype=torch.uint8)
        shown = [
            engine.inputs(clips, settings, torch.Generator().manual_seed(seed), augmented=settings.augment_evaluation)
            for seed in (0, 1)
        ]
        assert torch.equal(*shown) != random


@pytest.mark.parametrize("protocol", ["corrected", "published"])
@pytest.mark.parametrize(
    "change",
    [
        {"parts": "sampled"}, {"parts": "official"}, {"reader": "published"}, {"reader": "corrected"},
        {"centre_joints": False}, {"train_accuracy": "running"}, {"augment_evaluation": True}, {"lr_per": "epoch"},
        {"epoch_choice": "best"}, {"ema_decay": 0.9}, {"spare_sided": False},
    ],
    ids=lambda change: "=".join(map(str, *change.items())),
)  # fmt: skip
def test_one_thing_alone_can_be_another(root, tmp_path, protocol, change):
    """What a protocol decides is a choice of its own; every one of them trains with all others as they are."""
    settings = small(protocol=protocol, epochs=1, **change)
    run = runs.load(training.run(settings, tmp_path, root))
    assert run.settings["protocol"] == protocol
    tested = run.metrics["test_is"]
    assert tested == ("the validation part, as published" if settings.parts == "sampled" else "split cross-subject")
    running = run.metrics["train_accuracy"] == run.history.train_accuracy.iloc[-1]
    assert running or settings.train_accuracy == "evaluated"


def test_test_is_read_once_and_by_the_chosen_weights(root, tmp_path, monkeypatch):
    evaluate, read = engine.evaluate, []

    def spying(state, data, part, *args):
        read.append((part, state.progress.epoch))
        return evaluate(state, data, part, *args)

    monkeypatch.setattr(training, "evaluate", spying)
    run = runs.load(training.run(small(epochs=3, epoch_choice="best"), tmp_path, root))
    assert [p for p, _ in read].count("test") == 1
    assert ("test", 3) in read
    best = run.history.sort_values(["val_accuracy", "val_loss"], ascending=[False, True]).epoch.iloc[0]
    assert run.metrics["chosen_epoch"] == best
    assert run.metrics["epoch_choice"].startswith(f"{best} of 3: the best accuracy")


def test_published_takes_the_last_epoch_and_calls_validation_test(root, tmp_path):
    run = runs.load(training.run(small(protocol="published"), tmp_path, root))
    assert run.metrics["chosen_epoch"] == run.metrics["epochs"]
    assert (run.logits.argmax(1) == run.labels).mean() == pytest.approx(run.metrics["test_accuracy"])
    last = run.history.iloc[-1]
    assert run.metrics["train_accuracy"] == last.train_accuracy
    assert run.metrics["test_accuracy"] == run.metrics["val_accuracy"] == pytest.approx(last.val_accuracy)


def test_accumulated_batches_equal_one_large_batch(root, tmp_path):
    """As long as no layer looks across clips, two batches of 5 make the step of one of 10."""
    quiet = {"dropout": 0.0, "flip": 0.0, "rotate": 0.0, "zoom": 0.0, "joint_noise": 0.0}
    quiet |= {"model": "released-wtmr", "epochs": 2, "schedule": "constant", "warmup_epochs": 0}
    two = training.run(small(batch_size=5, accumulate=2, **quiet), tmp_path / "a", root)
    one = training.run(small(batch_size=10, **quiet), tmp_path / "b", root)
    np.testing.assert_allclose(*(pd.read_csv(f / runs.HISTORY).val_loss for f in (two, one)), rtol=1e-3)


def test_learning_rates():
    cosine = small(schedule="cosine", lr=1.0, epochs=10, warmup_epochs=2)
    rates = [engine.learning_rate(cosine, e) for e in (0, 1, 2, 6, 10)]
    np.testing.assert_allclose(rates, [0.005, 0.505, 1.0, 0.5, 0.0], atol=1e-9)
    assert engine.learning_rate(small(schedule="constant", lr=0.1), 9) == 0.1
    published = small(protocol="published", schedule="cosine", lr=1.0, epochs=30)
    assert engine.learning_rate(published, 7.9) == engine.learning_rate(published, 7.0)


def test_precision_follows_the_hardware():
    assert training.accelerator(small()).mixed_precision == "no"
    assert training.accelerator(small(precision="bf16")).mixed_precision == "bf16"
    with pytest.raises(runs.RunError, match="needs a GPU"):
        training.accelerator(small(precision="fp16"))
    if not torch.cuda.is_available():
        with pytest.raises(runs.RunError, match="sees 0 GPUs"):
            training.accelerator(small(device="cuda"))


def test_bf16_trains(root, tmp_path):
    assert runs.finished(training.run(small(precision="bf16", epochs=1), tmp_path, root))


def test_a_set_without_test_clips_is_refused(tmp_path):
    root = write_ntu60(tmp_path / "set", performers=(1, 2))
    with pytest.raises(DataError, match="0 test clips"):
        training.run(small(), tmp_path, root)


def test_other_recordings_are_another_run(root, tmp_path):
    other = write_ntu60(tmp_path / "set", performers=(1, 2, 3, 4, 5, 8, 9))
    assert training.run(small(epochs=1), tmp_path, root) != training.run(small(epochs=1), tmp_path, other)


def test_auto_takes_the_split_that_is_there(tmp_path):
    """A folder with a manifest and no lists trains without anyone naming a split, under the split's own name."""
    for n in range(12):
        write_frames(tmp_path / "set" / "frames" / "ab"[n % 2] / f"clip{n}", [n, 2 * n, 100])
    rows = "".join(f"{'ab'[n % 2]},clip{n},g{n // 2},{'test' if n >= 8 else 'train'}\n" for n in range(12))
    (tmp_path / "set" / "manifest.csv").write_text("class,clip,similarity_group,split\n" + rows)
    folder = training.run(small("hmdb51", epochs=1), tmp_path / "a", tmp_path / "set")
    assert runs.load(folder).settings["split"] == "manifest"
    named = training.run(small("hmdb51", epochs=1, split="manifest"), tmp_path / "b", tmp_path / "set")
    assert named.name == folder.name


def test_sizes_that_do_not_fit_are_said_before_anything_is_decoded(tmp_path):
    with pytest.raises(SettingsError, match=r"wtmr on hmdb51: .*size"):
        training.run(small("hmdb51", size=50), tmp_path, tmp_path)


def test_weights_that_ran_away_stop_the_run(root, tmp_path, monkeypatch):
    def ran_away(*arguments):
        logits, labels = engine.evaluate(*arguments)
        return logits * math.nan, labels

    monkeypatch.setattr(training, "evaluate", ran_away)
    with pytest.raises(engine.NotFinite, match="after epoch 1 the network gives no finite number for S001"):
        training.run(small(), tmp_path, root)
    with pytest.raises(engine.NotFinite, match=r"after epoch 3 the network gives no finite number for S001.*lower lr"):
        training.run(small(val_fraction=0), tmp_path, root)  # nothing looks before test is read


def test_damaged_predictions_are_named(root, tmp_path):
    folder = training.run(small(epochs=1), tmp_path, root)
    (folder / runs.PREDICTIONS).write_bytes(b"PK no archive")
    with pytest.raises(runs.RunError, match=r"is damaged .*delete the folder"):
        runs.load(folder)


def test_a_full_disk_is_named(root, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(runs.RunError, match=r"state\.pt cannot be written .*free some disk space"):
        training.run(small(), tmp_path, root)


def test_cross_view_validates_on_other_performers(root, tmp_path):
    """Cameras are its groups, and two cameras film one performance: validation must not be a copy of training."""
    data = training.prepare(small(split="cross-view"), root)
    samples = data.cache.index.samples
    assert data.validation.startswith("by group")
    people = [set(samples.name.str[8:12].iloc[data.parts[part]]) for part in ("train", "val")]
    assert people[0].isdisjoint(people[1])


def test_what_is_kept_is_the_moving_average(root, tmp_path, monkeypatch):
    """Worked out beside the run: it begins at the start, moves by (1 - decay) towards the weights after each step, and
    the decay rises as (1 + step) / (10 + step) up to the one set."""
    follow, mean, steps = MovingAverage.follow, {}, []

    def watched(self, network, step):
        if not mean:
            mean.update({k: v.clone() for k, v in self.network.state_dict().items()})
        steps.append(step)
        decay = min(0.5, (1 + len(steps)) / (10 + len(steps)))
        for name, now in network.state_dict().items():
            mean[name] = decay * mean[name] + (1 - decay) * now if now.is_floating_point() else now.clone()
        follow(self, network, step)

    monkeypatch.setattr(MovingAverage, "follow", watched)
    folder = training.run(small(ema_decay=0.5, val_fraction=0, epochs=2), tmp_path, root)
    assert steps == list(range(1, len(steps) + 1))
    kept = load_file(folder / runs.WEIGHTS)
    for name, value in mean.items():
        torch.testing.assert_close(kept[name], value)


def test_without_a_validation_part_all_is_trained_on_and_the_last_epoch_counts(root, tmp_path):
    whole, cut = (training.run(small(val_fraction=f), tmp_path, root) for f in (0, 0.25))
    metrics = runs.load(whole).metrics
    assert metrics["clips"]["val"] == 0
    assert metrics["clips"]["train"] == sum(runs.load(cut).metrics["clips"][part] for part in ("train", "val"))
    assert metrics["chosen_epoch"] == metrics["epochs"]
    assert metrics["val_accuracy"] is None
    assert runs.load(whole).history.val_accuracy.isna().all()


def test_views_are_averaged_as_probabilities(root, tmp_path, monkeypatch):
    settings = small(epochs=1, frames=4, stored_frames=8, views=2)
    run = runs.load(training.run(settings, tmp_path, root))
    data = training.prepare(settings, root)
    network = checkpoint.trained_network(run)
    clips = torch.from_numpy(data.cache.clips[data.parts["test"]])
    views = [inputs(clips, settings, None, augmented=False, view=v) for v in range(2)]
    assert not torch.equal(*views)
    with torch.inference_mode():
        mean = torch.stack([network(view).softmax(dim=1) for view in views]).mean(dim=0)
    np.testing.assert_allclose(np.exp(run.logits), mean.numpy(), rtol=1e-4, atol=1e-6)


def test_views_that_are_sure_of_themselves_have_finite_logits():
    logits = torch.tensor([[[0.0, 110.0]], [[120.0, 0.0]]])  # two views of a clip
    torch.testing.assert_close(engine.mean_of_views(logits), torch.tensor([[0.5, 0.5]]).log())
    logits = torch.tensor([[[0.0, 110.0]], [[0.0, 120.0]]])
    assert engine.mean_of_views(logits).isfinite().all()


def test_a_clip_that_may_not_be_mirrored_is_not():
    settings = small("svideoqa", flip=1.0, rotate=0.0, shift=0.0, zoom=0.0, jitter=0.0)
    clips = torch.randint(0, 255, (4, 4, 32, 32, 3), dtype=torch.uint8)
    plain = inputs(clips, settings, None, augmented=False)
    generator = torch.Generator().manual_seed(0)
    mirrorable = torch.tensor([True, False, True, False])
    mirrored = inputs(clips, settings, generator, augmented=True, mirrorable=mirrorable)
    torch.testing.assert_close(mirrored[1::2], plain[1::2], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(mirrored[::2], plain[::2].flip(-1), atol=1e-4, rtol=1e-4)


def test_the_described_network_sees_both_bodies_and_the_released_ones_one():
    joints = torch.randn(2, 16, 2, 25, 3)
    assert inputs(joints, small(), None, augmented=False).shape == (2, 16, 2, 25, 3)
    assert inputs(joints, small(model="released-wtmr"), None, augmented=False).shape == (2, 16, 25, 3)
