"""The registry of output formats: each is found by its suffix, written, and refused early."""

import io
import subprocess
import sys

import pytest
from drawings import CAT, LINE

from sketchrnn_cli.drawing import outputs
from sketchrnn_cli.drawing.style import Style
from sketchrnn_cli.errors import BadConfig, BadSketch
from sketchrnn_cli.files import format_of
from sketchrnn_cli.sketches.formats import read_sketches


def written(format: str, *sketches, **more) -> bytes:
    stream = io.BytesIO()
    outputs.write(stream, sketches, format, **more)
    return stream.getvalue()


@pytest.mark.parametrize("format", outputs.FORMATS)
def test_a_suffix_names_its_format(format):
    found = format_of(f"a.b/cat.{format.upper()}", None, outputs.FORMATS)
    output = outputs.OUTPUTS[format]
    assert (found.name, found.compressed) == (format, False)
    assert (found.binary, found.is_data) == (output.binary, output.kind == "data")


@pytest.mark.parametrize("n", [2, None])
@pytest.mark.parametrize("format", outputs.DATA)
def test_drawings_come_back_from_data(tmp_path, format, n):
    path = tmp_path / f"two.{format}"
    path.write_bytes(written(format, CAT, LINE, n=n))
    found = list(read_sketches(str(path)))
    assert [len(sketch.strokes) for sketch in found] == [len(CAT.strokes), len(LINE.strokes)]


def test_lines_are_out_as_they_come():
    class Pipe(io.BytesIO):
        flushed = 0

        def seekable(self):
            return False

        def flush(self):
            self.flushed = len(self.getvalue().splitlines())

    def drawings():
        for number in range(3):
            assert stream.flushed == number
            yield CAT

    stream = Pipe()
    outputs.write(stream, drawings(), "ndjson")
    assert stream.flushed == 3


def test_a_still_does_not_move():
    with pytest.raises(BadConfig, match="png does not move"):
        outputs.write_film(io.BytesIO(), None, "png")


@pytest.mark.parametrize(
    ("path", "numbered"),
    [("cat-%d.png", True), ("%03d/x.svg", True), ("100%.png", False), ("a%dx", True), ("", False)],
)
def test_a_numbered_name_is_known(path, numbered):
    assert outputs.is_numbered(path) is numbered


@pytest.mark.parametrize("format", ["svg", "png"])
def test_a_numbered_name_is_a_file_per_drawing(tmp_path, format):
    outputs.write_file(str(tmp_path / f"deep/cat-%02d.{format}"), iter([CAT, LINE]), format)
    for name, sketch in (("cat-01", CAT), ("cat-02", LINE)):
        assert (tmp_path / f"deep/{name}.{format}").read_bytes() == written(format, sketch)


def test_numbered_files_are_there_as_drawings_come(tmp_path):
    def drawings():
        for k in range(3):
            assert len(list(tmp_path.iterdir())) == k
            yield CAT

    outputs.write_file(str(tmp_path / "%d.svg"), drawings(), "svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.svg", "2.svg", "3.svg"]


def test_data_is_one_file_whatever_its_name(tmp_path):
    outputs.write_file(str(tmp_path / "%d.ndjson"), [CAT, LINE], "ndjson")
    (path,) = tmp_path.iterdir()
    assert path.name == "%d.ndjson"


def test_no_drawings_are_no_files(tmp_path):
    with pytest.raises(BadSketch, match="no drawings"):
        outputs.write_file(str(tmp_path / "%d.svg"), [], "svg")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format", sorted({*outputs.FORMATS} - {*outputs.DATA, "svg"}))
def test_only_svg_has_a_page(format):
    outputs.check("svg", Style(page="a4"))
    with pytest.raises(BadConfig, match=r"--page is for plotters, which read \.svg"):
        outputs.check(format, Style(page="a4"))


@pytest.mark.parametrize("module", ["numpy", "PIL"])
def test_the_registry_loads_no_library(module):
    code = f"import sys, sketchrnn_cli.drawing.outputs; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
