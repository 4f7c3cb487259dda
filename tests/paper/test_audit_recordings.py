"""The audit of readers, networks, augmentation, tracks and checkpoints, and its page: with the defect and without."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from tests.conftest import PROJECT, skeleton_text, write_svideoqa
from wtmr_core.datasets.index import DataError
from wtmr_core.files import RunError
from wtmr_core.miniature import sets
from wtmr_core.models import released
from wtmr_core.paper import audit, published
from wtmr_core.paper.audit import augmentation, costs, networks, page, reading, shown, tracks, trials
from wtmr_core.paper.audit.finding import AS_PUBLISHED, NOT_REPRODUCED, REPRODUCED, AuditError
from wtmr_core.settings import Settings

KEPT = PROJECT / "results" / "audit"
CNN = published.MODELS[1]


@pytest.fixture(scope="module")
def one_body():
    rng = np.random.default_rng(0)
    return skeleton_text([{7205: rng.normal((0, 0, 3), 0.3, (25, 3))} for _ in range(20)])


# -- 5: the parser --------------------------------------------------------------------------------------------


def test_the_published_reader_loses_a_file_for_one_frame_with_two_bodies(one_body):
    found = audit.lost_files(reading.made_files(one_body))
    table = found.table.set_index("file")
    assert table.published.to_dict() == {
        "one body": "(16, 25, 3)", "two bodies throughout": "nothing", "a second body in one frame": "nothing",
        "nobody in the first frame": "nothing", "12 frames": "nothing",
    }  # fmt: skip
    assert table.ours.tolist() == ["read"] * 5
    assert table.agree.all()
    assert found.verdict == "cannot be decided without the recordings of NTU RGB+D 60"
    assert "at least 1,343 one-person files" in found.result
    assert "holds 4 + 47 clips" in found.result
    assert "about 1,598 of them or more" in found.result


def test_made_files_have_the_bodies_that_they_are_called_by(one_body):
    table = reading.readings(reading.made_files(one_body)).set_index("file")
    assert table.bodies.tolist() == [1, 2, 2, 1, 1]
    assert table.frames.tolist() == [20, 20, 20, 21, 12]


def test_files_of_one_body_are_lost_by_no_defect(one_body):
    assert audit.lost_files({"one body": one_body}).verdict == NOT_REPRODUCED  # of what is lost, nothing is shown


def test_the_count_is_made_where_the_set_is(one_body, tmp_path):
    for name in ("S001C001P001R001A001", "S001C001P001R001A002"):
        (tmp_path / f"{name}.skeleton").write_text(one_body)
    found = audit.lost_files(reading.made_files(one_body), root=tmp_path)
    assert found.verdict == NOT_REPRODUCED
    assert "Read here: 2 of 56,578" in found.result


def test_the_names_divide_as_the_official_list_does(recordings):
    file = recordings / "ntu60/lists/skes_available_name.txt"
    counts = reading.action_counts(file.read_text().split())
    pd.testing.assert_series_equal(counts, published.ntu60_names())


def test_the_real_sample_is_read_by_both_and_lost_with_a_second_body(recordings):
    text = (recordings / "ntu60/nturgb+d_skeletons/S001C001P001R001A001.skeleton").read_text()
    table = reading.readings(reading.made_files(text)).set_index("file").published
    assert table["one body"] == "(16, 25, 3)"
    assert (table.drop("one body") == "nothing").all()


def test_names_that_are_none_are_refused():
    with pytest.raises(AuditError, match="no names of NTU RGB"):
        reading.action_counts(["walk"])


# -- 9: regions, weights, joints ------------------------------------------------------------------------------


def trained(tmp_path, *rows):
    made = [[trials.VERSION, *row, 80, 20, 0.5] for row in rows]
    pd.DataFrame(made, columns=trials.COLUMNS).to_csv(tmp_path / trials.FILE, index=False)
    return tmp_path


def test_two_thirds_of_the_released_kernels_meet_no_joint(tmp_path):
    found = audit.regions_and_weights(trained(tmp_path))
    assert found.verdict == NOT_REPRODUCED
    assert (3 * found.table.untouched == 2 * found.table.weights).all()
    assert "1 kernel for four regions" in found.result
    assert "1 joint at most and, after the reshape that follows them, all 25 tokens" in found.result


def test_kernels_along_joints_and_regions_of_their_own_are_reproduced(tmp_path):
    torch.manual_seed(0)
    four = [torch.nn.Conv2d(1, 4, 3, padding=1) for _ in range(4)]

    def own(frames):
        quarters = [half.chunk(2, dim=3) for half in frames.chunk(2, dim=2)]
        rows = [torch.cat([four[2 * i + k](part) for k, part in enumerate(row)], 3) for i, row in enumerate(quarters)]
        return torch.cat(rows, 2)

    found = audit.regions_and_weights(trained(tmp_path), networks.JointsByJoint, own)
    assert found.verdict == REPRODUCED
    assert (found.table.untouched == 0).all()


def test_the_mended_network_has_as_many_weights_and_its_tokens_are_joints():
    sizes = {"classes": 10, "frames": 4, "width": 16, "depth": 1, "heads": 2, "conv_channels": (8, 16), "dropout": 0.0}
    mended, as_released = networks.JointsByJoint(**sizes), released.JointsWTMR(**sizes)
    clips = torch.randn(1, 4, 25, 3)
    assert mended(clips).shape == (1, 10)
    assert sum(p.numel() for p in mended.parameters()) == sum(p.numel() for p in as_released.parameters())
    table = networks.joints_seen(mended, clips)
    assert table.maps.tolist() == table.tokens.tolist() == [3, 4, *[5] * 21, 4, 3]  # two kernels of three


# -- 11: labels -----------------------------------------------------------------------------------------------


def test_labels_hang_on_the_order_where_sequences_have_several_words():
    words, clips = {"a": ("walking", "sitting"), "b": ("waving",)}, pd.Series({"a": 3, "b": 1})
    table = reading.label_changes(words, clips)
    assert set(table.changed) == {0.0, 0.75}  # all of a, or none
    assert 0.3 < (table.changed > 0).mean() < 0.7  # every other pair
    found = audit.unstable_labels(words, clips)
    assert found.verdict == NOT_REPRODUCED
    assert "113 of 146 clips are carrying" in found.result


def test_a_matrix_of_other_labels_than_the_logs_says_nothing_about_them():
    words, clips = {"a": ("walking", "sitting")}, pd.Series({"a": 3})
    found = audit.unstable_labels(words, clips)
    assert "the logs probably had evener labels" in found.result
    assert "38.4 % in validation for its first 8 epochs, as one answer for all clips would" in found.result
    logs = published.epochs()
    logs.loc[logs.dataset == "svideoqa", "train_loss"] = 0.7
    logs.loc[(logs.dataset == "svideoqa") & (logs.epoch == 2), "val_accuracy"] = 0.5
    found = audit.unstable_labels(words, clips, logs=logs)
    assert "which says nothing of the labels there" in found.result
    assert "as one answer" not in found.result


def test_the_entropy_of_labels_is_between_others_as_one_class_and_spread_evenly():
    names = ["walking", "others"]
    least, greatest = reading.label_entropy(pd.DataFrame([[2, 0], [0, 2]], names, names), 3)
    assert least == pytest.approx(np.log(2))
    assert greatest == pytest.approx(0.5 * np.log(2) + 0.5 * np.log(4))  # a half and two quarters


def test_a_log_is_constant_up_to_its_first_move():
    log = pd.DataFrame({"epoch": [3, 1, 2, 4], "val_accuracy": [0.5, 0.4, 0.4, 0.4]})
    assert reading.constant_epochs(log) == (0.4, 2)


def test_sequences_of_one_word_have_stable_labels():
    found = audit.unstable_labels({"a": ("walking",), "b": ("waving",)}, pd.Series({"a": 3, "b": 1}))
    assert found.verdict == REPRODUCED


def test_unstable_labels_of_an_even_matrix_decide_nothing():
    matrix = pd.DataFrame([[10, 0], [0, 10]], ["walking", "others"], ["walking", "others"])
    found = audit.unstable_labels({"a": ("walking", "sitting")}, pd.Series({"a": 3}), matrix)
    assert found.verdict == "cannot be decided without the labels that were trained on"


def test_words_come_from_the_tables_of_all_cameras(tmp_path):
    words, clips = reading.words_by_sequence(write_svideoqa(tmp_path / "set", 4))
    assert words["videosequence-001"] == ("sitting",)
    assert clips["videosequence-001"] == 2
    assert len(words) == 4


def test_sequences_without_words_are_refused():
    with pytest.raises(DataError, match="no sequence has an action word"):
        reading.label_changes({}, pd.Series(dtype=int))


# -- 12: augmentation -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    return rng.integers(0, 255, (4, 6, 32, 32, 1), dtype=np.uint8)


def augmented(tmp_path, per_clip, per_frame, seen):
    rows = [("augmentation", "x", per, seed, 20, 0.9, held + seed / 100, seen + seed / 100)
            for seed in range(3) for per, held in (("clip", per_clip), ("frame", per_frame))]  # fmt: skip
    return trained(tmp_path, *rows)


def test_a_still_moves_only_where_frames_are_augmented_by_themselves(clips, tmp_path):
    table = augmentation.motions(clips)
    assert table.loc["stills", ["none", "clip"]].tolist() == [0, 0]
    assert table.loc["stills", "frame"] > 10
    found = audit.frame_by_frame(clips, augmented(tmp_path, 0.5, 0.5, 0.4))
    assert found.verdict == AS_PUBLISHED


def test_clips_augmented_as_one_are_reproduced_and_no_effect_decides_nothing(clips, tmp_path):
    assert audit.frame_by_frame(clips, augmented(tmp_path, 0.5, 0.5, 0.4), per="clip").verdict == REPRODUCED
    found = audit.frame_by_frame(clips, augmented(tmp_path, 0.5, 0.5, 0.5))
    assert found.verdict.startswith("cannot be decided without the weights")


def test_one_frame_has_no_motion(clips, tmp_path):
    with pytest.raises(AuditError, match="one frame has no motion"):
        augmentation.motion(clips[:, :1], "frame")


def test_without_trials_the_effect_is_not_decided(clips, tmp_path):
    assert audit.frame_by_frame(clips, trained(tmp_path)).verdict == "cannot be decided without the trials"


# -- 13: tracks -----------------------------------------------------------------------------------------------


def scene(tmp_path, crossing, gap=0.0):
    """Two people for three seconds; the further one grows to be the larger where they are `crossing`."""
    rows = []
    for frame in range(30):
        other = 60 + 2 * frame if crossing else 60
        rows += [
            f"{frame + 1},1,{10 + frame},20,40,100,1,1,-1,-1",
            f"{frame + 1},2,300,20,{other / 2},{other},1,1,-1,-1",
        ]
    file = tmp_path / "tracks.txt"
    file.write_text("\n".join(rows) + "\n")
    episodes = [(1, "walking", 0.0, 1.0), (1, "standing", 1.0, 1.0 + gap), (1, "walking", 1.0 + gap, 3.0)]
    episodes = pd.DataFrame(episodes, columns=["person", "activity", "start_s", "end_s"])
    return tracks.Scene("made", file, 10, episodes[episodes.end_s > episodes.start_s])


def test_persons_by_order_are_exchanged_where_the_order_changes(tmp_path):
    found = audit.persons_by_order([scene(tmp_path, crossing=True)])
    assert found.verdict == NOT_REPRODUCED
    assert (found.table.by_order[0], found.table.tracked[0]) == (2, 0)


def test_one_order_and_no_gap_are_reproduced(tmp_path):
    assert audit.persons_by_order([scene(tmp_path, crossing=False)]).verdict == REPRODUCED


def test_a_gap_is_counted_from_first_to_last(tmp_path):
    lasted = tracks.durations(scene(tmp_path, False, gap=1.5).episodes).set_index("activity")
    assert lasted.loc["walking"].tolist() == [1, 3.0, 1.5]  # person, first to last, seen
    found = audit.persons_by_order([scene(tmp_path, False, gap=1.5)])
    assert found.verdict == NOT_REPRODUCED
    assert "1.5 times at most in real recordings" in found.result
    found = audit.persons_by_order([replace(scene(tmp_path, False, gap=1.5), name="miniature home")])
    assert "0 of them real" in found.result
    assert found.result.endswith("1.5 times in the miniature")


def test_no_recording_and_another_version_are_refused(tmp_path):
    with pytest.raises(AuditError, match="no recording to follow people in"):
        audit.persons_by_order([])
    with pytest.raises(AuditError, match="holds none of the recordings"):
        tracks.make(tmp_path, tmp_path)
    (tmp_path / tracks.FILE).write_text(",".join(tracks.COLUMNS) + "\n" + ",".join("0" * len(tracks.COLUMNS)) + "\n")
    with pytest.raises(RunError, match="is of version 0, this is 1"):
        tracks.read(tmp_path)


def test_the_kept_figures_are_those_of_the_real_recordings(recordings):
    made = pd.DataFrame([tracks.row(one) for one in tracks.real_scenes(recordings)]).round(3)
    pd.testing.assert_frame_equal(made, tracks.read(KEPT), check_dtype=False)


# -- 14: checkpoints ------------------------------------------------------------------------------------------


def test_a_free_pickle_runs_and_ours_do_not(tmp_path):
    found = audit.free_pickles(tmp_path)
    assert found.verdict == NOT_REPRODUCED
    assert found.table.code_ran.tolist() == [True, False, False, False]
    assert found.table.answer.str.startswith("refused").tolist() == [False, True, True, False]


def test_weights_alone_run_nothing(tmp_path):
    found = audit.free_pickles(tmp_path, weights_alone=True)
    assert found.verdict == REPRODUCED
    assert not found.table.code_ran.any()


# -- trials ---------------------------------------------------------------------------------------------------


@pytest.fixture
def small():
    settings = {"dataset": "ntu60", "scale": "mini", "model": "released-wmrc", "frames": 4, "stored_frames": 4}
    settings |= {"conv_channels": (4, 8), "width": 8, "split": "-", "parts": "sampled", "workers": 1, "lr": 1e-2}
    return trials.Trial("leak", "UTKinect", "groups", settings, "set", seeds=1, epochs=(1, 2))


def test_a_trial_gives_its_rows_and_the_same_each_time(tmp_path, small):
    root = sets.make_ntu60(tmp_path / "set", performers=5)
    rows = [list(trials.run(small, root)) for _ in range(2)]
    assert rows[0] == rows[1]
    assert [row["epoch"] for row in rows[0]] == [1, 2]
    assert rows[0][0]["shared"] == 0  # no performer on both sides
    made = trials.make(tmp_path / "kept", tmp_path, (small,))
    assert made.to_dict("records") == rows[0]
    (tmp_path / "set").rename(tmp_path / "elsewhere")
    pd.testing.assert_frame_equal(trials.make(tmp_path / "kept", tmp_path, (small,)), made)  # not run again


def test_recordings_that_are_absent_are_named(tmp_path, small):
    with pytest.raises(DataError, match="there is no folder"):
        trials.make(tmp_path / "kept", tmp_path, (small,))


def test_every_trial_has_possible_settings_and_its_counterpart():
    assert all(Settings.of(trial.settings) for trial in trials.TRIALS)
    pairs = {(trial.experiment, trial.data) for trial in trials.TRIALS}
    for experiment, data in pairs:
        one, two = (trial for trial in trials.TRIALS if (trial.experiment, trial.data) == (experiment, data))
        apart = {key for key in one.settings if one.settings[key] != two.settings[key]}
        apart |= {key for key in ("by", "network") if getattr(one, key) != getattr(two, key)}
        assert len(apart) == 1, f"{experiment} on {data} changes {apart}"
        assert (one.seeds, one.epochs, one.root) == (two.seeds, two.epochs, two.root)


def test_each_kept_trial_is_one_of_these_and_whole():
    made = trials.read(KEPT).to_dict("records")
    assert all(any(trial.made(row) for trial in trials.TRIALS) for row in made)
    for trial in trials.TRIALS:
        rows = [(row["seed"], row["epoch"]) for row in made if trial.made(row)]
        assert rows in ([], [(seed, epoch) for seed in range(trial.seeds) for epoch in trial.epochs]), trial


# -- all figures, and the page --------------------------------------------------------------------------------


def kept_page():
    return page.read(PROJECT / "results" / "mini")


def test_every_published_figure_has_a_verdict():
    _, figures = kept_page()
    cells = figures[figures["where"] == "performance table"]
    assert len(cells) == 6 * 4
    assert len(figures[figures["where"] == "profile"]) == 9 * 7
    assert len(figures[figures["where"].str.startswith("log")]) == 6 * 4
    assert set(figures[figures["where"] == "confusion matrix"].dataset) == set(published.DATASETS)
    fixed = figures.verdict.isin([REPRODUCED, AS_PUBLISHED, NOT_REPRODUCED])
    assert (fixed | figures.verdict.str.startswith("cannot be decided without ")).all()
    assert figures.believe.notna().all()


def test_one_figure_has_one_verdict_wherever_it_stands():
    _, figures = kept_page()
    counted = figures[figures["where"].isin(["performance table", "profile"])]
    assert page.repeated(figures) == 18 + 5  # three costs of six networks; five training accuracies
    for _, same in counted.groupby(["dataset", "model", "figure", "published"]):
        assert same.verdict.nunique() == same.believe.nunique() == same.found.nunique(dropna=False) == 1


def test_what_cannot_be_looked_up_is_not_reproduced_from_itself():
    _, figures = kept_page()
    times = figures[figures.figure.isin(["seconds an epoch", "epochs", "hours of training"])]
    assert set(times[times.model == CNN].verdict) == {"cannot be decided without its log"}
    assert set(times[times.model != CNN].verdict) == {REPRODUCED}


def test_leaks_raise_accuracy_and_lower_loss_and_ntu_is_not_augmented():
    _, figures = kept_page()
    logs = figures[figures["where"].str.startswith("log") & figures.figure.str.startswith("validation")]
    accuracy = logs.figure.str.contains("accuracy")
    assert logs[accuracy].believe.str.startswith("may be raised by people or films in both parts").all()
    assert logs[~accuracy].believe.str.startswith("may be lowered by people or films in both parts").all()
    assert (logs.believe.str.contains("augmentation") == (logs.dataset != "ntu60")).all()


def test_every_accuracy_of_a_training_says_what_it_is_of():
    _, figures = kept_page()
    accuracies = figures[figures.figure.str.contains("accuracy") & (figures["where"] != "confusion matrix")]
    assert len(accuracies) == 6 + 2 + 12  # table, bars, logs
    numbers = accuracies.finding.str.split(", ").map(lambda said: list(map(int, said)))
    assert all(said == sorted(set(said)) and 15 in said for said in numbers)
    assert (numbers.map(lambda said: 9 in said) == (accuracies.model != published.MODELS[2])).all()
    assert accuracies.believe.str.contains("one run without a seed").all()
    assert (accuracies.believe.str.contains("mostly of one-person actions") == (accuracies.dataset == "ntu60")).all()


def test_nothing_is_decided_without_a_figure_of_its_own():
    _, figures = kept_page()
    absent = figures[figures.found.isna()]
    assert absent.verdict.str.startswith("cannot be decided without").all()
    cells = absent[absent["where"] == "confusion matrix"]
    assert len(cells) == 6 + 6 + 5  # the rows of three matrices
    assert set(cells.verdict) == {"cannot be decided without the weights and clips behind it, to count it again"}


def test_the_accuracy_of_a_matrix_is_that_of_its_diagonal():
    _, figures = kept_page()
    wholes = figures[figures.figure == "accuracy of its clips, %"].set_index("dataset")
    assert wholes.found.to_dict() == {"hmdb51": 94.76, "ntu60": 99.59, "svideoqa": 47.95}
    assert "80.19 %" in wholes.believe["hmdb51"]


def test_the_page_is_up_to_date():
    assert (PROJECT / "AUDIT.md").read_text(encoding="utf-8") == page.text(*kept_page()), "run `wtmr audit`"


def test_a_finding_that_is_missing_is_named():
    with pytest.raises(AuditError, match="finding 1 is missing"):
        audit.figures([], costs.counts())


def test_a_finding_is_shown_in_words_and_with_its_figures(capsys):
    shown.show(audit.training_accuracy())
    said = capsys.readouterr().out  # outside a notebook
    assert "Markdown" in said
    (table,) = shown.tables(audit.training_accuracy())
    row = dict(zip(table.cells.columns.get_level_values(1), table.cells.iloc[0], strict=True))
    assert row == {
        "data set": "HMDB51", "network": "TimeSformer", "printed, %": "15.06", "training, %": "15.06",
        "validation, %": "13.88 (12.14–15.82)", "printed is": "training",
    }  # fmt: skip


def test_the_conclusion_follows_the_figures():
    findings = [audit.training_accuracy(), audit.redrawn_matrices(), audit.spread_of_a_run(PROJECT / "results")]
    _, figures = kept_page()
    said = shown.conclusion(findings, figures)
    assert "5 of 6 accuracies are those of training" in said
    assert "45.6 % instead of 98.4 % on HMDB51 and 68.3 % instead of 98.6 % on NTU; WTMR-Net's on SVideoQA is" in said
    assert "On SVideoQA no order is shown." in said
    logs = published.epochs()
    logs.loc[(logs.dataset == "svideoqa") & (logs.model == published.MODELS[0]), "val_accuracy"] = 0.95
    findings[2] = audit.spread_of_a_run(PROJECT / "results", logs)
    assert "no order is shown" not in shown.conclusion(findings, figures)


def test_the_figures_of_the_papers_table_are_shown_each_with_its_meaning():
    _, figures = kept_page()
    table = shown.figures(figures)
    assert len(table.cells) == 6 * 4
    assert list(table.cells.columns[-2:]) == ["believe instead", "findings"]
    assert shown.verdicts(figures).cells.iloc[:, 1:].astype(int).to_numpy().sum() == len(figures)
