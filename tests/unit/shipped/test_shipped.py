"""Modules that came with a job are that job's, in an interpreter that has run others before."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from pyflink_durable import ConfigurationError
from pyflink_durable.runtime import shipped
from pyflink_durable.runtime.shipped import claims

Files = dict[str, str]


class Job:
    """A job whose files PyFlink has unpacked; as for each attempt, into a new folder.

    Args:
        where: The temporary directory.
        files: Content by path below the only root.
        name: Of the job.
    """

    def __init__(self, where: Path, files: Files, name: str = "orders") -> None:
        self.name = name
        self.folder = where / f"python-dist-{uuid4()}"
        self.root = self.folder / "python-files" / "blob" / "code"
        self.root.mkdir(parents=True)
        for path, text in files.items():
            file = self.root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        self.warnings: list[str] = []

    def bring_extension(self, package: str) -> None:
        """A package with a module of machine code."""
        file = Path(some_extension().__file__ or "")
        (self.root / package).mkdir()
        (self.root / package / "__init__.py").touch()
        shutil.copy(file, self.root / package / file.name)

    def open(self) -> Job:
        """What PyFlink does when it opens an operator, and then ours."""
        sys.path.insert(0, str(self.root))
        shipped.claim(self.name, str(self.folder), self.warnings.append)
        return self

    def end(self) -> None:
        """PyFlink drops the folder when the last operator of the job is closed."""
        shutil.rmtree(self.folder)


def some_extension() -> Any:
    """A module of machine code; which ones are built in differs between builds of Python."""
    for name in ("_queue", "_bisect", "_heapq", "_json", "_csv", "_struct", "_random"):
        module = importlib.import_module(name)
        if getattr(module, "__file__", "").endswith(tuple(EXTENSION_SUFFIXES)):
            return module
    pytest.skip("this Python has no module of machine code outside of itself")


@pytest.fixture(autouse=True)
def interpreter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An interpreter that has run no job yet."""
    monkeypatch.setattr(claims, "_known", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    before = dict(sys.modules)
    yield
    for name in set(sys.modules) - set(before):
        del sys.modules[name]


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., Job]:
    def job(files: Files, name: str = "orders") -> Job:
        return Job(tmp_path, files, name)

    return job


PRICES = {"prices/__init__.py": "TAX = {}\n", "prices/late.py": "TAX = {}\n"}


def prices(tax: int) -> Files:
    return {path: text.format(tax) for path, text in PRICES.items()}


