"""The thumbnails on a local Dask cluster: a worker is killed in the middle, and nothing is lost or doubled; then the cluster goes away."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import CORES
from processes import EXAMPLES, on

pytest.importorskip("distributed", reason="distributed is in the extra `dask`, not in `test`")
Image = pytest.importorskip("PIL.Image", reason="Pillow is there for CPython alone")

pytestmark = [
    pytest.mark.skipif(not EXAMPLES.is_dir(), reason=f"the examples are not here: there is no {EXAMPLES}"),
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL"),
]
PATIENCE = 120  # seconds, after which whatever hangs is killed


def ran(core, *command):
    return subprocess.run([sys.executable, *map(str, command)], env=on(core), capture_output=True, text=True, timeout=PATIENCE, check=False)


@pytest.mark.parametrize("core", CORES)
def test_a_worker_is_killed_and_nothing_is_lost_or_doubled(core, tmp_path):
    names = [tmp_path / f"{number}.png" for number in range(14)]
    for number, name in enumerate(names):
        Image.new("RGB", (60, 40), (number * 18, 255 - number * 18, number * 9)).save(name)
    local, cluster = tmp_path / "local", tmp_path / "cluster"
    cluster.mkdir()
    done = ran(core, EXAMPLES / "thumbnails_pep342.py", "--page", "40x40", "--thumb", "20x20", local, *names)
    assert (done.returncode, done.stderr) == (0, "")
    done = ran(core, Path(__file__).parent / "scripts" / "on_dask.py", EXAMPLES, cluster, *names)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "14 thumbnails",
        """(3, 4, True, "invalid literal for int() with base 10: 'x'")""",
        "['cancelled', 'cancelled', None, 'refused']",
    ], done.stderr
    assert (tmp_path / "died").exists()
    assert {page.name: page.read_bytes() for page in cluster.iterdir()} == {page.name: page.read_bytes() for page in local.iterdir()}
