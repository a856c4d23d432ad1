#!/usr/bin/env bash
# Trains the default model: photos at their own resolution and thumbnails in turn, for rate and
# distortion. DATA holds native/ and thumbnails/; the run goes to the folder that is given, and on
# where it was if it is called again. On CPUs without AMX, add --precision float32.
set -euo pipefail
DATA=${DATA:?set DATA to the folder of the data sets}
RUN=${1:?name the folder of the run}
shift
if [ -e "$RUN/training.json" ]; then
  exec tfrnnc-train --resume "$RUN" "$@"
fi
exec tfrnnc-train --arch conv_lstm --layout medium --iterations 5 \
  --data "$DATA/native/train?patch_size=64&batch_size=16&max_downscale=2" \
  --data "$DATA/thumbnails/train?patch_size=32&batch_size=64&min_downscale=2&rate=2" \
  --validation "$DATA/native/val?patch_size=256" \
  --validation "$DATA/thumbnails/val?patch_size=32&rate=2" \
  --loss rate-distortion --target-bpp 0.12,0.30,0.55,0.85,1.15 --ssim-weight 0.03 \
  --precision bfloat16 --average 0.995 --epochs 400 --steps-per-epoch 500 --decay-share 0.25 \
  --seed 1 --output "$RUN" "$@"
