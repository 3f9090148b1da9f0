import pytest

from loopline_statistics import cohen_kappa, krippendorff_alpha


def test_kappa_of_a_known_table():
    # Cohen's kappa of 20 both yes, 5 and 10 mixed, 15 both no is .4.
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    found = cohen_kappa(first, second)
    assert found
    assert found.value == pytest.approx(0.4)
    assert found.low < 0.4 < found.high < 0.7
    assert found.low > 0.1
    assert found.count == 50


def test_weights_forgive_a_near_miss():
    first, near, far = [1, 2, 3, 4, 5, 1], [2, 2, 3, 4, 5, 1], [5, 2, 3, 4, 5, 1]
    order = [1, 2, 3, 4, 5]
    close = cohen_kappa(first, near, order=order, weights="quadratic")
    wide = cohen_kappa(first, far, order=order, weights="quadratic")
    assert close
    assert wide
    assert close.value > 0.9 > wide.value
    with pytest.raises(ValueError, match="order"):
        cohen_kappa(first, near, weights="linear")
    with pytest.raises(ValueError, match="not among"):
        cohen_kappa(first, [9] * 6, order=order)


def test_agreement_that_chance_explains_wholly_is_not_defined():
    assert cohen_kappa(["yes"] * 5, ["yes"] * 5) is None
    assert cohen_kappa([], []) is None
    assert krippendorff_alpha([[1, 1], [1, 1]]) is None
    assert krippendorff_alpha([[1, None], []]) is None


@pytest.mark.parametrize(("scale", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_of_krippendorffs_own_example(scale: str, alpha: float):
    """Four observers, twelve units, missing data: Krippendorff (2011), example C."""
    none = None
    observers = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, none, none, none],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, none, 3],
        [none, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, none],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, none],
    ]
    found = krippendorff_alpha(list(zip(*observers, strict=True)), scale=scale)
    assert found
    assert found.value == pytest.approx(alpha, abs=5e-4)
    assert found.low < alpha < found.high
    assert found.count == 11
