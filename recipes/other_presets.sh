#!/usr/bin/env bash
# Trains the presets for comparison, every architecture of the paper for 20 CPU-minutes, into runs/:
# DATA=FOLDER recipes/other_presets.sh
#
# Loss, data and batch are the same for all. The batches are as many as one core of an Intel Xeon
# with AMX takes in that time; on other CPUs, add --precision float32.
set -euo pipefail
DATA=${DATA:?set DATA to the folder of the data sets}

train() { # NAME BATCHES_PER_EPOCH [OPTION...]
  tfrnnc-train --layout small --iterations 8 \
    --data "$DATA/thumbnails/train?min_downscale=2" --data "$DATA/native/train?min_downscale=2" \
    --validation "$DATA/thumbnails/val" --batch-size 64 --patch-size 32 \
    --loss balanced --ssim-weight 0.03 --average 0.995 --precision bfloat16 --seed 1 \
    --epochs 10 --steps-per-epoch "$2" --output "runs/$1" "${@:3}"
}

train conv_lstm_small_20min 170 --arch conv_lstm
train fc_lstm_small 215 --arch fc_lstm
train conv_small 280 --arch conv
train fc_small 450 --arch fc
# At the learning rate of the others these two get worse again.
train conv_small_shared 300 --arch conv --stage-weights shared --learning-rate 0.01
train fc_small_shared 670 --arch fc --stage-weights shared --optimizer adam --learning-rate 2e-3
