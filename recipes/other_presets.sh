#!/usr/bin/env bash
# Trains the presets of the other architectures into runs/: DATA=FOLDER recipes/other_presets.sh
set -euo pipefail
DATA=${DATA:?set DATA to the folder of the data sets}
common=(
  --layout small --iterations 8 --steps-per-epoch 500 --batch-size 32 --learning-rate 2e-3
  --ssim-weight 0.2 --seed 1 --min-downscale 2 --optimizer adam
  --data "$DATA/thumbnails/train" --data "$DATA/photos/train"
  --validation "$DATA/thumbnails/val"
)

tfrnnc-train --arch fc_lstm --epochs 16 "${common[@]}" --output runs/preset_fc_lstm_small
tfrnnc-train --arch conv --epochs 5 "${common[@]}" --output runs/preset_conv_small
tfrnnc-train --arch fc --epochs 4 "${common[@]}" --output runs/preset_fc_small
tfrnnc-train --arch conv --stage-weights shared --epochs 3 "${common[@]}" \
  --output runs/preset_conv_small_shared
tfrnnc-train --arch fc --stage-weights shared --epochs 3 "${common[@]}" \
  --output runs/preset_fc_small_shared
