"""One line for each kind of stage that was limited."""

from gateformer.model.evaluation.saturation import saturation_lines

FEW = "; so few need nothing done if the perplexity is near the float model's"


def test_a_line_for_each_kind():
    saturated = {f"layers.{i}.v": 1e-4 * (i + 2) for i in range(3)} | {"final_norm": 2e-4}
    assert saturation_lines(saturated) == [
        f"v saturates in 3 layers, most in layers.2: 0.040%{FEW}",
        f"final_norm saturates: 0.020% of its values{FEW}",
    ]


def test_many_want_another_text():
    assert saturation_lines({"layers.7.hidden": 0.01}) == [
        "layers.7.hidden saturates: 1.000% of its values; calibrate on a text more like this"
    ]
    assert saturation_lines({}) == []
