#!/usr/bin/env bash
# Trains the default model into RUN, RUN_last and RUN_entropy: DATA=FOLDER recipes/conv_lstm_medium.sh RUN
#
# Photos at their own resolution, photos reduced by 2 and thumbnails in turn, for rate and
# distortion; then a phase in which decoder and entropy model learn the bits as they are used, the
# encoder fixed; at last the entropy model alone, in twice as many groups. Called again, it goes on
# where it was. Ten minutes of an NVIDIA H200, for which two cores of a CPU would take a day, and
# half an hour of two cores for the entropy model.
set -euo pipefail
source "$(dirname "$0")/phase.bash"
DATA=${DATA:?set DATA to the folder of the data sets}
RUN=${1:?name the folder of the run}
shift
export KERAS_BACKEND=${KERAS_BACKEND:-jax}
sets=(
  --data "$DATA/native/train?patch_size=128&batch_size=24&max_downscale=1&share=0.4"
  --data "$DATA/native/train?patch_size=128&batch_size=24&min_downscale=2&max_downscale=2&rate=1.5&share=0.25"
  --data "$DATA/thumbnails/train?patch_size=32&batch_size=192&min_downscale=2&max_downscale=2&rate=2&share=0.35"
  --validation "$DATA/native/val?patch_size=256"
  --validation "$DATA/thumbnails/val?patch_size=32&rate=2"
)
common=(
  "${sets[@]}" --loss rate-distortion --target-bpp 0.12,0.30,0.55,0.85,1.15 --precision bfloat16
)

phase "$RUN" --arch conv_lstm --layout medium --iterations 5 "${common[@]}" --ssim-weight 0.03 \
  --average 0.999 --epochs 12 --steps-per-epoch 3000 --learning-rate 0.02 \
  --adam-learning-rate 1e-3 --weight-decay 0.05 --warmup-steps 300 --decay-share 0.75 --seed 1 "$@"
phase "${RUN}_last" --initial-model "$RUN" --iterations 5 "${common[@]}" --ssim-weight 0.03 \
  --deterministic --freeze-encoder --rate-delay 0 --rate-weights 0.742,0.570,0.071,0.001,0.001 \
  --learning-rate 0.005 --adam-learning-rate 4e-4 --average 0.99 --epochs 4 \
  --steps-per-epoch 700 --seed 2 "$@"
if ! has_entropy_epochs "${RUN}_entropy" 9; then
  rm -rf "${RUN}_entropy"
  tfrnnc-train entropy-model "${RUN}_last" "${sets[@]}" --entropy-groups 8 --learning-rate 2e-3 \
    --epochs 9 --steps-per-epoch 500 --seed 3 --output "${RUN}_entropy"
fi
