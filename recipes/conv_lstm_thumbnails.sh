#!/usr/bin/env bash
# Trains the default model further for thumbnails into RUN, RUN_2, RUN_3 and RUN_last:
# DATA=FOLDER recipes/conv_lstm_thumbnails.sh RUN
#
# The published run started from the default's entropy model of then, in 4 groups; since then the
# default has 8, and so has what is trained from it.
#
# Thumbnails and photos reduced to their size, with more weight on SSIM. RUN_2 and RUN_last are phases
# in which decoder and entropy model learn the bits as they are used, the encoder fixed; RUN_3 moves
# the ends of the iterations to fewer bytes. Called again, it goes on where it was.
set -euo pipefail
source "$(dirname "$0")/phase.bash"
DATA=${DATA:?set DATA to the folder of the data sets}
RUN=${1:?name the folder of the run}
shift
common=(
  --iterations 5 --loss rate-distortion
  --data "$DATA/thumbnails/train?patch_size=32&batch_size=64&min_downscale=2&max_downscale=2&rate=2&share=0.8"
  --data "$DATA/native/train?patch_size=32&batch_size=64&min_downscale=4&max_downscale=8&rate=2&share=0.2"
  --validation "$DATA/thumbnails/val?patch_size=32&rate=2"
  --ssim-weight 0.1 --rate-delay 0
)
more=("${common[@]}" --target-bpp 0.095,0.18,0.29,0.43,0.64 --precision bfloat16)
fewer=("${common[@]}" --target-bpp 0.094,0.164,0.246,0.328,0.496)
learn_all=(
  --learning-rate 0.01 --adam-learning-rate 6e-4 --weight-decay 0.02 --warmup-steps 50
  --average 0.995 --steps-per-epoch 350
)
learn_decoder=(
  --deterministic --freeze-encoder --learning-rate 0.004 --adam-learning-rate 3e-4
  --average 0.99 --steps-per-epoch 250
)

phase "$RUN" --initial-model conv_lstm_medium "${more[@]}" "${learn_all[@]}" \
  --rate-weights 0.742,0.570,0.071,0.001,0.001 --epochs 10 --seed 3 "$@"
phase "${RUN}_2" --initial-model "$RUN" "${more[@]}" "${learn_decoder[@]}" \
  --rate-weights 0.648,0.901,1.012,0.961,0.000 --epochs 2 --seed 4 "$@"
phase "${RUN}_3" --initial-model "${RUN}_2" "${fewer[@]}" "${learn_all[@]}" \
  --rate-weights 0.648,0.901,1.012,0.961,0.500 --epochs 12 --seed 5 "$@"
phase "${RUN}_last" --initial-model "${RUN}_3" "${fewer[@]}" "${learn_decoder[@]}" \
  --rate-weights 0.612,0.829,0.919,0.961,0.604 --epochs 3 --seed 6 "$@"