class TestOneAfterAnother:
    def test_a_new_archive_brings_its_own_code(self, job: Callable[..., Job]) -> None:
        first = job(prices(7)).open()
        assert importlib.import_module("prices").TAX == 7
        first.end()

        job(prices(19)).open()
        assert importlib.import_module("prices").TAX == 19
        assert importlib.import_module("prices.late").TAX == 19

    def test_the_same_files_in_a_new_folder_are_found_there(self, job: Callable[..., Job]) -> None:
        """A failover: what was not loaded before is to be had, and state of modules is new."""
        first = job(prices(7)).open()
        importlib.import_module("prices").CACHE = "of the first attempt"  # type: ignore[attr-defined]
        first.end()

        again = job(prices(7)).open()
        late = importlib.import_module("prices.late")
        assert str(again.root) in str(late.__file__)
        assert not hasattr(importlib.import_module("prices"), "CACHE")

    def test_a_job_without_the_module_does_not_find_it(self, job: Callable[..., Job]) -> None:
        first = job({"secrets_of_first.py": ""}).open()
        importlib.import_module("secrets_of_first")
        first.end()

        job({}).open()
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("secrets_of_first")

    def test_an_installed_module_is_back_when_the_job_that_replaced_it_has_ended(
        self, job: Callable[..., Job], tmp_path: Path
    ) -> None:
        installed = tmp_path / "site-packages"
        installed.mkdir()
        (installed / "prices.py").write_text("TAX = 0\n")
        sys.path.append(str(installed))
        first = job(prices(7)).open()
        assert importlib.import_module("prices").TAX == 7
        first.end()

        job({}).open()
        assert importlib.import_module("prices").TAX == 0

    def test_a_part_of_an_installed_namespace(
        self, job: Callable[..., Job], tmp_path: Path
    ) -> None:
        installed = tmp_path / "site-packages" / "company"
        installed.mkdir(parents=True)
        (installed / "base.py").write_text("NAME = 'installed'\n")
        sys.path.append(str(installed.parent))
        base = importlib.import_module("company.base")
        first = job({"company/prices.py": "TAX = 7\n"}).open()
        exec("from company import prices", {})
        first.end()

        job({"company/prices.py": "TAX = 19\n"}).open()
        names: dict[str, Any] = {}
        exec("from company import base, prices", names)
        assert names["prices"].TAX == 19
        assert names["base"] is base

    def test_a_wheel(self, job: Callable[..., Job]) -> None:
        for tax in (7, 19):
            attempt = job({})
            attempt.root = attempt.root.with_suffix(".whl")
            with zipfile.ZipFile(attempt.root, "w") as wheel:
                for path, text in prices(tax).items():
                    wheel.writestr(path, text)
            attempt.open()
            assert tax == importlib.import_module("prices").TAX
            assert tax == importlib.import_module("prices.late").TAX
            attempt.end()

    def test_paths_of_ended_jobs_and_doubles_go(self, job: Callable[..., Job]) -> None:
        before = list(sys.path)
        job(prices(7)).open().end()
        second = job(prices(7))
        for _ in range(3):
            second.open()
        assert [path for path in sys.path if path not in before] == [str(second.root)]

    def test_operators_that_ask_nobody_find_no_old_module_either(
        self, job: Callable[..., Job]
    ) -> None:
        """PyFlink's own, in thread mode: they may open before ours."""
        first = job(prices(7)).open()
        importlib.import_module("prices")
        first.end()

        second = job(prices(19))
        sys.path.insert(0, str(second.root))
        assert importlib.import_module("prices").TAX == 19
        second.open()
        assert importlib.import_module("prices").TAX == 19


class TestMachineCode:
    def test_goes_on_with_the_same_files_in_a_new_folder(self, job: Callable[..., Job]) -> None:
        name = some_extension().__name__
        first = job(prices(7))
        first.bring_extension("fast")
        first.open()
        extension = importlib.import_module(f"fast.{name}")
        package, of_the_same_root = (
            importlib.import_module("fast"),
            importlib.import_module("prices"),
        )
        first.end()

        again = job(prices(7))
        again.bring_extension("fast")
        again.open()
        assert importlib.import_module(f"fast.{name}") is extension
        assert importlib.import_module("fast") is package
        assert importlib.import_module("prices") is of_the_same_root
        assert list(package.__path__) == [str(again.root / "fast")]
        assert str(again.root) in str(extension.__file__)
        assert importlib.import_module("prices.late").TAX == 7
        assert importlib.util.find_spec("fast").origin == str(again.root / "fast" / "__init__.py")

    def test_of_another_release_is_refused(self, job: Callable[..., Job]) -> None:
        name = some_extension().__name__
        first = job({})
        first.bring_extension("fast")
        first.open()
        importlib.import_module(f"fast.{name}")
        first.end()

        second = job({}, name="new")
        second.bring_extension("fast")
        (second.root / "fast" / "__init__.py").write_text("RELEASE = 2\n")
        with pytest.raises(
            ConfigurationError,
            match=r"^job 'new' brings fast, of which .*machine code.*Restart the TaskManagers, or",
        ):
            second.open()

    def test_what_has_changed_beside_it_is_loaded_anew(self, job: Callable[..., Job]) -> None:
        name = some_extension().__name__
        for tax in (7, 19):
            attempt = job(prices(tax))
            attempt.bring_extension("fast")
            attempt.open()
            importlib.import_module(f"fast.{name}")
            assert tax == importlib.import_module("prices").TAX
            attempt.end()

    def test_is_no_concern_of_a_job_that_does_not_bring_it(self, job: Callable[..., Job]) -> None:
        name = some_extension().__name__
        first = job({})
        first.bring_extension("fast")
        first.open()
        importlib.import_module(f"fast.{name}")
        first.end()

        job(prices(7)).open()
        assert importlib.import_module("prices").TAX == 7


