"""The paper's Figure 1 and Table 1, and the experiment that compares both classifiers."""
