#!/usr/bin/env bash
#SBATCH --job-name=darkroom
#SBATCH --output=%x-%A_%a.log
# One experiment, of many that run on many machines (docs/experiments.md):
#
#   sbatch --array=1-6 deploy/array.sh REPOSITORY FOLDER NAME LIST
#   TASK=3 bash deploy/array.sh REPOSITORY FOLDER NAME LIST        in a plain shell
#
# Task 3 clones REPOSITORY into FOLDER/NAME-3, runs `dvc exp run` there with the options in line 3 of the file LIST, names the
# experiment NAME-3, and pushes it: to REPOSITORY what Git keeps, to the DVC remote the files. Started again after a kill, it goes
# on in the same clone after the last checkpoint; when all is pushed it has nothing to do. `dvc` must be on the PATH.
set -euo pipefail

repository=${1:?the address of the Git repository is missing}
folder=${2:?the folder for the clones is missing}
task=${SLURM_ARRAY_TASK_ID:-${TASK:?is not set: which line of LIST?}}
name=${3:?the name of the experiments is missing}-$task
list=$(realpath "${4:?the file with the options of each experiment is missing}")
read -ra options < <(sed -n "${task}p" "$list") || { echo "error: $list has no line $task" >&2; exit 1; }

clone=$folder/$name
[ -d "$clone" ] || { git clone --quiet "$repository" "$clone.partial" && mv "$clone.partial" "$clone"; }
cd "$clone"
if git ls-remote origin "refs/exps/*/$name" | grep -q .; then
    echo "$name is pushed already"
    exit
fi
# Only what the stages that run read is pulled. An experiment that ended before a kill is pushed, not run again.
dvc exp list --name-only | grep -qx "$name" || dvc exp run --pull --allow-missing --name "$name" "${options[@]}"
dvc exp push origin "$name"
