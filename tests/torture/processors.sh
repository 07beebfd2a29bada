#!/usr/bin/env bash
# The default run on other x86-64 processors, as qemu plays them: which outputs have the same bytes as here.
#
#     tests/torture/processors.sh Haswell Skylake-Client EPYC
#
# Each stage gets the inputs that this processor made. STAGES="stats train" runs some alone; QEMU names another qemu.
# Debian: apt-get install qemu-user, version 8 or later (7.2 breaks off in PyTorch's grid_sample; Debian 12 has a later
# one in bookworm-backports). The training takes a quarter of an hour of an idle core for each processor.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
git clone --quiet . "$folder/here"
cd "$folder/here"
sed -i 's/^  enabled: true/  enabled: false/' params.yaml # of tracking, which is no part of the outputs

stages=$(python -c 'import yaml; print(*yaml.safe_load(open("dvc.yaml"))["stages"])')
outputs() {
    python -c 'import sys, yaml
for out in yaml.safe_load(open("dvc.yaml"))["stages"][sys.argv[1]]["outs"]:
    print(next(iter(out)) if isinstance(out, dict) else out)' "$1"
}

for stage in $stages; do
    python -m "stages.$stage" >/dev/null
done
python -c 'from darkroom.base import processor; print("here:", processor.name())'
for cpu in "$@"; do
    cp -r "$folder/here" "$folder/there"
    cd "$folder/there"
    for stage in ${STAGES:-$stages}; do
        started=$SECONDS
        "${QEMU:-qemu-x86_64}" -cpu "$cpu" "$(command -v python)" -m "stages.$stage" >log 2>&1 || { tail log; exit 1; }
        other=""
        for output in $(outputs "$stage"); do
            diff -rq "$folder/here/$output" "$output" || other="$other $output"
            rm -r "$output"
            cp -r "$folder/here/$output" "$output"
        done
        echo "$cpu $stage: ${other:+other bytes in}${other:-the same bytes}, $((SECONDS - started)) s"
    done
    cd ..
    rm -r "$folder/there"
done
