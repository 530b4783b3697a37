"""The application set: one real program for every way money is spent, gathered in `acceptance.programs`."""
