"""Which notebook makes which result of a suite. `wtmr reproduce` starts it, writes its config, and sees to it that no
other batch works in the same folder; by hand:

    snakemake --directory results/mini --cores 2 --rerun-triggers mtime params input --config suite=experiments/mini.yaml

It works in the folder of results, so that every path below is a plain name: Snakemake takes braces for wildcards. The
config names the suite, the results and the recordings as seen from the companion's own folder, where notebooks run.

Every job is one notebook through papermill in a process of its own. It is done when its mark in `.done/` is newer
than what it needs: executed notebooks, tables and figures of the mini suite are part of the repository, marks are not,
so that a fresh clone makes everything anew.
"""

import json
import os
import re
import shlex
import sys
from pathlib import Path

from wtmr_core.paper import suite
from wtmr_core.parameters import to_notebook

HOME = Path(workflow.basedir)
FILE = config.get("suite", "experiments/mini.yaml")
SUITE = suite.load(HOME / FILE)
RESULTS = config.get("results", f"results/{SUITE.name}")
CORES, GPUS = int(config.get("cores", 2)), int(config.get("gpus", 0))
LEFT_OUT = config.get("left_out") or {}  # run -> why
ROOTS = config.get("roots") or {}  # run -> folder of its recordings
FAILED = config.get("failed") or {}  # notebook -> why; the report does without
RUNS = {name: entry.settings for name, entry in SUITE.runs.items() if name not in LEFT_OUT}
DATASETS = {run.dataset: name for name, run in reversed(RUNS.items())}  # -> its first run


def literal(path) -> str:
    """`path` as a word of a shell command in which Snakemake fills in what stands in braces."""
    return shlex.quote(str(path)).replace("{", "{{").replace("}", "}}")


def source(name: str):
    """A notebook of the companion, as an input: from here, so that it stays the same in a checkout that was moved, and
    by a function, since what a function gives is taken as it is."""
    path = os.path.relpath(HOME / "notebooks" / f"{name}.ipynb")
    return lambda wildcards: path


# `exec`, so that Snakemake itself is the notebook's parent, with whom it dies
NOTEBOOK = f"results=$PWD && cd {literal(HOME)} && exec {literal(sys.executable)} -m wtmr_core notebook --parent $PPID"
NOTEBOOK += ' "$results"/{input.source:q} "$results"/{output.notebook:q} --log "$results"/{log:q} --parameters {params.given:q}'
NOTEBOOK += " --gpus " + ("{resources.gpu}" if config.get("local") else "0")


def given(**parameters) -> str:
    """The parameters of a notebook; a change of them makes it anew."""
    return json.dumps({k: v for k, v in parameters.items() if v is not None}, sort_keys=True)


def of_run(wildcards) -> str:
    shared = {"results": RESULTS, "root": ROOTS.get(wildcards.name), "name": wildcards.name}
    return given(**to_notebook(RUNS[wildcards.name]) | shared)


def of_data(wildcards) -> str:
    name = DATASETS[wildcards.dataset]
    return given(dataset=wildcards.dataset, scale=RUNS[name].scale, results=RESULTS, root=ROOTS.get(name))


def gpus_of(run) -> int:
    """On each of its machines."""
    return run.processes if GPUS and run.device != "cpu" else 0


