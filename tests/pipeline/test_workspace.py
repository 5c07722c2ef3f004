"""Working folders: what a killed run left goes with the next one, what a living run holds stays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dlpipe.pipeline.workspace import claimed


def test_a_killed_run_is_swept_and_a_living_one_spared(tmp_path: Path) -> None:
    (tmp_path / "killed" / "in").mkdir(parents=True)
    (tmp_path / "killed.lock").touch()
    with claimed(tmp_path / "living"):
        (tmp_path / "living").mkdir()
        code = "import sys; from pathlib import Path; from dlpipe.pipeline.workspace import claimed\n"
        code += "with claimed(Path(sys.argv[1])): pass"
        subprocess.run([sys.executable, "-c", code, tmp_path / "other"], check=True, timeout=60)
        assert sorted(each.name for each in tmp_path.iterdir()) == ["living", "living.lock"]
