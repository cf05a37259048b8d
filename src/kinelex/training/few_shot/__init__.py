"""The stage after: a trained model learns from a few labeled windows, by a head on its vectors or by fine-tuning."""
