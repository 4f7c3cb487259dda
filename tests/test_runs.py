"""A run's folder: signed, read with its sums, and readable for as long as results are kept."""

import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from wtmr_core import checkpoint, runs, settings
from wtmr_core.locks import LockError
from wtmr_core.runs import RunError
from wtmr_core.settings import Settings

GIVEN = {"dataset": "ntu60", "scale": "mini", "split": "cross-subject", "width": 8, "depth": 1, "heads": 1,
         "conv_channels": (4, 4), "model": "released-wtmr"}  # fmt: skip
CLASSES = ["clap", "sit", "walk"]
PREDICTIONS = {"names": ["a", "b"], "groups": ["1", "2"], "labels": [2, 0], "classes": CLASSES,
               "logits": np.zeros((2, 3), np.float32)}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """A finished run of two epochs, with its weights and without sums, as runs were at first."""
    chosen = Settings.of(GIVEN)
    folder = runs.folder(tmp_path, chosen, "data")
    folder.mkdir(parents=True)
    runs.write_json(folder / runs.SETTINGS, chosen.identity() | {"data": "data"})
    runs.write_json(folder / runs.ENVIRONMENT, {"device": "CPU"})
    epochs = pd.DataFrame(0.5, index=[0, 1], columns=runs.HISTORY_COLUMNS).assign(epoch=[1, 2])
    epochs.to_csv(folder / runs.HISTORY, index=False)
    epochs[["epoch"]].to_csv(folder / runs.TIMING, index=False)
    shares = dict.fromkeys(("train_accuracy", "val_accuracy", "test_accuracy", "seconds", "clips_per_second"), 0.5)
    runs.write_json(folder / runs.METRICS, shares | {"epochs": 2, "chosen_epoch": 2})
    np.savez(folder / runs.PREDICTIONS, **PREDICTIONS)
    save_file(checkpoint.new_network(chosen, len(CLASSES)).state_dict(), folder / runs.WEIGHTS)
    return folder


@pytest.fixture
def signed(folder):
    runs.sign(folder)
    return folder


def test_a_signed_run_is_read(signed):
    assert runs.finished(signed)
    assert checkpoint.trained_network(runs.load(signed))
    assert runs.table(signed.parents[1]).epochs.tolist() == [2]


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="there is no sha256sum")
def test_sha256sum_reads_the_sums(signed):
    check = ["sha256sum", "--check", "--ignore-missing", runs.SUMS]
    assert subprocess.run(check, cwd=signed, capture_output=True, check=False).returncode == 0
    (signed / runs.WEIGHTS).unlink()
    said = subprocess.run(check, cwd=signed, capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == [f"{name}: OK" for name in runs.FILES if name != runs.WEIGHTS]


@pytest.mark.parametrize("name", runs.FILES)
def test_a_damaged_file_is_named(signed, name):
    """Emptied, cut, longer, or with any of twenty bytes another."""
    whole, draw = (signed / name).read_bytes(), np.random.default_rng(0)
    damaged = [b"", whole[: len(whole) // 2], whole + b"\n"]
    for place in draw.integers(len(whole), size=20):
        damaged.append(whole[:place] + bytes([whole[place] ^ 1 << draw.integers(8)]) + whole[place + 1 :])
    run = runs.load(signed)
    for content in damaged:
        (signed / name).write_bytes(content)
        remedy = "delete this file and train" if name == runs.WEIGHTS else "delete the folder and run it"
        with pytest.raises(RunError, match=rf"{name} is damaged .*: {remedy} again"):
            runs.finished(signed)
        if name == runs.WEIGHTS:
            with pytest.raises(RunError, match=f"{name} is damaged"):
                checkpoint.trained_network(run)
        elif name != runs.TIMING:  # of which nothing is read again
            with pytest.raises(RunError, match=f"{name} is damaged"):
                runs.load(signed)


def test_weights_that_are_absent_make_a_run_that_is_read_and_trained_again(signed):
    (signed / runs.WEIGHTS).unlink()
    assert not runs.finished(signed)
    assert runs.load(signed).metrics["epochs"] == 2


@pytest.mark.parametrize("content", ["", "some text\n", "0" * 64 + "  metrics.json\n"])
def test_sums_that_are_damaged_are_said(signed, content):
    (signed / runs.SUMS).write_text(content)
    for read in (runs.finished, runs.load):
        with pytest.raises(RunError, match=r"is damaged \(.*SHA256SUMS|SHA256SUMS is damaged"):
            read(signed)


def test_a_run_from_before_there_were_sums_is_read_and_one_stopped_before_them_is_not(folder):
    assert runs.finished(folder)
    assert len(runs.load(folder).history) == 2
    (folder / runs.STATE).touch()
    assert not runs.finished(folder)
    with pytest.raises(RunError, match="run it again and it goes on"):
        runs.load(folder)
    assert runs.table(folder.parents[1]).epochs.isna().all()


@pytest.mark.parametrize(
    "changes",
    [
        {"names": ["a"]},
        {"groups": ["1", "2", "3"]},
        {"labels": [[2, 0]]},
        {"labels": [3, 0]},
        {"labels": [0.0, 1.0]},
        {"classes": CLASSES[:2]},
        {"logits": np.zeros((3, 2))},
        {"logits": np.array([["a"] * 3] * 2)},
        {"logits": np.array([[None] * 3] * 2)},
    ],
)
def test_predictions_that_do_not_fit_each_other_are_said(folder, changes):
    np.savez(folder / runs.PREDICTIONS, **PREDICTIONS | changes)
    with pytest.raises(RunError, match=r"is damaged \(.*: delete the folder"):
        runs.load(folder)


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "epoch,lr,train_loss,train_accuracy,val_loss,val_accuracy\n"])
def test_a_history_of_other_columns_or_epochs_is_said(folder, text):
    (folder / runs.HISTORY).write_text(text)
    with pytest.raises(RunError, match="is damaged"):
        runs.load(folder)


@pytest.mark.parametrize("damage", [b"", b"\x80 no weights"])
def test_weights_of_a_run_without_sums_that_do_not_read_are_said(folder, damage):
    (folder / runs.WEIGHTS).write_bytes(damage)
    with pytest.raises(RunError, match=r"model\.safetensors is damaged"):
        checkpoint.trained_network(runs.load(folder))


def test_a_run_file_with_settings_that_cannot_be_is_said(folder):
    runs.write_json(folder / runs.SETTINGS, runs.read_settings(folder) | {"width": "wide"})
    with pytest.raises(RunError, match=r"settings\.json holds no settings that can be \(width is 'wide'"):
        checkpoint.trained_network(runs.load(folder))


@pytest.mark.parametrize("content", [b"", b"../somewhere", b"\xff", b"two names"])
def test_a_note_that_names_no_run_is_said(tmp_path, content):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "one.txt").write_bytes(content)
    with pytest.raises(RunError, match=r"one\.txt (names no run folder|does not read)"):
        runs.named(tmp_path, "one", Settings.of(GIVEN))


