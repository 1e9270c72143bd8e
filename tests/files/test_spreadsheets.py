import csv

from hml.files.spreadsheets import to_csv


def test_formulas_become_text_in_header_and_rows():
    rows = list(csv.reader(to_csv(["-a", "b"], [["=1+1", -1.5], ["@x", None]]).splitlines()))
    assert rows == [["'-a", "b"], ["'=1+1", "-1.5"], ["'@x", ""]]


def test_numbers_keep_every_digit():
    assert to_csv(["x"], [[0.1 + 0.2]]) == "x\n0.30000000000000004\n"
