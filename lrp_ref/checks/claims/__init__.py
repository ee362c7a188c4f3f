"""What selfcheck proves: each claim is a function that yields its cases; its docstring is the claim."""
