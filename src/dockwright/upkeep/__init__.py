"""What is on the data root: what it takes, whose it is, whether it is whole."""
