"""How a command says that what it checked failed."""


class Failed(Exception):
    """A command's whole output, which says that something failed: it is printed, and the program ends with 1."""
