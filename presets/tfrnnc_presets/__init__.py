"""Models for comparison and for Keras; `tfrnnc.model_folder.presets` finds them."""
