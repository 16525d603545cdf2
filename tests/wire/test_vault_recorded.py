"""The codec beside what a real OpenBao answered (vault_answers.json; SOURCES.md says of which), without a server."""

import pytest
from tests.wire.vault_cases import ASKED, name_of, recorded


@pytest.mark.parametrize("topic", ASKED)
def test_the_codec_says_what_openbao_said(topic: str) -> None:
    cases, _, disagreement = ASKED[topic]
    answers = recorded()[topic]
    assert {name_of(case) for case in cases} == answers.keys()
    assert len(answers) > 100
    wrong = [(c, answers[name_of(c)], mine) for c in cases if (mine := disagreement(*c, *answers[name_of(c)]))]
    assert not wrong, "\n".join(map(str, wrong))
