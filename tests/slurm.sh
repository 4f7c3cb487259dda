#!/usr/bin/env bash
# Part of the miniature suite through a real SLURM: one machine that pretends to be two, with three pretended GPUs.
#
#   tests/slurm.sh      as root, on Debian or Ubuntu; about four minutes on two cores
#
# Installs slurm-wlm and munge where they are absent. Its daemons have a configuration, a state and ports of their own
# in a temporary directory, so that they meddle with no other SLURM, and are stopped at the end, whatever happens.
# Where there can be no SLURM it says `SLURM left out: ...` and ends with 0; that and success are the only ways to 0.
set -euo pipefail

home=$(cd "$(dirname "$0")/.." && pwd)
export PATH="$home/.venv/bin:$PATH:/usr/sbin"
state=$(mktemp -d)
chmod 755 "$state" # munge wants its socket within reach of everybody

left_out() {
    echo "SLURM left out: $1"
    exit 0
}

wrong() {
    echo "SLURM WRONG: $1" >&2
    exit 1
}

stop() {
    local status=$? name pid
    trap - EXIT INT TERM
    set +e
    if [[ -f $state/slurmctld.pid ]]; then
        scancel --me
        for _ in {1..20}; do [[ -z $(squeue --noheader) ]] && break; sleep 0.5; done
    fi
    for name in wtmr1 wtmr2 slurmctld munged; do
        pid=$(cat "$state/$name.pid" 2>/dev/null) || continue
        kill "$pid"
        for _ in {1..20}; do [[ -f $state/$name.pid ]] || continue 2; sleep 0.5; done
        kill -9 "$pid" # it would have removed its file
    done
    if [[ -n ${KEEP:-} ]]; then
        echo "kept: $state"
    else
        rm -rf "$state"
    fi
    exit "$status"
}
trap stop EXIT INT TERM

# -- SLURM

[[ -x $home/.venv/bin/wtmr ]] || wrong "there is no .venv: make setup"
[[ $EUID == 0 ]] || left_out "only root can start its daemons"
if ! command -v slurmctld slurmd munged srun >/dev/null; then
    command -v apt-get >/dev/null || left_out "it is not installed, and there is no apt-get"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update && apt-get install -y --no-install-recommends slurm-wlm munge; } >"$state/apt" 2>&1 ||
        left_out "apt-get cannot install it: $(tail -n 1 "$state/apt")"
fi

