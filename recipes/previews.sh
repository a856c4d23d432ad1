#!/usr/bin/env bash
# Measures what docs/PREVIEW.md and docs/RESULTS.md show of previews into docs/results/:
# DATA=FOLDER recipes/previews.sh
#
# On thumbnails and on photos stretched to 32 pixels; and what is coded of photos, enlarged to 256.
# Goes on where it was if it is interrupted.
set -euo pipefail
DATA=$(cd "${DATA:?set DATA to the folder of the data sets}" && pwd)
cd "$(dirname "$0")/.."
codecs=${CODECS:-preview,thumbhash,blurhash,conv_lstm_medium,conv_lstm_thumbnails,webp}
sizes=12,16,24,32,48,64
stretched=$(mktemp -d)
trap 'rm -rf "$stretched"' EXIT

measure() { # NAME FOLDER BITS_PER_PIXEL [OPTION...]
  tfrnnc-evaluate --data "$2" --protocol paper --bytes "$sizes" --codec "$codecs" \
    --strip-bpp "$3" --output "docs/results/previews_$1" "${@:4}"
  rm -f "docs/results/previews_$1"/curve_*.png
}

for side in 32 256; do
  python tools/stretch_images.py "$DATA/native/val" $side "$stretched/native/val_$side"
  python tools/stretch_images.py "$DATA/kodak" $side "$stretched/kodak/$side"
done
small=0.1875 large=0.0029296875 # 24 bytes for 32x32 pixels, and for 256x256
measure thumbnails "$DATA/thumbnails/val" $small
measure native "$stretched/native/val_32" $small --strips 0
measure kodak "$stretched/kodak/32" $small --strips 0
measure native_256 "$stretched/native/val_256" $large --reduce-to 32
measure kodak_256 "$stretched/kodak/256" $large --reduce-to 32 --strips 0
