"""Why a case fails: conventions, known faults, the first wrong layer, the smallest example."""
