"""What the docs say can be typed: every line, option and link of them, and nothing left unsaid."""

import re
import runpy
from pathlib import Path

import networks
import pytest
import shell_lines
import typer

from sketchrnn_cli.cli.app import app
from sketchrnn_cli.errors import BadUsage
from sketchrnn_cli.model import checkpoint

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
GROUP = typer.main.get_command(app)
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
FOREIGN = {"--max-restarts"}  # options of other programs, named by themselves


def blocks(text):
    """Code in a Markdown text: fenced, or indented by four."""
    fenced = re.findall(r"^```(?:sh|console)?\n(.*?)^```$", text, re.M | re.S)
    indented = re.findall(
        r"(?:^    .*\n?)+", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M
    )
    return [*fenced, *(re.sub(r"^    ", "", block, flags=re.M) for block in indented)]


def commands(text):
    """Pipes with sketchrnn in them, as one line each."""
    for block in blocks(text):
        joined = re.sub(r"\s*(\\\n|(?<=\|)\n|(?<=&&)\n)\s*", " ", block)
        for line in joined.splitlines():
            for part in re.split(r"&&", re.sub(r"(?:^|\s)#(?: [^\"]*)?$", "", line)):
                if re.match(r"\s*(head|[./\w]*sketchrnn)\s", part):
                    yield part.strip()


def parse(line):
    """Refuse what no command would take."""
    n = 0
    for name, *arguments in shell_lines.stages(line):
        if not name.endswith("sketchrnn"):
            continue
        context = GROUP.make_context("sketchrnn", list(arguments), resilient_parsing=True)
        command, *rest = (*context._protected_args, *context.args)
        assert command in GROUP.commands, line
        GROUP.commands[command].make_context(command, rest, parent=context)
        n += 1
    return n


LINES = [
    pytest.param(line, id=f"{path.name}: {line}")
    for path in (README, *DOCS, *EXAMPLES)
    for line in commands(path.read_text("utf-8"))
    if " COMMAND" not in line
]


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_the_docs_is_understood(line):
    assert parse(line)


def test_a_line_that_no_command_takes_is_found():
    assert len(LINES) > 20
    (line,) = commands('```sh\npip install x &&\nsketchrnn sample "a # b" --tempp 1 # so\n```\n')
    assert line == 'sketchrnn sample "a # b" --tempp 1'
    with pytest.raises(BadUsage, match="--tempp: no such option"):
        parse(line)
    with pytest.raises(AssertionError):
        parse("sketchrnn paint")


def options(command):
    """Every spelling with two dashes, and the spellings of each."""
    long, each_one = set(), []
    for parameter in command.params:
        spelled = [each for each in (*parameter.opts, *parameter.secondary_opts) if "--" in each]
        long.update(spelled)
        each_one += [spelled] if spelled else []
    return long | {"--help"}, each_one


def test_every_option_that_the_docs_name_exists():
    known = set.union(*(options(each)[0] for each in GROUP.commands.values()), options(GROUP)[0])
    inline = set()
    for path in (README, *DOCS):
        prose = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.M | re.S)
        inline |= {each.replace("_", "-") for each in re.findall(r"`(--[a-z][a-z0-9_-]+)", prose)}
    assert len(inline) > 30
    assert inline - known - FOREIGN == set()


def test_the_table_of_the_readme_has_every_command():
    rows = re.findall(r"^\| `(\w+)[^`]*` \| ", README.read_text("utf-8"), re.M)
    assert set(rows) >= {name for name, each in GROUP.commands.items() if not each.hidden}


def test_the_readme_is_short():
    assert len(README.read_text("utf-8").splitlines()) <= 120


def test_the_picture_of_minutes_has_a_row_for_each_run(tmp_path):
    checkpoint.save(tmp_path / "few.safetensors", networks.tiny())
    make = runpy.run_path(str(ROOT / "docs" / "minutes.py"))
    rows = {name: str(tmp_path / "few.safetensors") for name in ("1 minute", "2 minutes")}
    made = make["picture"](rows)
    assert re.findall(r">([0-9]+ minutes?)<", made) == list(rows)
    assert made.count("<g data-word") == 2 * make["N"]
    kept = (ROOT / "docs" / "minutes.svg").read_text("utf-8")
    assert re.findall(r">([0-9]+ minutes?)<", kept) == ["1 minute", "10 minutes", "60 minutes"]
    assert kept.count("<g data-word") == 3 * make["N"]


def test_the_page_of_commands_is_fresh():
    written = (ROOT / "docs" / "commands.md").read_text("utf-8")
    assert runpy.run_path(str(ROOT / "docs" / "commands.py"))["page"]() == written, (
        "python docs/commands.py"
    )


def test_every_option_is_used_by_a_test_or_shown_in_the_docs():
    here = Path(__file__)
    shown = [path for path in (README, *DOCS) if path.name != "commands.md"]
    tests = [path for path in here.parent.rglob("*.py") if path != here]
    text = "\n".join(path.read_text("utf-8") for path in (*shown, *tests, *EXAMPLES))
    unnamed = [
        f"{name} {'/'.join(spelled)}"
        for name, command in GROUP.commands.items()
        for spelled in options(command)[1]
        if not any(re.search(rf"{each}(?![a-z-])", text) for each in spelled)
    ]
    assert unnamed == []


@pytest.mark.parametrize("path", [README, *DOCS], ids=lambda path: path.name)
def test_every_link_of_the_docs_leads_somewhere(path):
    links = re.findall(r"\]\(([^)#]+)", path.read_text("utf-8"))
    here = [link for link in links if "://" not in link]
    assert here or path != README
    assert [link for link in here if not (path.parent / link).exists()] == []
