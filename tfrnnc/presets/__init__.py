"""Trained models that come with the package; `tfrnnc.model_folder.presets` finds them."""
