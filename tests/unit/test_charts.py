"""The geometry of charts: columns stay in their frame, and values above 0 are visible."""

from hypothesis import given
from hypothesis import strategies as st

from app.admin.charts import HEIGHT, SMALLEST, Y_TICKS, Point, bars, column_chart, scale


@given(st.integers(0, 10**12))
def test_a_scale_fits_the_highest_value_in_few_even_steps(highest: int) -> None:
    top, step = scale(highest)
    assert top >= max(highest, 1)
    assert top % step == 0
    assert top - step < max(highest, 1)
    assert 1 <= top // step <= Y_TICKS + 1
    assert str(step).rstrip("0") in {"1", "2", "5"}


@given(st.lists(st.integers(0, 10**9), max_size=200), st.one_of(st.none(), st.integers(1, 10)))
def test_columns_stay_in_their_frame(values: list[int], every: int | None) -> None:
    chart = column_chart([Point(f"no {n}", value, str(n)) for n, value in enumerate(values)], every)
    assert [column.point.value for column in chart.columns] == values
    for column in chart.columns:
        assert column.band <= column.x
        assert 0 <= column.x < column.x + column.width <= 100.01
        assert 0 <= column.y <= HEIGHT
        assert abs(column.y + column.height - HEIGHT) < 0.2
        assert (column.height >= SMALLEST) == (column.point.value > 0)
    assert all(0 <= tick.at <= 100 for tick in chart.x_ticks)
    assert all(0 <= tick.at <= HEIGHT for tick in chart.y_ticks)
    assert chart.total == sum(values)


def test_columns_match_their_values_and_the_last_has_a_label() -> None:
    chart = column_chart([Point(str(n), value, str(n)) for n, value in enumerate([0, 5, 10, 20])], label_every=2)
    assert [column.height for column in chart.columns] == [0, 50, 100, 200]
    assert [tick.text for tick in chart.x_ticks] == ["1", "3"]
    assert [tick.text for tick in chart.y_ticks] == ["0", "5", "10", "15", "20"]
    assert chart.highest.label == "3"


def test_bars_are_relative_to_the_longest_and_shares_to_the_total() -> None:
    first, second = bars([("drama", 8), ("crime", 2)], total=16, links=["/drama"])
    assert (first.length, first.share, first.href) == (100, 50, "/drama")
    assert (second.length, second.share, second.href) == (25, 12.5, None)
    assert bars([], total=0) == []
    assert bars([("none", 0)], total=0)[0].length == 0
