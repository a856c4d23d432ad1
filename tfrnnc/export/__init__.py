"""Keras models to SavedModels and TFLite files, one step of the encoder and decoder each.

`tfrnnc.export.tflite` and `tfrnnc.export.saved_model` need TensorFlow; `tfrnnc.export.manifest`,
which describes what they made, needs nothing.
"""
