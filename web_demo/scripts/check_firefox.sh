#!/usr/bin/env bash
# The page in Firefox. Not part of the tests; FIREFOX is its path.
set -euo pipefail
cd "$(dirname "$0")/.."
firefox=${FIREFOX:-$(command -v firefox-esr || command -v firefox || true)}
if [ -z "$firefox" ]; then
  echo "there is no Firefox; install it (apt-get install firefox-esr), or set FIREFOX to its path" >&2
  exit 1
fi
npm ci --ignore-scripts --no-audit --no-fund --silent
# Playwright drives a Firefox of its own only, which is downloaded; Puppeteer drives any.
npm install --no-save --ignore-scripts --no-audit --no-fund --silent puppeteer-core@24.43.1
node scripts/build.mjs
FIREFOX=$firefox node scripts/check_firefox.mjs
