import pytest

from hml.command_line.flags import Parser
from hml.errors import InputError


@pytest.fixture
def parser():
    parser = Parser("hml try")
    parser.add_argument("--seed", type=int)
    verbs = parser.add_subparsers()
    verbs.add_parser("deep").add_argument("--data_dir")
    return parser


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--see=3"], "unrecognized arguments: --see=3. See hml try --help.\nDid you mean seed?"),
        (["deep", "--data-dir", "x"], "See hml try deep --help.\nDid you mean data_dir?"),
        (["deep", "--dat", "x"], "unrecognized arguments: --dat x"),
        (["--seed", "x"], "argument --seed: invalid int value: 'x'. See"),
        (["shallow"], "'shallow'"),
    ],
)
def test_wrong_flags_are_one_sentence_with_what_may_be_meant(parser, args, said):
    with pytest.raises(InputError) as caught:
        parser.parse_args(args)
    assert said in str(caught.value)


def test_a_verb_may_pass_on_flags_that_it_does_not_know():
    parser = Parser("hml try", passes_on=True)
    parser.add_argument("--seeds")
    assert parser.parse_known_args(["--seed", "3"])[1] == ["--seed", "3"]
