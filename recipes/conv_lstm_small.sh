#!/usr/bin/env bash
# Trains the default preset and its entropy model into runs/: DATA=FOLDER recipes/conv_lstm_small.sh
set -euo pipefail
DATA=${DATA:?set DATA to the folder of the data sets}
common=(
  --data "$DATA/thumbnails/train" --data "$DATA/photos/train"
  --validation "$DATA/thumbnails/val" --min-downscale 2
)

tfrnnc-train --arch conv_lstm --layout small --iterations 8 "${common[@]}" --optimizer adam \
  --epochs 24 --steps-per-epoch 500 --batch-size 32 --learning-rate 2e-3 --seed 1 \
  --output runs/conv_lstm_small
tfrnnc-train --initial-model runs/conv_lstm_small "${common[@]}" --optimizer adam \
  --epochs 6 --steps-per-epoch 500 --batch-size 32 --learning-rate 1e-3 --seed 2 \
  --output runs/conv_lstm_small_2
tfrnnc-train --initial-model runs/conv_lstm_small_2 "${common[@]}" --optimizer adam --ssim-weight 0.1 \
  --epochs 12 --steps-per-epoch 250 --batch-size 32 --learning-rate 2e-3 --seed 4 \
  --output runs/conv_lstm_small_3
tfrnnc-train --initial-model runs/conv_lstm_small_3 --iterations 10 "${common[@]}" --optimizer adam \
  --epochs 24 --steps-per-epoch 250 --batch-size 32 --learning-rate 2e-3 --ssim-weight 0.2 \
  --seed 5 --output runs/conv_lstm_small_4
tfrnnc-train entropy-model runs/conv_lstm_small_4 "${common[@]}" \
  --epochs 8 --steps-per-epoch 500 --batch-size 64 --learning-rate 3e-3 --seed 1
