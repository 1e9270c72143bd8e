from hml.reporting.tables import Table, to_latex, to_markdown, to_text

TABLE = Table("Errors & more.", ["", "error"], [["mixup", "0.1"], ["sep_conf", "−0.05 ± 0.01"]])


def test_text_has_aligned_columns_below_the_caption():
    assert to_text(TABLE).splitlines() == [
        "Errors & more.",
        "                 error",
        "mixup              0.1",
        "sep_conf  −0.05 ± 0.01",
    ]


def test_markdown_aligns_numbers_to_the_right():
    assert to_markdown(TABLE).splitlines() == [
        "|          |        error |",
        "|----------|-------------:|",
        "| mixup    |          0.1 |",
        "| sep_conf | −0.05 ± 0.01 |",
        "",
        "Errors & more.",
    ]


def test_markdown_sets_text_to_the_left():
    table = Table("Errors.", ["model", "metric", "n"], [["mixup", "CE", "10"]])
    assert to_markdown(table, 2).splitlines()[:3] == [
        "| model | metric |  n |",
        "|-------|--------|---:|",
        "| mixup | CE     | 10 |",
    ]


def test_latex_escapes_what_it_would_interpret():
    lines = to_latex(TABLE, "tab:errors").splitlines()
    assert r"\caption{Errors \& more.}" in lines
    assert r"\begin{tabular}{lr}" in lines
    assert r"sep\_conf & $-$0.05 $\pm$ 0.01 \\" in lines


def test_a_table_without_rows_renders_its_header():
    empty = Table("None.", ["scheme", "n"], [])
    assert to_markdown(empty).splitlines()[:2] == ["| scheme | n |", "|--------|--:|"]
    assert to_text(empty) == "None.\nscheme  n"
