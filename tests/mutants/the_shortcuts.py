"""What is there for speed and must change nothing: broken so that it does."""

from mutant import Mutant

MUTANTS = [
    Mutant("rows_of_a_phase_upside_down",
           "At a stride of 2 every other row of inputs meets every other row of the kernel, in its order: 'any order'.",
           "layers/conv.py", "w = self.weight[:, :, y::down, x::right]\n",
           "w = self.weight[:, :, y::down, x::right][:, :, ::-1]\n"),
    Mutant("one_positive_input_makes_all_positive",
           "There is no negative part where no input is negative: 'where one is not'.",
           "arrays.py", "a.size and a.min() >= 0", "a.size and a.max() >= 0"),
    Mutant("chord_of_the_magnitude",
           "A gate that is worked out later is that of the same input: 'of its size'.",
           "layers/elementwise.py", "return self.chord(self.x)\n", "return self.chord(abs(self.x))\n"),
    Mutant("what_is_over_zero_stays",
           "R over 0 is 0 in floats too: 'what the machine makes of it'.",
           "arrays.py", "    np.copyto(out, 0, where=absent)\n", ""),
    Mutant("finite_by_its_first_number",
           "All numbers of an array are looked at: 'if the first is finite they are'.",
           "arrays.py", "if np.isfinite(np.vdot(x, x)):", "if np.isfinite(np.vdot(x[:1], x[:1])):"),
    Mutant("too_large_is_always_positive",
           "A number below all floats is shown as -inf: 'as inf'.",
           "hints.py", 'return float("inf") if c > 0 else float("-inf")', 'return float("inf")', first=("given",)),
]
