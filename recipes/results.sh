#!/usr/bin/env bash
# Measures what docs/RESULTS.md shows into docs/results/: DATA=FOLDER recipes/results.sh
#
# Goes on where it was if it is interrupted. Half of the time is AVIF's, at its slowest; avif@4 in its
# place in CODECS saves most of it.
set -euo pipefail
DATA=$(cd "${DATA:?set DATA to the folder of the data sets}" && pwd)
cd "$(dirname "$0")/.."
classic=${CODECS:-jpeg,jpeg444,jpeg2000,webp,avif,jpegxl}
ours=conv_lstm_medium
thumbnails=conv_lstm_thumbnails
sizes=16,32,48,64,80,96,112,128,144,160,176  # those of the paper's figure 5
presets=conv_lstm_small_20min,fc_lstm_small,conv_small,fc_small,conv_small_shared,fc_small_shared

tfrnnc-evaluate --data "$DATA/thumbnails/val" --protocol paper --bytes "$sizes" \
  --codec "$ours,$ours@4@half@ssim,$thumbnails,$thumbnails@4@half@ssim,$classic" --output docs/results/thumbnails
# Thumbnails that chose no model: the squares of the Kodak photos.
squares=$(mktemp -d)
trap 'rm -rf "$squares"' EXIT
python tools/cut_squares.py "$DATA/kodak" 32 "$squares/kodak/squares_32"
tfrnnc-evaluate --data "$squares/kodak/squares_32" --protocol paper --bytes "$sizes" \
  --codec "$ours,$ours@4@half@ssim,$thumbnails,$thumbnails@4@half@ssim,$classic" --strips 0 --output docs/results/held_out
rm -f docs/results/held_out/curve_*.png
tfrnnc-evaluate --data "$DATA/kodak" --protocol modern \
  --codec "$ours@half,$ours,$ours@6@half,$classic" --metric psnr,ssim,msssim --output docs/results/kodak
tfrnnc-evaluate --data "$DATA/thumbnails/val" --protocol paper \
  --codec "$presets" --output docs/results/architectures
tfrnnc-evaluate --data "$DATA/kodak" --protocol modern \
  --codec "$presets,jpeg" --strips 0 --output docs/results/kodak_architectures
DATA=$DATA recipes/previews.sh
