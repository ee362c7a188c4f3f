"""What selfcheck proves: each claim is a function that yields its cases; its docstring is the claim.

A claim about one subject stands in that subject's file, of every layer and rule in `laws`, of a settled choice on
chosen numbers in `by_hand`.
"""
