"""What the commands say of themselves: version, help, completion, and the list of settings."""

import json
import subprocess
import sys

import pytest

import wtmr_core
from wtmr_core import commands
from wtmr_core.__main__ import main
from wtmr_core.settings import Settings, described


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["--version"])
    assert capsys.readouterr().out == f"wtmr {wtmr_core.__version__}\n"


def test_without_a_command_all_are_listed(capsys):
    assert main([]) == 2
    said = capsys.readouterr().err
    assert all(name in said for name in ("reproduce", "track", "train", "COMMAND --help"))


def test_help_waits_for_nothing_that_is_slow_to_import():
    code = "import sys; from wtmr_core import __main__, commands; commands.parser().format_help(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numpy", "pandas", "cv2", "yaml"} & set(loaded)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trak", "a.mp4"], "there is no 'trak'; did you mean track?"),
        (["data", "check", "hmdb"], "there is no 'hmdb'; did you mean hmdb51?"),
        (["who", "zzz"], "there is no 'zzz'; there are list, name, join, part, forget"),
    ],
)
def test_a_mistyped_word_is_answered_with_the_nearest(capsys, words, said):
    with pytest.raises(SystemExit, match=r"^2$"):
        main(words)
    assert said in capsys.readouterr().err


def every(parser) -> list:
    """All options and arguments, those of commands below commands too."""
    found = []
    for action in parser._actions:
        found.append(action)
        for below in (action.choices or {}).values() if isinstance(action.choices, dict) else ():
            found += every(below)
    return found


def test_every_option_says_what_it_does():
    silent = [a.dest for a in every(commands.parser()) if not a.help and not isinstance(a.choices, dict | list | tuple)]
    assert silent == []


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["tra"], ["train", "track"]),
        (["track", "--de"], ["--detector"]),
        (["track", "--detector", "h"], ["hog", "haar"]),
        (["data", "check", "s"], ["svideoqa", "skeletons"]),
        (["table", "pyproj"], ["pyproject.toml"]),
        (["habits", "pyproj"], ["pyproject.toml"]),
    ],
)
def test_bash_completes_commands_options_choices_and_files(capsys, tmp_path, typed, offered):
    pytest.importorskip("shtab")
    assert main(["completion", "bash"]) == 0
    (tmp_path / "completion").write_text(capsys.readouterr().out)
    (tmp_path / "pyproject.toml").touch()
    words = f"COMP_WORDS=(wtmr {' '.join(typed)}); COMP_CWORD={len(typed)}; _shtab_wtmr; echo ${{COMPREPLY[@]}}"
    end = subprocess.run(["bash", "-c", f". ./completion; {words}"], cwd=tmp_path, capture_output=True, text=True)
    assert end.stdout.split() == offered


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_too(capsys, shell):
    pytest.importorskip("shtab")
    assert main(["completion", shell]) == 0
    assert "--detector" in capsys.readouterr().out.replace("-l detector", "--detector")


def test_every_setting_is_listed_with_meaning_values_and_defaults(capsys):
    assert main(["train", "--list", "--json", "dataset=ntu60", "model=released-timesformer"]) == 0
    listed = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert list(listed) == list(described())
    assert all(len(one["meaning"]) > 5 and one["allowed"] for one in listed.values())
    for protocol in ("published", "corrected"):
        for scale in ("mini", "full"):
            run = {"dataset": "ntu60", "model": "released-timesformer", "protocol": protocol, "scale": scale}
            told = {name: one["defaults"][protocol][scale] for name, one in listed.items()}
            assert Settings.of(told | run) == Settings.of(run)
    assert listed["lr"]["defaults"]["published"]["full"] == 5e-4
    assert listed["model"]["defaults"]["published"]["mini"] == "wtmr"  # not what was asked for


def test_the_list_in_words(capsys):
    assert main(["train", "--list"]) == 0
    said = capsys.readouterr().out
    assert "\nlr: a number from 1e-12 to 10\n" in said
    assert "default, corrected: 0.0003, at scale mini 0.001\n" in said
    assert "\nschedule: plateau, cosine, constant\n" in said
    assert "\nwidth: a whole number from 1 to 8192, or null\n" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train"], "no settings are given: at least dataset=hmdb51"),
        (["train", "dataset=ntu60", "--json"], "--json is for --list"),
        (["train", "--list", "dataset=ntu61"], "dataset is 'ntu61'; it can be"),
    ],
)
def test_wrong_calls_of_train(capsys, words, said):
    assert main(words) == 2
    assert said in capsys.readouterr().err
