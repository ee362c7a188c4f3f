"""How many draws of R a case passes over, none where it is not here: with fewer something cancels.

Found once, by trying until `lrp-ref vectors lint` found nothing undetermined, and kept, so that no id changes when a
bound does.
"""

DRAWS = {
    "zbox-linear-rows": 1, "flat-conv2d-distinct": 1, "epsilon-conv2d-square": 1, "zbox-conv2d-square": 1,
    "flat-conv2d-square": 1, "flat-conv2d-padded": 1, "gamma-conv2d-dilated": 1, "zplus-conv2d-groups": 2,
    "gamma-conv2d-groups": 1, "flat-conv2d-groups": 2, "flat-avgpool-overlap": 1,
    "alphabeta-adaptiveavgpool-cells-overlap": 1, "wsquare-adaptiveavgpool-cells-overlap": 1,
    "flat-adaptiveavgpool-cells-overlap": 1, "fisher-alpha2-beta1": 1, "fisher-zplus": 3,
    "flat-conv2d-groups-bias": 1, "zbox-conv2d-groups-bias": 1, "flat-conv2d-all-negative": 1,
}
