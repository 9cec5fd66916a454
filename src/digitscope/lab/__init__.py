"""The lab: a server on the user's own machine, and its pages. All numbers on a page are computed here."""
