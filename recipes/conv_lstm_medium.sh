#!/usr/bin/env bash
# Trains the default model into RUN and RUN_last: DATA=FOLDER recipes/conv_lstm_medium.sh RUN
#
# Photos at their own resolution and thumbnails in turn, for rate and distortion; then a last phase
# that sees the bits as they are used, the entropy model fixed. Called again, it goes on where it
# was. Four hours of two CPU cores; on CPUs without AMX, add --precision float32.
set -euo pipefail
DATA=${DATA:?set DATA to the folder of the data sets}
RUN=${1:?name the folder of the run}
shift
common=(
  --data "$DATA/native/train?patch_size=64&batch_size=16&max_downscale=2"
  --data "$DATA/thumbnails/train?patch_size=32&batch_size=64&min_downscale=2&rate=2"
  --validation "$DATA/native/val?patch_size=256"
  --validation "$DATA/thumbnails/val?patch_size=32&rate=2"
  --loss rate-distortion --target-bpp 0.12,0.30,0.55,0.85,1.15 --precision bfloat16
)

# Goes on with the run in a folder, or starts it with the settings that follow.
phase() {
  local folder=$1
  shift
  if [ -e "$folder/training.json" ]; then
    tfrnnc-train --resume "$folder"
  else
    tfrnnc-train "$@" --output "$folder"
  fi
}

phase "$RUN" --arch conv_lstm --layout medium --iterations 5 "${common[@]}" --ssim-weight 0.03 \
  --average 0.995 --epochs 21 --steps-per-epoch 500 --decay-share 0.25 --seed 1 "$@"
phase "${RUN}_last" --initial-model "$RUN" --iterations 5 "${common[@]}" --ssim-weight 0.06 \
  --deterministic --freeze-entropy-model --rate-delay 0 --rate-weights 0.77,0.65,0.15,0,0 \
  --learning-rate 0.008 --adam-learning-rate 5e-4 --average 0.99 --epochs 8 --steps-per-epoch 250 \
  --seed 2 "$@"
