"""A suite is read strictly: what is wrong is named with its file and its run."""

import random
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from wtmr_core.literals import shown
from wtmr_core.paper import published, suite, tables
from wtmr_core.paper.cost import cost_of_run
from wtmr_core.settings import DESCRIBED, RELEASED, SIZES, SettingsError

MODELS = ("wtmr", *RELEASED)
EXPERIMENTS = PROJECT / "experiments"


def read(tmp_path, text):
    file = tmp_path / "trial.yaml"
    file.write_text(text, encoding="utf-8")
    return suite.load(file)


def test_a_run_has_what_all_share_and_its_own(tmp_path):
    held = read(tmp_path, "all: {scale: mini, epochs: 3, root: /there}\nruns:\n  one: {dataset: ntu60, lr: 1e-3}\n"
                          "  two: {dataset: ntu60, epochs: 4}\n")  # fmt: skip
    assert held.name == "trial"
    assert list(held.runs) == ["one", "two"]
    assert (held.runs["one"].settings.epochs, held.runs["two"].settings.epochs) == (3, 4)
    assert held.runs["one"].settings.lr == 0.001  # YAML 1.1 alone takes 1e-3 for a word
    assert (held.runs["one"].root, held.runs["two"].root) == ("/there", "/there")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("runs: {a: {dataset: hmbd51}}", "trial.yaml, run a: dataset is 'hmbd51'; it can be hmdb51, ntu60, svideoqa"),
        ("runs: {a: {dataset: ntu60, model: wtmrr}}", "run a: model is 'wtmrr'; it can be wtmr, released-wtmr"),
        ("runs: {a: {dataset: ntu60, epoch: 3}}", "run a: there is no setting 'epoch'; did you mean epochs"),
        ("all: {epoch: 3}\nruns: {a: {dataset: ntu60}}", "there is no setting 'epoch'; did you mean epochs"),
        ("runs: {a: {dataset: ntu60, 3: 4}}", "there is no setting '3'"),
        ("runs: {a: {dataset: ntu60, epochs: 0}}", "run a: epochs is 0; it must lie between 1"),
        ("runs: {a: {}}", "run a: dataset is not given"),
        ("runs: {a: }", "run a: it needs settings"),
        ("runs: {1: {dataset: ntu60}}", "run 1: a name is text"),
        ("runs: {a: {dataset: ntu60, root: 3}}", "run a: root is 3; it must be a folder"),
        (
            "runs: {a: {dataset: ntu60}, b: {dataset: ntu60, seed: 1, root: /x}}",
            "run b: runs on ntu60 differ in scale or",
        ),
        ("runs: {a/b: {dataset: ntu60}}", "run a/b: a name is text of small letters"),
        ("runs: {a: {dataset: ntu60}, a: {dataset: hmdb51}}", "a is given twice"),
        ("runs: {a: {dataset: ntu60, seed: 1, seed: 2}}", "seed is given twice"),
        ("runs: {a: {dataset: ntu60}, b: {dataset: ntu60, threads: 2}}", "a and b are the same run"),
        ("run: {a: {dataset: ntu60}}", "trial.yaml has no runs"),
        ("runs: {}", "trial.yaml has no runs"),
        ("run: {}\nruns: {a: {dataset: ntu60}}", "has run; a suite has all, runs and notebooks"),
        ("runs: [", "trial.yaml is not YAML"),
        ("", "trial.yaml has no runs"),
        ("runs: [a, b]", "trial.yaml has no runs"),
        ("all: [1]\nruns: {a: {dataset: ntu60}}", "trial.yaml: all is [1]; it needs settings"),
        ("all: 0\nruns: {a: {dataset: ntu60}}", "trial.yaml: all is 0; it needs settings"),
        ("1: x\nfoo: y\nruns: {a: {dataset: ntu60}}", "trial.yaml has 1, foo; a suite has all, runs and notebooks"),
        ("runs: {a: {dataset: ntu60, epochs: 010}}", "trial.yaml, run a: epochs is '010'; it must be a whole number"),
        ("runs: {a: {dataset: ntu60, seed: 1:30}}", "run a: seed is '1:30'; it must be a whole number"),
        ("runs: {a: {dataset: ntu60, batch_size: 1_6}}", "run a: batch_size is '1_6'; it must be a whole number"),
        ("runs: {a: {dataset: ntu60, seed: 2024-13-45}}", "run a: seed is '2024-13-45'; it must be a whole number"),
        ("runs: {a: {dataset: ntu60, cnn: yes}}", "run a: cnn is 'yes'; it must be true or false"),
        (f"runs: {{a: {{dataset: ntu60, lr: 1{'0' * 5000}}}}}", "run a: lr is '1000"),
        ("runs: {a: {dataset: ntu60, epochs: {one: 1}}}", "run a: epochs is {'one': 1}; it must be a whole number"),
        (f"runs: {{a: {{dataset: ntu60, lr: [{'1, ' * 5000}]}}}}", "run a: lr is (1, 1, 1"),
        ("runs:\n  a: {dataset: ntu60}\n  b: {dataset: ntu60,\n  seed: 1, seed: 2}", "line 4: seed is given twice"),
        (f"runs: {{{'a' * 101}: {{dataset: ntu60}}}}", "a name is text of small letters, numbers, points and hyphens"),
        ("runs: {a: {dataset: ntu60, root: ''}}", "run a: root is ''; it must be a folder"),
        ("#" * (2**20 + 1), "trial.yaml has more than 1,048,576 bytes"),
    ],
    ids=shown,
)
def test_what_is_wrong_is_named(tmp_path, text, said):
    with pytest.raises(SettingsError) as error:
        read(tmp_path, text)
    assert said in str(error.value)
    assert len(str(error.value)) < 1000 + len(str(tmp_path))


