"""Rows from the gateway's report of stages."""

import json

import pytest

from bench import overhead
from bench.stages import stage_rows

REPORT = {
    "stages": [
        {"name": "read to parsed", "microseconds": {"p50": 3, "mean": 3.5, "p99": 9.0}},
        {"name": "parsed to queued", "microseconds": {"p50": 1.5, "mean": 2.0, "p99": 4.0}},
    ],
    "sampled": 100,
    "price_us": 0.8,
}


def test_stage_rows():
    common = {"path": "stages", "sampled": 100, "price_us": 0.8}
    assert stage_rows(json.dumps(REPORT)) == [
        {**common, "stage": "read to parsed", "us": 3.0, "mean_us": 3.5, "p99_us": 9.0},
        {**common, "stage": "parsed to queued", "us": 1.5, "mean_us": 2.0, "p99_us": 4.0},
    ]


BROKEN = {
    "nothing": "",
    "no JSON": "stage  p50\nread 3",
    "no object": "[]",
    "no stages": '{"sampled": 1, "price_us": 1}',
    "no price": '{"stages": [], "sampled": 1}',
    "stages are no list": json.dumps(REPORT | {"stages": 3}),
    "a stage is no object": json.dumps(REPORT | {"stages": ["read"]}),
    "a stage without times": json.dumps(REPORT | {"stages": [{"name": "read"}]}),
    "a time is no number": json.dumps(
        REPORT | {"stages": [{"name": "read", "microseconds": {"p50": "x", "mean": 1, "p99": 1}}]}
    ),
    "a time is null": json.dumps(
        REPORT | {"stages": [{"name": "read", "microseconds": {"p50": None, "mean": 1, "p99": 1}}]}
    ),
}


@pytest.mark.parametrize("report", BROKEN.values(), ids=BROKEN)
def test_broken_reports(report, tmp_path, capsys):
    with pytest.raises(ValueError, match=r"^no report of stages: .+"):
        stage_rows(report)
    file = tmp_path / "report.json"
    file.write_text(report)
    assert overhead.main(["--stages", str(file)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1


def test_a_report_is_printed(tmp_path, capsys):
    file = tmp_path / "report.json"
    file.write_text(json.dumps(REPORT))
    assert overhead.main(["--stages", str(file)]) == 0
    assert "read to parsed" in capsys.readouterr().out


def test_a_report_that_is_not_there(tmp_path, capsys):
    assert overhead.main(["--stages", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
