from hml.evaluation.paper import PAPER_TABLE


def test_table_is_the_papers():
    assert PAPER_TABLE == {
        "regular": (2.25, 0.29, 14.53),
        "mixup": (2.19, 0.28, 14.35),
        "agg": (2.27, 0.28, 15.07),
        "sep": (2.01, 0.27, 13.33),
        "agg_conf": (2.09, 0.27, 14.01),
        "sep_conf": (1.83, 0.24, 11.81),
    }


def test_columns_are_in_the_papers_order():
    row = PAPER_TABLE["sep_conf"]
    assert (row.cross_entropy, row.rms_calibration, row.fgsm_cross_entropy) == (1.83, 0.24, 11.81)
