"""The notes, docs/notes, for programs: their files, sections, equations, and HTML with mathematics as MathML.

The notes' checks, figures and the book are built in docs/notes; they use these modules, too.
"""