def test_a_run_may_take_over_anothers_settings(tmp_path):
    held = read(tmp_path, "all: {scale: mini}\nruns:\n  one: &one {dataset: ntu60, epochs: 3, seed: 1}\n"
                          "  two: {<<: *one, seed: 2}\n  three: {<<: *one, seed: 3, epochs: 4}\n")  # fmt: skip
    assert [(e.settings.seed, e.settings.epochs) for e in held.runs.values()] == [(1, 3), (2, 3), (3, 4)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("runs: {a: {dataset: ntu60, device: \xff}}".encode("latin-1"), "trial.yaml is not UTF-8 in line 1"),
        ("runs: {}".encode("utf-16"), "trial.yaml is not UTF-8 in line 1"),
        (b"runs:\n  a: {dataset: \0}", r"not YAML as a suite needs it: line 2: text has the character '\\x00'"),
    ],
)
def test_a_suite_is_text_in_utf_8(tmp_path, content, said):
    file = tmp_path / "trial.yaml"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=said):
        suite.load(file)


def test_a_byte_order_mark_changes_nothing(tmp_path):
    text = "runs: {a: {dataset: ntu60}}"
    assert read(tmp_path, f"\ufeff{text}") == read(tmp_path, text)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(), "there is no suite .*trial.yaml; there are other"),
        (NotADirectoryError(), "there is no suite .*trial.yaml"),
        (IsADirectoryError(), "trial.yaml is a folder"),
        (PermissionError(), "trial.yaml may not be read"),
        (OSError(5, "Input/output error"), "trial.yaml cannot be read: Input/output error"),
    ],
)
def test_a_file_that_cannot_be_read_is_said_why(tmp_path, monkeypatch, error, said):
    def fail(*_, **__):
        raise error

    (tmp_path / "other.yaml").touch()
    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(SettingsError, match=said):
        suite.load(tmp_path / "trial.yaml")


def test_aliases_that_multiply_cost_neither_time_nor_memory(tmp_path):
    """Ten of ten of ten …: 10^12 ones, or as many merged mappings, of some hundred bytes."""
    lists = [f"      - &a{i} [{', '.join([f'*a{i - 1}' if i else '1'] * 10)}]" for i in range(12)]
    with pytest.raises(SettingsError, match=r"run a: lr is .*; it must be a number") as error:
        read(tmp_path, "\n".join(["runs:", "  a:", "    dataset: ntu60", "    lr:", *lists]))
    assert len(str(error.value)) < 400 + len(str(tmp_path))
    runs = [f"  b{i}: &m{i}\n    <<: [{', '.join([f'*m{i - 1}'] * 10)}]\n    seed: {i}" for i in range(1, 13)]
    held = read(tmp_path, "\n".join(["runs:", "  b0: &m0 {dataset: ntu60}", *runs]))
    assert [entry.settings.seed for entry in held.runs.values()] == list(range(13))


def test_a_damaged_suite_is_read_or_refused(tmp_path):
    """Pieces of two suites of this repository, and of one with merges, deleted, doubled and replaced."""
    draw = random.Random(0)
    texts = [suite.find(name, EXPERIMENTS).read_text(encoding="utf-8") for name in ("published", "mini")]
    texts.append("runs:\n  a: &a\n    <<: &both {dataset: ntu60, lr: 1e-3}\n    depth: 1\n  b: {<<: *a, seed: 1}\n")
    marks = [*'{}[]:0é\\"\t\n', "&x ", "*x", "<<: ", "!!set ", "1e999", ".nan", "- ", "? "]
    refused = []
    for _ in range(200):
        text = draw.choice(texts)
        for _ in range(draw.randint(1, 3)):
            i = draw.randrange(len(text))
            j = i + draw.randrange(1, 20)
            text = text[:i] + draw.choice(["", text[i:j] * 2, draw.choice(marks), draw.choice(marks) * 5]) + text[j:]
        try:
            read(tmp_path, text)
        except SettingsError as error:
            refused.append(str(error))
    assert all("trial.yaml" in said and len(said) < 1200 + len(str(tmp_path)) for said in refused)
    assert 100 < len(refused) < 200


