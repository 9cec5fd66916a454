"""Generated training and test material: photos of digits, digits as people write them, drawings that are not digits."""
