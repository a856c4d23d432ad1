#!/usr/bin/env bash
# Trains the layout `small` for the paper's own loss, without SSIM, and its entropy model, into RUN:
# DATA=FOLDER recipes/paper_loss.sh RUN
#
# docs/RESULTS.md has its figures; no preset is made of it. Called again, the codec goes on where it
# was. The published run had the learning rates of --epochs 20 in its first three epochs.
set -euo pipefail
source "$(dirname "$0")/phase.bash"
DATA=${DATA:?set DATA to the folder of the data sets}
RUN=${1:?name the folder of the run}
common=(
  --data "$DATA/thumbnails/train?min_downscale=2" --data "$DATA/native/train?min_downscale=2"
  --validation "$DATA/thumbnails/val" --batch-size 64 --seed 1
)

phase "$RUN" --arch conv_lstm --layout small --iterations 10 "${common[@]}" --loss paper \
  --average 0.995 --precision bfloat16 --epochs 12 --steps-per-epoch 350
if ! has_entropy_epochs "$RUN" 6; then
  rm -f "$RUN"/entropy_*
  tfrnnc-train entropy-model "$RUN" "${common[@]}" --epochs 6 --steps-per-epoch 400 \
    --learning-rate 3e-3
fi