def test_an_unknown_suite_names_those_there_are():
    with pytest.raises(SettingsError, match=r"no suite .*minni\.yaml; there are .*folds, .*home, mini, published"):
        suite.load(suite.find("minni", EXPERIMENTS))


def test_on_real_recordings_all_networks_have_three_seeds_and_one_recipe():
    """What they differ in is the network itself, and the epochs that it trains in the same time."""
    network = {"model", "seed", "epochs", *SIZES, *DESCRIBED} - {"frames", "dropout", "drop_path"}
    real = suite.load(suite.find("real", EXPERIMENTS))
    labels = tables.labels(real)
    for dataset in ("hmdb51", "ntu60"):
        here = {name: entry.settings for name, entry in real.runs.items() if entry.settings.dataset == dataset}
        whole = [(one.model, one.seed) for name, one in here.items() if labels[name] == one.model]
        assert sorted(whole) == [(m, s) for m in sorted(MODELS) for s in range(3)]
        recipes = [{k: v for k, v in one.identity().items() if k not in network} for one in here.values()]
        assert all(recipe == recipes[0] for recipe in recipes)


def test_the_folds_are_the_frames_of_the_real_runs_with_validation():
    """Each network once in each fold, and in all but split, seed and validation what it is in `real`."""
    folds, real = (suite.load(suite.find(name, EXPERIMENTS)) for name in ("folds", "real"))
    apart = {"split", "seed", "val_fraction", "epoch_choice"}
    known = {label: {k: v for k, v in real.runs[name].settings.identity().items() if k not in apart}
             for name, label in tables.labels(real).items() if name.startswith("frames")}  # fmt: skip
    found = []
    for name, label in tables.labels(folds).items():
        one = folds.runs[name].settings
        assert {k: v for k, v in one.identity().items() if k not in apart} == known[label]
        assert one.val_fraction == 0.2
        found.append((label, one.split, one.seed))
    assert sorted(found) == sorted((label, f"fold-{n}", n) for label in (*MODELS, "wtmr patch=4") for n in range(1, 6))


@pytest.mark.parametrize("dataset", ["hmdb51", "ntu60"])
def test_on_real_recordings_each_part_is_taken_away_by_itself(dataset):
    """In one setting, and for as many epochs, so that the whole network's runs are what it is compared with."""
    real = suite.load(suite.find("real", EXPERIMENTS))
    labels = tables.labels(real)
    varied = {labels[n].removeprefix("wtmr ") for n, e in real.runs.items() if e.settings.dataset == dataset}
    assert varied - set(MODELS) == {
        "kernels=shared", "region_weights=uniform", "context=False", "patch=4", "time_encoding=False",
        "attention=divided", "attention=space", "depth=0", "cnn=False",
    }  # fmt: skip


def test_on_real_recordings_the_described_network_costs_no_more_than_the_released_one():
    real = suite.load(suite.find("real", EXPERIMENTS))
    for recordings in ("frames", "joints"):
        released, described = (
            cost_of_run(one.dataset, one.model, classes=12, **one.sizes()).macs
            for one in (real.runs[f"{recordings}-{model}-0"].settings for model in ("released-wtmr", "wtmr"))
        )
        assert described <= released


@pytest.mark.parametrize(("name", "protocol"), [("mini", "corrected"), ("published", "published"),
                                                ("corrected", "corrected")])  # fmt: skip
def test_every_suite_has_the_nine_networks(name, protocol):
    """And, but for the paper's own protocol, the described network beside them."""
    entries = suite.load(suite.find(name, EXPERIMENTS)).runs.values()
    wanted = {(row.dataset, row.model) for row in published.profile().itertuples()}
    if protocol == "corrected":
        wanted |= {(dataset, "wtmr") for dataset in published.DATASETS}
    if name == "corrected":  # over a backbone that has seen pictures
        wanted |= {("hmdb51", "linear"), ("hmdb51", "logistic")}
    assert {(e.settings.dataset, e.settings.model) for e in entries} == wanted
    assert {e.settings.protocol for e in entries} == {protocol}


def test_the_published_suite_takes_the_longest_first():
    """By the published hours, so that two GPUs with a run each end within a few per cent of each other."""
    hours = published.profile().set_index(["dataset", "model"]).training_hours
    entries = suite.load(suite.find("published", EXPERIMENTS)).runs.values()
    order = [hours[e.settings.dataset, e.settings.model] for e in entries]
    assert order == sorted(order, reverse=True)
    busy = [0.0, 0.0]
    for took in order:
        busy[busy.index(min(busy))] += took
    assert max(busy) / (sum(order) / 2) < 1.05
