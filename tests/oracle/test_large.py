"""What selfcheck claims of floats, and of networks of real depth modulo two primes."""

from helpers import law

from lrp_ref.checks.claims.claim import Case


@law("floats")
def test_floats_stay_within_their_bounds(case: Case) -> None:
    assert case.found().holds


@law("LeNet ledger")
def test_the_ledger_of_a_large_network_closes(case: Case) -> None:
    assert case.found().holds


@law("LeNet identities")
def test_identities_hold_in_a_large_network(case: Case) -> None:
    assert case.found().holds


@law("gates")
def test_gates_that_floats_chose_are_the_exact_ones(case: Case) -> None:
    assert case.found().holds
