"""The rooms of the lab: what each offers to its page."""
