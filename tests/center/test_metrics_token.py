"""metrics.token: made once, the owner's alone, and not believed when it is anything else."""

import stat
from pathlib import Path

import pytest

from soc_api.access import digest
from soc_center.metrics_token import metrics_token, scraper
from soc_model.problem import Problem


def test_it_is_made_once_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "metrics.token"
    token = metrics_token(path)
    assert len(token) >= 43
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert metrics_token(path) == token
    assert metrics_token(tmp_path / "other.token") != token
    made = scraper(path)
    assert made is not None
    assert made.token_sha256 == digest(token)


@pytest.mark.parametrize(("text", "mode", "said"), [("x" * 43, 0o640, "others may read"), ("short", 0o600, "256 bits")])
def test_a_file_that_cannot_be_trusted_gives_nobody(
    tmp_path: Path, text: str, mode: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "metrics.token"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(Problem, match=said):
        metrics_token(path)
    assert scraper(path) is None
    assert said in capsys.readouterr().err
