"""The tutorial as a program: executes the notebooks, compares what they record, builds the site."""
