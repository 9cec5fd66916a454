"""Changes to images: random distortions for training, and corruptions for testing."""