host=$(hostname -s)
read -r -a port < <(python - <<'PY'
import socket

held = [socket.create_server(("", 0)) for _ in range(3)]
print(*(s.getsockname()[1] for s in held))
PY
)
# GPUs for SLURM to count and to hand out: it asks for a device whose name ends with a number, not for what it does.
ln -s /dev/null "$state/gpu0"
ln -s /dev/null "$state/gpu1"
# CPUs and memory are pretended too (config_overrides): GPUs alone decide how many jobs run at once. A prologue of each
# task notes what SLURM gave it. `Weight` keeps the second machine for jobs that need two.
cat >"$state/slurm.conf" <<CONF
ClusterName=wtmr
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=${port[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$state/munge.socket
CredType=cred/munge
StateSaveLocation=$state
SlurmdSpoolDir=$state/%n
SlurmctldPidFile=$state/slurmctld.pid
SlurmdPidFile=$state/%n.pid
SlurmctldLogFile=$state/slurmctld.log
SlurmdLogFile=$state/%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
GresTypes=gpu
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$state/jobs
TaskProlog=$state/prolog
TaskEpilog=$state/epilog
MinJobAge=300
KillWait=5
ReturnToService=2
NodeName=wtmr1 NodeHostname=$host NodeAddr=127.0.0.1 Port=${port[1]} CPUs=16 RealMemory=400000 Gres=gpu:2 Weight=1
NodeName=wtmr2 NodeHostname=$host NodeAddr=127.0.0.1 Port=${port[2]} CPUs=16 RealMemory=400000 Gres=gpu:1 Weight=9
PartitionName=all Nodes=wtmr1,wtmr2 Default=YES MaxTime=INFINITE State=UP
CONF
cat >"$state/gres.conf" <<CONF
NodeName=wtmr1 Name=gpu File=$state/gpu[0-1]
NodeName=wtmr2 Name=gpu File=$state/gpu0
CONF
for what in prolog epilog; do
    cat >"$state/$what" <<SH
#!/bin/sh
echo "$what \$(date +%s.%N) \$SLURM_JOB_ID.\$SLURM_STEP_ID \$SLURMD_NODENAME GPU=\${CUDA_VISIBLE_DEVICES-none}" >>"$state/tasks"
SH
    chmod +x "$state/$what"
done
export SLURM_CONF="$state/slurm.conf"
# Snakemake drops SLURM_CONF before the srun of a job; on a cluster the file lies where SLURM looks by itself.
mkdir "$state/bin"
printf '#!/bin/sh\nSLURM_CONF=%s exec %s "$@"\n' "$SLURM_CONF" "$(command -v srun)" >"$state/bin/srun"
chmod +x "$state/bin/srun"
export PATH="$state/bin:$PATH"

python -c 'import os, sys; open(sys.argv[1], "wb").write(os.urandom(128))' "$state/munge.key"
chmod 400 "$state/munge.key"
munged --force --key-file="$state/munge.key" --socket="$state/munge.socket" --pid-file="$state/munged.pid" \
    --log-file="$state/munged.log" --seed-file="$state/munge.seed" 2>"$state/munged.said" ||
    left_out "munged does not start: $(tail -n 1 "$state/munged.said")"
slurmctld -f "$SLURM_CONF" 2>"$state/said" || left_out "slurmctld does not start: $(tail -n 1 "$state/said")"
for node in wtmr1 wtmr2; do
    slurmd -f "$SLURM_CONF" -N "$node" 2>"$state/said" || left_out "slurmd does not start: $(tail -n 1 "$state/said")"
done
for _ in {1..60}; do
    [[ $(sinfo --noheader --format=%D --states=idle 2>"$state/said") == 2 ]] && break
    sleep 0.5
done
timeout 60 srun --nodes=2 --time=1 true 2>>"$state/said" || left_out "it runs no job here: $(tail -n 1 "$state/said")"
echo "$(slurmctld -V): $(sinfo --noheader --Node --format='%N %c CPUs %G' | paste -sd,)"

# -- the suite: each notebook a job, GPUs for two runs at once, a run over two processes and one over two machines

cat >"$state/cluster.yaml" <<'SUITE'
all: {scale: mini, protocol: corrected, epochs: 2, threads: 1, dropout: 0.0, val_fraction: 0.15}

runs:
  ntu60-machines: {dataset: ntu60, model: released-timesformer, nodes: 2}
  ntu60-processes: {dataset: ntu60, model: released-wmrc, processes: 2, device: cpu}
  hmdb51-timesformer: {dataset: hmdb51, model: released-timesformer}
  hmdb51-wmrc: {dataset: hmdb51, model: released-wmrc}
SUITE
results="$state/results"
reproduce=(wtmr reproduce "$state/cluster.yaml" --profile slurm --gpus 2 --results "$results")
began=$SECONDS

# Killed as no program can help while SLURM trains, and typed again: what is still in SLURM must not be in the way.
"${reproduce[@]}" &
batch=$!
for _ in {1..600}; do
    compgen -G "$results/runs/*/timing.csv" >/dev/null && break
    kill -0 "$batch" 2>/dev/null || break
    sleep 0.5
done
kill -KILL "$batch" || wrong "wtmr reproduce ended before it trained anything"
wait "$batch" 2>/dev/null || true
[[ -n $(squeue --noheader) ]] || wrong "nothing is left in SLURM to be in the way"

"${reproduce[@]}" >"$state/again" || {
    cat "$state/again"
    grep -h -A 12 "^Error" "$results/logs/snakemake.log" >&2
    wrong "wtmr reproduce ended with an error, above"
}
cat "$state/again"
grep -q "^cancelling .* SLURM jobs" "$state/again" || wrong "it did not end the jobs of the batch that was killed"
took=$((SECONDS - began))

# What several processes make, one makes too: the same runs, alone and without SLURM.
for run in "model=released-timesformer" "model=released-wmrc"; do
    wtmr train dataset=ntu60 scale=mini epochs=2 threads=2 dropout=0.0 val_fraction=0.15 "$run" --results "$state/alone" \
        >"$state/said" 2>&1 || wrong "wtmr train ended with an error: $(tail -n 1 "$state/said")"
done

python - "$state" "$took" <<'PY' || wrong "see above"
import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd

state, took = Path(sys.argv[1]), sys.argv[2]
results = state / "results"

table = pd.read_csv(results / "performance_table.csv")
assert len(table), "the performance table is empty"

# every notebook ended well and was one job of SLURM's, by its own account of what it completed
made = {f.stem: json.loads(f.read_text())["state"] for f in (results / "logs").glob("*.json")}
assert len(made) == 2 + 4 + 4 + 2 and set(made.values()) == {"done"}, made
jobs = [dict(re.findall(r"(\w+)=(\S*)", line)) for line in (state / "jobs").read_text().splitlines()]
jobs = {job["JobId"]: job for job in jobs if "-" in job["Name"]}  # Snakemake names a batch's jobs by a UUID
whole = [job for job in jobs.values() if job["JobState"] == "COMPLETED"]
assert len(whole) == len(made), f"{len(made)} notebooks, but {len(whole)} jobs"
assert len({job["Name"] for job in jobs.values()}) == 2, "there were not two batches"

# who had which GPU, and when: a line for each task's begin and end
tasks = {}
for line in (state / "tasks").read_text().splitlines():
    what, when, step, node, gpus = line.split()
    tasks.setdefault((step, node, gpus.removeprefix("GPU=")), {})[what] = float(when)
steps = [(step.partition(".")[0], node, gpus, t["prolog"], t["epilog"])
         for (step, node, gpus), t in tasks.items() if len(t) == 2]  # a task that was cancelled has no end
steps = [step for step in steps if step[0] in jobs]
assert {gpus for _, _, gpus, *_ in steps} == {"none", "0", "1"}, steps
first, second = ([s for s in steps if s[1:3] == ("wtmr1", gpu)] for gpu in "01")
both = sorted({(a[0], b[0]) for a in first for b in second if a[0] != b[0] and max(a[3], b[3]) < min(a[4], b[4])})
assert both, "no two jobs had a GPU each at the same time"
shared = [(a, b) for a in steps for b in steps if a[0] < b[0] and a[1:3] == b[1:3] and a[2] != "none"
          and max(a[3], b[3]) < min(a[4], b[4])]  # fmt: skip
assert not shared, f"two jobs had the same GPU at once: {shared}"
machines = {job: {s[1] for s in steps if s[0] == job} for job in jobs}
assert {"wtmr1", "wtmr2"} in machines.values(), f"no job had tasks on both machines: {machines}"

# runs over two processes: so many worked on them, and their numbers are those of one process
for alone in sorted((state / "alone" / "runs").iterdir()):
    folder = results / "runs" / alone.name
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["processes"] == 2, environment
    # losses, since logits of the CNN differ by 0.01 already between one thread and two: Adam enlarges the order of sums
    one, two = (pd.read_csv(f / "history.csv")[["train_loss", "val_loss"]].to_numpy() for f in (alone, folder))
    apart = np.abs(one / two - 1).max()
    assert one.shape == two.shape and apart < 1e-3, f"{alone.name}: {one} alone, {two} together"
    print(f"{alone.name}: losses of two processes and of one are the same but for {apart:.0e}")

print(f"GPUs 0 and 1 at once: jobs {', '.join(' and '.join(pair) for pair in both)}; none given twice")
print(f"{len(jobs)} jobs through SLURM in {took} s, {len(jobs) - len(whole)} of them cancelled with the killed batch")
PY
