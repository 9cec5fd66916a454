"""Measures how well pictures are read: single digits, whole numbers, and pictures without digits.

    uv run python -m benchmarks.pictures FOLDER --sheets FOLDER_OF_SHEETS --record FILE.json

FOLDER holds pictures and a manifest.csv, or such folders and files of small images (.npz with `images` and `labels`).
`examples.py` states the forms of a manifest. Without a manifest, FOLDER/single/DIGIT/SOURCE_*.* are pictures of one
digit, FOLDER/multi/NUMBER_SOURCE_*.* of a number, FOLDER/notdigit/*.* of anything else; each of the three may be
missing.

    uv run --group bench python -m benchmarks.pictures --uci

reads the 8x8 digits that come with scikit-learn (Optical Recognition of Handwritten Digits, Alpaydin and Kaynak 1998),
as pictures.

    uv run python -m benchmarks.pictures --generated 4 --seed 1

generates pictures of each kind in `generated.py`, from images that no bundled model was trained on. Equal seeds give
equal pictures on machines with the same fonts; the record has a digest of all pictures.

Single digits are read by `prepare` and `Model.answers`, numbers by `read`, on one thread. The figures are

- right: the share of pictures that are answered correctly, over pictures and as the mean over sources. A digit that is
  rejected counts as wrong. A number is right if its digits are, line by line; "as written" also counts signs, decimal
  points and the blanks between numbers.
- refused: the share of true digits that are rejected, and how many of these had the right digit on top.
- ROC: the probability that a digit has more evidence than a picture of the same set that is not a digit.
- character errors: insertions, deletions and substitutions of digits (Levenshtein 1966) / digits that are there.
- confident errors: the share of answers with a confidence of 0.9 or more that are wrong, "no digits" included.
- claims: pictures without digits in which digits are read, with any confidence and with 0.5 or more.
- seconds: medians for a picture, by the clock, and of processor time, which other programs disturb less; and the
  longest processor time.
"""