class TestAtTheSameTime:
    def test_other_content_of_one_name_is_refused(self, job: Callable[..., Job]) -> None:
        first = job(prices(7), name="orders").open()
        assert importlib.import_module("prices").TAX == 7

        with pytest.raises(
            ConfigurationError,
            match=r"^job 'refunds' brings prices with other content than job 'orders', which runs "
            r".*numberOfTaskSlots.*run them one after another, or give the modules other names$",
        ):
            job(prices(19), name="refunds").open()
        assert importlib.import_module("prices").TAX == 7

        first.end()
        job(prices(19), name="refunds").open()
        assert importlib.import_module("prices").TAX == 19

    def test_also_if_neither_has_loaded_it(self, job: Callable[..., Job]) -> None:
        job(prices(7), name="orders").open()
        with pytest.raises(ConfigurationError, match="prices"):
            job(prices(19), name="refunds").open()

    def test_also_if_the_other_has_no_durable_operator(self, job: Callable[..., Job]) -> None:
        other = job(prices(7))
        sys.path.insert(0, str(other.root))
        with pytest.raises(ConfigurationError, match="than job 'without durable operators'"):
            job(prices(19), name="refunds").open()

    def test_a_package_in_one_and_a_part_of_a_namespace_in_the_other(
        self, job: Callable[..., Job]
    ) -> None:
        job({"company/prices.py": ""}).open()
        with pytest.raises(ConfigurationError, match=r"company"):
            job({"company/__init__.py": ""}).open()

    def test_other_names_do_not_meet(self, job: Callable[..., Job]) -> None:
        job({**prices(7), "company/orders.py": ""}).open()
        job({"discounts.py": "RATE = 3\n", "company/refunds.py": ""}, name="refunds").open()
        assert importlib.import_module("prices").TAX == 7
        assert importlib.import_module("discounts").RATE == 3
        importlib.import_module("company.orders")
        importlib.import_module("company.refunds")

    def test_the_same_content_serves_both_also_when_its_first_job_has_ended(
        self, job: Callable[..., Job]
    ) -> None:
        first = job(prices(7)).open()
        module = importlib.import_module("prices")
        second = job(prices(7), name="refunds").open()
        assert importlib.import_module("prices") is module
        first.end()

        assert str(second.root) in str(importlib.import_module("prices.late").__file__)
        job({"discounts.py": ""}, name="third").open()
        assert importlib.import_module("prices") is module
        assert list(module.__path__) == [str(second.root / "prices")]

    def test_two_jobs_with_archives_are_refused(self, job: Callable[..., Job]) -> None:
        first, second = job({}), job({}, name="refunds")
        for one in (first, second):
            (one.folder / "python-archives").mkdir()
        first.open()
        with pytest.raises(ConfigurationError, match=r"both have python\.archives"):
            second.open()

    def test_operators_of_one_job_are_no_two_jobs(self, job: Callable[..., Job]) -> None:
        one = job(prices(7))
        (one.folder / "python-archives").mkdir()
        one.open()
        one.open()


class TestWhatOthersHaveLoaded:
    def test_is_named_once(self, job: Callable[..., Job], tmp_path: Path) -> None:
        installed = tmp_path / "site-packages"
        installed.mkdir()
        (installed / "prices.py").write_text("TAX = 0\n")
        sys.path.append(str(installed))
        importlib.import_module("prices")

        one = job({**prices(7), "discounts.py": ""})
        one.open()
        one.open()
        (line,) = one.warnings
        assert f"prices ({installed / 'prices.py'})" in line
        assert "discounts" not in line

    def test_of_the_same_content_is_no_news(self, job: Callable[..., Job], tmp_path: Path) -> None:
        installed = tmp_path / "site-packages" / "prices"
        installed.mkdir(parents=True)
        for path, text in prices(7).items():
            (installed.parent / path).write_text(text)
        sys.path.append(str(installed.parent))
        importlib.import_module("prices")

        one = job(prices(7)).open()
        assert one.warnings == []


def test_archives_are_the_working_directory_in_every_attempt(job: Callable[..., Job]) -> None:
    """PyFlink changes it in the first one only."""
    for text in ("first", "second"):
        attempt = job({})
        archives = attempt.folder / "python-archives" / "data.zip"
        archives.mkdir(parents=True)
        (archives / "rates.txt").write_text(text)
        attempt.open()
        assert Path("data.zip/rates.txt").read_text() == text
        attempt.end()
