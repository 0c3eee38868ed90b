"""The processes of an installation: what each does in a turn, and who starts and replaces them."""
