"""Generated training and test material: photos of digits, rare forms of digits, drawings that are not digits."""
