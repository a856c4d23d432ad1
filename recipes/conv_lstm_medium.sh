#!/usr/bin/env bash
# Trains the default model into RUN and RUN_last: DATA=FOLDER recipes/conv_lstm_medium.sh RUN
#
# Photos at their own resolution and thumbnails in turn, for rate and distortion; then a last phase
# in which decoder and entropy model learn the bits as they are used, the encoder fixed. Called
# again, it goes on where it was. Four hours of two CPU cores with AMX; on others, add
# --precision float32.
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
  --average 0.995 --epochs 50 --steps-per-epoch 500 --decay-share 0.6 --seed 1 "$@"
phase "${RUN}_last" --initial-model "$RUN" --iterations 5 "${common[@]}" --ssim-weight 0.03 \
  --deterministic --freeze-encoder --rate-delay 0 --rate-weights 0.764,0.672,0.107,0.004,0.003 \
  --learning-rate 0.005 --adam-learning-rate 4e-4 --average 0.99 --epochs 6 --steps-per-epoch 250 \
  --seed 2 "$@"