def without(folder, *keys):
    held = runs.read_json(folder / runs.SETTINGS)
    runs.write_json(folder / runs.SETTINGS, {k: v for k, v in held.items() if k not in keys})


@pytest.mark.parametrize(
    ("changes", "before"),
    [({"val_fraction": 0.15}, "best"), ({"val_fraction": 0}, "last"), ({"protocol": "published"}, "last")],
)
def test_a_kept_run_without_an_epoch_choice_is_one_of_the_rule_of_its_time(folder, changes, before):
    held = Settings.of(GIVEN | changes)
    runs.write_json(folder / runs.SETTINGS, held.identity())
    without(folder, "epoch_choice")
    assert runs.read_settings(folder)["epoch_choice"] == before
    assert runs.differences(folder, Settings.of(GIVEN | changes | {"epoch_choice": before})) == []
    if before == "best":
        assert runs.differences(folder, held) == ["epoch_choice"]


def test_a_setting_that_comes_later_leaves_kept_runs_and_their_names_alone(folder, monkeypatch):
    """`pretended` was 1 before there was such a setting."""
    name, identity = Settings.of(GIVEN).name("data"), Settings.identity
    value = [1]
    monkeypatch.setattr(Settings, "identity", lambda self: identity(self) | {"pretended": value[0]})
    monkeypatch.setitem(settings.LATER, "pretended", lambda held: 1)
    assert runs.differences(folder, Settings.of(GIVEN)) == []
    assert Settings.of(GIVEN).name("data") == name
    with runs.opened(folder, Settings.of(GIVEN), "data"):
        pass
    value[0] = 2
    assert runs.differences(folder, Settings.of(GIVEN)) == ["pretended"]
    assert Settings.of(GIVEN).name("data") != name


def test_the_environment_names_processor_and_instructions(monkeypatch):
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    known = runs.environment("cpu", "fp32")
    assert known["processor"]
    assert known["instructions"] == torch.backends.cpu.get_cpu_capability()
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert runs.environment("cpu", "fp32")["instructions"].endswith(", oneDNN up to AVX2")
    assert set(known) == {"device", "processor", "instructions", "precision", "threads", "processes", "python",
                          "packages", "commit"}  # fmt: skip


def test_a_results_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").touch()
    folder = runs.folder(tmp_path / "file", Settings.of(GIVEN), "data")
    with pytest.raises(LockError, match="name another folder of results"), runs.opened(folder, None, "data"):
        pass
