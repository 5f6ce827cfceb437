"""The documentation: its Python runs, its commands and links exist, its tables match the code.

Python blocks of a page share a namespace, in order. A comment before a block says how it is run:

    <!-- test: cluster -->        `env.execute` builds the job graph and runs nothing
    <!-- test: skip REASON -->    not at all

and a comment `<!-- test: also ... -->` holds code that readers need not see. Functions named
``test_*`` are called once their block has run, with the fixtures that they ask for.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import types
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar, NamedTuple
from urllib.parse import parse_qs, urlsplit

import cloudpickle
import pyflink
import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pyflink_durable import DurableOptions, FileCallLog, KafkaCallLog, RetryPolicy
from pyflink_durable.testing import Durable

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]

_PIECE = re.compile(
    r"^<!-- test: (?P<mark>\w+)(?P<rest>.*?)-->\n"
    r"|^```(?P<language>\w*)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_SHELL = {"shell", "sh", "bash", "console"}
FLINK = Path(pyflink.__file__).parent
_KNOWN_COMMANDS = {"docker", "make", "python", "pip", "flink", "pyflink-durable"}


class Block(NamedTuple):
    """A piece of code on a page.

    Attributes:
        mark: What the comment before it says: "", "cluster", "skip", or "also" for the hidden.
    """

    line: int
    language: str
    code: str
    mark: str


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    blocks = []
    mark = ""
    for piece in _PIECE.finditer(text):
        line = text.count("\n", 0, piece.start()) + 2
        if piece["mark"] == "also":
            blocks.append(Block(line, "python", piece["rest"], "also"))
        elif piece["mark"]:
            mark = piece["mark"]
        else:
            blocks.append(Block(line, piece["language"], piece["code"], mark))
            mark = ""
    return blocks


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


pages = pytest.mark.parametrize("page", PAGES, ids=name_of)
pages_with_python = pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(block.language == "python" for block in blocks_of(page))],
    ids=name_of,
)


# -------------------------------------------------------------------- Python


class Services(BaseHTTPRequestHandler):
    """The services that the pages talk to: payments, and a model that echoes."""

    charges: ClassVar[dict[str, dict[str, Any]]]

    def do_GET(self) -> None:
        wanted = parse_qs(urlsplit(self.path).query).get("order", [""])[0]
        self._answer([self.charges[wanted]] if wanted in self.charges else [])

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/charges":
            charge = {"id": f"charge-{body['order']}", **body}
            self.charges[body["order"]] = charge
            self._answer(charge)
        else:
            content = f"echo: {body['messages'][-1]['content']}"
            self._answer({"choices": [{"message": {"role": "assistant", "content": content}}]})

    def _answer(self, value: Any) -> None:
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    handler = type("FreshServices", (Services,), {"charges": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("PAYMENTS_URL", url)
        monkeypatch.setenv("MODEL_URL", url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield
        server.shutdown()
        thread.join()


def build_only(env: Any, job_name: str | None = None) -> None:
    """Stands in for `StreamExecutionEnvironment.execute`."""
    env._generate_stream_graph(clear_transformations=True, job_name=job_name)


@pages_with_python
def test_python_runs(
    page: Path,
    services: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType("docs_" + re.sub(r"\W", "_", name_of(page)))
    monkeypatch.setitem(sys.modules, module.__name__, module)  # where pickle looks classes up
    # the Python inside the JVM cannot import it
    cloudpickle.register_pickle_by_value(module)
    request.addfinalizer(lambda: cloudpickle.unregister_pickle_by_value(module))
    namespace = vars(module)
    called: set[str] = set()
    for block in blocks_of(page):
        if block.language != "python" or block.mark == "skip":
            continue
        # blank lines in front, so that tracebacks name the lines of the page
        source = "\n" * (block.line - 1) + block.code
        code = compile(source, str(page), "exec", dont_inherit=True)
        with monkeypatch.context() as patched:
            if block.mark == "cluster":
                from pyflink.datastream import StreamExecutionEnvironment

                patched.setattr(StreamExecutionEnvironment, "execute", build_only)
            exec(code, namespace)
        for name in [name for name in namespace if name.startswith("test_")]:
            if name not in called:
                called.add(name)
                with closing(Durable()) as durable:
                    asked = set(inspect.signature(namespace[name]).parameters)
                    given = {one: request.getfixturevalue(one) for one in asked - {"durable"}}
                    if "durable" in asked:
                        given["durable"] = durable
                    namespace[name](**given)


@pages
def test_marks_are_known(page: Path) -> None:
    assert {block.mark for block in blocks_of(page)} <= {"", "cluster", "skip", "also"}


# -------------------------------------------------------------------- commands and links


def test_the_folders_of_contributing_exist() -> None:
    folders = re.findall(r"`([\w./-]+/)`", (DOCS / "contributing.md").read_text(encoding="utf-8"))
    assert len(folders) > 10
    assert [folder for folder in folders if not (ROOT / folder).is_dir()] == []


def commands_of(block: Block) -> Iterator[list[str]]:
    for line in block.code.replace("\\\n", " ").splitlines():
        words = line.split("#")[0].removeprefix("$ ").split()
        if words:
            yield words


@pages
def test_commands_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE))
    for block in blocks_of(page):
        if block.language not in _SHELL:
            continue
        for command, *words in commands_of(block):
            known = command in _KNOWN_COMMANDS or (FLINK / command).is_file()
            assert known, f"{command} in line {block.line}"
            if command == "make":
                assert words[0] in targets, f"make {words[0]}"
            elif command == "python" and words[0] == "-m":
                assert find_spec(words[1]) is not None, f"python -m {words[1]}"
            for word in words:
                if word.endswith(".py"):
                    assert (ROOT / word).is_file(), word


@pages
def test_make_targets_in_the_text_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make ([a-z0-9-]+)", page.read_text(encoding="utf-8")):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"


def anchors_of(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pages
def test_links_resolve(page: Path) -> None:
    for link in _LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors_of(target), link


# -------------------------------------------------------------------- tables that follow the code


def rows_of(page: Path, heading: str) -> dict[str, list[str]]:
    """The table below a heading: its cells by the first one, without its quotes."""
    text = page.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line[:1] == "|"]
    return {row[0].strip().strip("`"): [cell.strip() for cell in row[1:]] for row in rows[2:]}


def default_of(field: FieldInfo) -> str:
    """The default of an option as the tables show it."""
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if isinstance(default, (int, float)) and not isinstance(default, bool):
        return f"{default:,}"
    if isinstance(default, str):
        return f'`"{default}"`'
    if isinstance(default, BaseModel):
        assert default == type(default)()
        return f"`{type(default).__name__}()`"
    if isinstance(default, tuple):
        return f"`({''.join(f'{kind.__name__},' for kind in default)})`"
    return f"`{default}`"


@pytest.mark.parametrize(
    ("heading", "options"),
    [
        ("Options", DurableOptions),
        ("Retry policy", RetryPolicy),
        ("Call log in a directory", FileCallLog),
        ("Call log in Kafka", KafkaCallLog),
    ],
)
def test_every_option_is_documented_with_its_default(
    heading: str, options: type[BaseModel]
) -> None:
    documented = {name: row[0] for name, row in rows_of(DOCS / "tuning.md", heading).items()}
    fields = {name: field for name, field in options.model_fields.items() if name != "type"}
    assert documented == {name: default_of(field) for name, field in fields.items()}


def test_every_metric_is_documented() -> None:
    java = ROOT / "java-bridge/core/src/main/java/pyflink/durable/engine"
    counters = (java / "DurableCounters.java").read_text(encoding="utf-8")
    names = re.findall(r'^ +"(\w+)", //', counters, re.MULTILINE)
    names += re.findall(r'gauge\("(\w+)"', counters)
    names += re.findall(r'String TOOL_LATENCY = "(\w+)"', counters)
    documented = rows_of(DOCS / "operations.md", "Metrics")
    assert set(documented) == {f"durable.{name}" for name in names}


def test_every_log_line_is_in_the_code() -> None:
    sources = [
        *ROOT.glob("python/pyflink_durable/**/*.py"),
        *ROOT.glob("java-bridge/*/src/main/**/*.java"),
    ]
    code = "\n".join(source.read_text(encoding="utf-8") for source in sources)
    code = re.sub(r'"\s*(\+\s*)?f?"', "", code)  # literals that are joined
    text = (DOCS / "operations.md").read_text(encoding="utf-8")
    section = text.split("\n## Log lines\n")[1].split("\n## ")[0]
    for line in re.findall(r"^\| \w+[^|]*\| `([^`]+)`", section, re.MULTILINE):
        for part in re.split(r"\.\.\.|NAME|\bN\b|\{|\}", line):
            assert part.strip() in code, line


def test_every_design_record_is_listed() -> None:
    listed = set(_LINK.findall((DOCS / "design/README.md").read_text(encoding="utf-8")))
    assert listed == {path.name for path in DOCS.glob("design/0*.md")}
