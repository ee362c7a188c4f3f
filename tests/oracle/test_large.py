"""What selfcheck claims of floats, and of networks of real depth modulo two primes."""

from helpers import assert_holds, law

from lrp_ref.checks.claims.claim import Claim


@law("floats")
def test_floats_stay_within_their_bounds(claim: Claim) -> None:
    assert_holds(claim)


@law("LeNet ledger")
def test_the_ledger_of_a_large_network_closes(claim: Claim) -> None:
    assert_holds(claim)


@law("LeNet identities")
def test_identities_hold_in_a_large_network(claim: Claim) -> None:
    assert_holds(claim)


@law("gates")
def test_gates_that_floats_chose_are_the_exact_ones(claim: Claim) -> None:
    assert_holds(claim)