def threads_of(run) -> int:
    """On each of its machines."""
    return run.threads * run.processes or (max(1, CORES // GPUS) * run.processes if gpus_of(run) else CORES)


def several(value):
    """A resource of runs on several machines; others do not have it."""
    return lambda wildcards: value(RUNS[wildcards.name]) if RUNS[wildcards.name].nodes > 1 else None


NAME = SUITE.name if FILE == f"experiments/{SUITE.name}.yaml" else FILE
of_suite = given(suite=NAME, results=RESULTS, left_out=LEFT_OUT or None)


TIMED_ON_GPU = {"batch_sizes": [1, 8], "precisions": ["fp32", "fp16", "bf16"], "repeats": 20}
of_times = given(**json.loads(of_suite) | (TIMED_ON_GPU if GPUS and config.get("scale") == "full" else {}))


report: "experiments/report.rst"


wildcard_constraints:
    dataset="|".join(DATASETS),
    name="|".join(map(re.escape, RUNS)),


localrules:
    all,


JOBS = [*(f"01_data-{dataset}" for dataset in DATASETS), *(f"03_confusion_matrix-{name}" for name in RUNS)]
JOBS += ["04_ablation", "05_performance_table", *SUITE.notebooks]


rule all:
    input:
        [f".done/{job}" for job in JOBS if job not in FAILED],


rule data:
    input:
        source=source("01_data"),
    output:
        notebook="notebooks/01_data-{dataset}.ipynb",
        done=touch(".done/01_data-{dataset}"),
    params:
        given=of_data,
    log:
        "logs/01_data-{dataset}.log",
    resources:
        gpu=0,
    priority: 1000
    shell:
        NOTEBOOK


rule train:
    input:
        source=source("02_train"),
        # its clips must have been read, but a run whose clips are the same stays what it is
        data=lambda wildcards: ancient(f".done/01_data-{RUNS[wildcards.name].dataset}"),
    output:
        notebook="notebooks/02_train-{name}.ipynb",
        done=touch(".done/02_train-{name}"),
    params:
        given=of_run,
    log:
        "logs/02_train-{name}.log",
    threads: lambda wildcards: threads_of(RUNS[wildcards.name])
    resources:
        gpu=lambda wildcards: gpus_of(RUNS[wildcards.name]) if RUNS[wildcards.name].nodes == 1 else 0,
        # on several machines: no step of its own ("mpi") but the run's `srun`, a task and `gres` on each machine
        nodes=several(lambda run: run.nodes),
        mpi=several(lambda run: "srun"),
        tasks=several(lambda run: run.nodes),
        tasks_per_gpu=several(lambda run: 0),
        gres=several(lambda run: f"gpu:{gpus_of(run)}" if gpus_of(run) else None),
    priority: lambda wildcards: 500 - list(RUNS).index(wildcards.name)  # in the order of the suite: longest first
    shell:
        NOTEBOOK


rule confusion_matrix:
    input:
        source=source("03_confusion_matrix"),
        run=".done/02_train-{name}",
    output:
        notebook="notebooks/03_confusion_matrix-{name}.ipynb",
        done=touch(".done/03_confusion_matrix-{name}"),
        whole=report(
            "figures/03_confusion_matrix-{name}.png", category="Confusion matrices", subcategory="{name}"
        ),
        reduced=report("figures/03_reduced-{name}.png", category="Confusion matrices", subcategory="{name}"),
    params:
        given=lambda wildcards: given(**json.loads(of_suite) | {"name": wildcards.name, "left_out": None}),
    log:
        "logs/03_confusion_matrix-{name}.log",
    resources:
        gpu=0,
    shell:
        NOTEBOOK


rule ablation:
    input:
        source=source("04_ablation"),
        runs=expand(".done/02_train-{name}", name=RUNS),
    output:
        notebook="notebooks/04_ablation.ipynb",
        done=touch(".done/04_ablation"),
        table=report("tables/04_ablation.csv", category="Ablation"),
        components=report("tables/04_components.csv", category="Ablation"),
        figures=report(
            expand("figures/04_{what}.png", what=["ablation", "networks", "components"]), category="Ablation"
        ),
    params:
        given=lambda wildcards: of_suite,
    log:
        "logs/04_ablation.log",
    resources:
        gpu=0,
    shell:
        NOTEBOOK


rule performance_table:
    input:
        source=source("05_performance_table"),
        runs=expand(".done/02_train-{name}", name=RUNS),
    output:
        notebook="notebooks/05_performance_table.ipynb",
        done=touch(".done/05_performance_table"),
        table=report("performance_table.csv", category="Performance"),
        runs=report("tables/05_runs.csv", category="Performance"),
        times=report("tables/05_times.csv", category="Performance"),
        figure=report("figures/05_accuracy_cost.png", category="Performance"),
    params:
        given=lambda wildcards: of_times,
    log:
        "logs/05_performance_table.log",
    threads: CORES  # it measures times
    resources:
        gpu=1 if GPUS else 0,
    shell:
        NOTEBOOK


rule activity_tracking:
    input:
        source=source("06_activity_tracking"),
    output:
        notebook="notebooks/06_activity_tracking.ipynb",
        done=touch(".done/06_activity_tracking"),
        scores=report("tables/06_scores.csv", category="Activities"),
        timeline=report("figures/06_timeline.png", category="Activities"),
        sheet=report("figures/06_contact_sheet.jpg", category="Activities"),
    params:
        given=lambda wildcards: given(results=RESULTS),
    log:
        "logs/06_activity_tracking.log",
    resources:
        gpu=0,
    priority: 900
    shell:
        NOTEBOOK


rule audit:
    input:
        source=source("07_audit"),
    output:
        notebook="notebooks/07_audit.ipynb",
        done=touch(".done/07_audit"),
        findings=report("tables/07_findings.csv", category="Audit"),
        figures=report("tables/07_figures.csv", category="Audit"),
        picture=report("figures/07_audit.png", category="Audit"),
    params:
        given=lambda wildcards: given(results=RESULTS),
    log:
        "logs/07_audit.log",
    resources:
        gpu=0,
    priority: 800
    shell:
        NOTEBOOK


rule habits:
    input:
        source=source("09_habits"),
    output:
        notebook="notebooks/09_habits.ipynb",
        done=touch(".done/09_habits"),
        scores=report("tables/09_scores.csv", category="Habits"),
        departures=report("tables/09_departures.csv", category="Habits"),
        figures=report(expand("figures/09_{what}.png", what=["routine", "calendar", "day"]), category="Habits"),
    params:
        given=lambda wildcards: given(results=RESULTS),
    log:
        "logs/09_habits.log",
    resources:
        gpu=0,
    priority: 800
    shell:
        NOTEBOOK
