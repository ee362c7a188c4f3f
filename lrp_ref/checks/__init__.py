"""The oracle: what layers, rules and cut-off must do, written again and independently of the array code."""
