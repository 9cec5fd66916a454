"""Changes of images: random distortions to learn from, and corruptions to test on."""
