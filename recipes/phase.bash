# For recipes with several trainings, one after the other: source it.

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
