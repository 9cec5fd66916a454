"""Side by side with peers, in one run; and the measuring of the ladder."""
